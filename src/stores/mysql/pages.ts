/** Reads over one session inside its transaction. */
import type { SqlReader, SqlRow } from '../../model/run/sql-port.ts'
import type { RowStream } from './row-stream.ts'
import type { MysqlSession } from './session.ts'
import { translateSql } from './translate.ts'

/**
 * Remaining pages of a running statement. If the caller stops early, the other rows are discarded as they arrive,
 * because the connection is still needed.
 */
export async function* mysqlPages(stream: RowStream, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
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
 * A reader over one session inside its transaction. Pages are streamed. If another query is sent in between, their
 * remaining rows are read into memory first: the protocol runs one statement at a time, and another connection would
 * not see the same snapshot.
 */
export function mysqlReader(session: MysqlSession): SqlReader {
  return {
    dialect: 'mysql',
    all: async (sql, parameters = []) => await session.rows(translateSql(sql), parameters),
    async *pages(sql, parameters, pageRows) {
      yield* mysqlPages(await session.stream(translateSql(sql), parameters), pageRows)
    },
  }
}
