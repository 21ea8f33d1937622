/** First copies of streams that several programs make: as long as whoever has the stream copies, others of its run may take chunks, too. */
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { isMissingTable } from '../../../stores/common/late-table.ts'
import { makeLateTable } from '../../copy/ledger/late-tables.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'

/** @property fence of the stream: nobody takes chunks once another program has it */
export type SharedCopy = { readonly stream: string; readonly fence: number }

/** What is done within this time is not worth programs elsewhere, ms. */
const ALONE_MS = 1000

export class SharedCopies {
  readonly #database: LedgerDatabase

  constructor(database: LedgerDatabase) {
    this.#database = database
  }

  /** All tables are cut into chunks, and every look at the source from here on shows what the stream has left out. @param sharedRun the same for all who share it */
  async begin({ stream, fence }: SharedCopy, sharedRun: string, runId: bigint): Promise<void> {
    await makeLateTable(this.#database, 'migration_shared_copies')
    const { now } = ledgerDialect(this.#database.dialect)
    await this.#database.batch([
      removed(stream),
      {
        sql: `INSERT INTO migration_shared_copies (stream_id, shared_run, fence, run_id, begun_ms) VALUES (?, ?, ?, ?, ${now})`,
        parameters: [stream, sharedRun, fence, runId],
      },
    ])
  }

  /** @returns null where none goes on */
  async standing(sharedRun: string): Promise<SharedCopy | null> {
    try {
      const [row] = await this.#database.all(
        `SELECT c.stream_id, c.fence FROM migration_shared_copies c JOIN migration_streams s ON s.stream_id = c.stream_id AND s.fence = c.fence
         WHERE c.shared_run = ? AND s.status = 'active'`,
        [sharedRun],
      )
      return row === undefined ? null : { stream: String(row[0]), fence: Number(row[1]) }
    } catch (error) {
      if (isMissingTable(error)) return null
      throw error
    }
  }

  async end(stream: string): Promise<void> {
    await this.#database.batch([removed(stream)])
  }
}

const removed = (stream: string): { readonly sql: string; readonly parameters: readonly string[] } => ({
  sql: 'DELETE FROM migration_shared_copies WHERE stream_id = ?',
  parameters: [stream],
})

/**
 * Whoever has a stream lets others copy with it.
 * @param call asks other workers to come
 * @param body copies all that is left, whoever comes
 */
export async function whileShared(
  copy: SharedCopy,
  {
    database,
    sharedRun,
    runId,
    call,
  }: {
    readonly database: LedgerDatabase
    readonly sharedRun: string
    readonly runId: bigint
    readonly call: () => void
  },
  body: () => Promise<void>,
): Promise<void> {
  const copies = new SharedCopies(database)
  await copies.begin(copy, sharedRun, runId)
  const calling = setTimeout(call, ALONE_MS)
  try {
    await body()
  } finally {
    clearTimeout(calling)
    // Where the ledger is away: nobody finds chunks by it, and the next copy of the stream takes its place.
    await copies.end(copy.stream).catch(() => undefined)
  }
}
