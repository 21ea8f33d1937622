/** Statements that advance an apply worker's position in the same transaction as its rows. */
import type { Closing, LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { ApplyWorkerRow } from '../../copy/ledger/stream-row.ts'

/** An apply worker of a stream that this program owns under the fencing token `fence`. */
export type OwnedApplyWorker = { readonly stream: string; readonly worker: number; readonly fence: number }

const OWNED = 'stream_id = ? AND lane = ? AND fence = ? AND batches = ?'

/** @param before the row as this owner last wrote or read it @param also other statements of this transaction */
export function positionClosing(
  { dialect }: LedgerDatabase,
  { stream, worker, fence }: OwnedApplyWorker,
  before: Pick<ApplyWorkerRow, 'batches'>,
  after: Pick<ApplyWorkerRow, 'position' | 'commitMs' | 'transactions' | 'counts'>,
  also: readonly Statement[],
): Closing {
  const { now } = ledgerDialect(dialect)
  const held = [stream, worker, fence, before.batches]
  return {
    statements: [
      {
        sql: `UPDATE migration_stream_lanes SET log_position = ?, batches = batches + 1, commit_ms = ?, applied_ms = ${now}, transactions = ?, counts = ? WHERE ${OWNED}`,
        parameters: [after.position, after.commitMs, after.transactions, JSON.stringify(after.counts), ...held],
      },
      ...also,
    ],
    guard: { sql: `SELECT 1 FROM migration_stream_lanes WHERE ${OWNED}`, parameters: held },
    landed: {
      sql: `SELECT 1 FROM migration_stream_lanes WHERE ${OWNED}`,
      parameters: [stream, worker, fence, before.batches + 1],
    },
  }
}
