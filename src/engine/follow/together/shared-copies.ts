/** Copies that several programs share: while the owner of a stream copies, programs of its run may take chunks. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { isMissingTable } from '../../../stores/common/late-table.ts'
import { makeLateTable } from '../../copy/ledger/late-tables.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'

/** @property fence fencing token of the stream: no chunk is taken once another program owns the stream */
export type SharedCopy = { readonly stream: string; readonly fence: number }

/** Other programs are called only after this time (ms): a shorter copy is not worth it. */
const ALONE_MS = 1000

export class SharedCopies {
  readonly #database: LedgerDatabase

  constructor(database: LedgerDatabase) {
    this.#database = database
  }

  /**
   * Lets programs of the run take chunks of the stream's tables. Call it when all tables are divided into
   * chunks, and new snapshots of the source show the changes that the stream skipped because their rows were not
   * copied.
   * @param sharedRun the same for all programs of the run
   */
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

  /** @returns null if no copy is shared now */
  async current(sharedRun: string): Promise<SharedCopy | null> {
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
 * Lets other programs copy, too.
 * @param call asks workers to join
 * @param body copies all chunks that no other worker has copied
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
    // Ignore errors of the ledger: the remaining entry offers no chunks, and the next copy of the stream replaces it.
    await copies.end(copy.stream).catch(() => undefined)
  }
}
