/** Questions to one session inside its transaction. */
import type { SqlReader, SqlRow } from '../../model/run/sql-port.ts'
import type { RowStream } from './row-stream.ts'
import type { Session } from './session.ts'
import { translate } from './translate.ts'

/** Pages of a running statement, from one place to the end. What is left early runs to its end unseen, because the connection is still needed. */
export async function* pagesOf(stream: RowStream, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
  try {
    for (;;) {
      const page = await stream.take(pageRows)
      if (page.length === 0) return
      yield page
    }
  } finally {
    if (!stream.isDone) stream.discard()
  }
}

/**
 * Questions to one session inside its transaction. Pages stream; another question while they do takes the rest of them into memory first,
 * because the protocol knows one statement at a time and another connection would not see the same state.
 */
export function readerOf(session: Session): SqlReader {
  return {
    dialect: 'mysql',
    all: async (sql, parameters = []) => await session.rows(translate(sql), parameters),
    async *pages(sql, parameters, pageRows) {
      yield* pagesOf(await session.stream(translate(sql), parameters), pageRows)
    },
  }
}
