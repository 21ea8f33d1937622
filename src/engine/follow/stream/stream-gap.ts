/** Refuses rows copied before a stream begins: no stream reports the changes between copy and start. */
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { ChunkLedger } from '../../copy/ledger/chunks.ts'
import { CLOSED } from '../../copy/ledger/stored-chunk.ts'
import { streamsIntoTables } from '../../copy/ledger/stream-lookup.ts'
import type { PlannedTable } from '../../copy/plan/plan-copy.ts'
import type { StreamParts } from '../../copy/companion.ts'
import { ledgerKey } from './followed-table.ts'

/** Chunks with rows in the target, or with rows that may still be written from a snapshot older than the stream. */
const READ_CHUNKS = `(status = 'in_progress' OR cursor_key IS NOT NULL OR ${CLOSED})`

type Parts = Pick<StreamParts, 'operation' | 'planned' | 'database' | 'owner'>

/** Checks a stream that has no slot yet. @throws SluiceError PLAN_CHANGED if chunks of its tables were read before */
export async function refuseStreamGap({ operation, planned, database, owner }: Parts): Promise<void> {
  const read: PlannedTable[] = []
  for (const table of planned.tables)
    if (await new ChunkLedger(database, ledgerKey(table, planned), owner).has(READ_CHUNKS)) read.push(table)
  if (read.length === 0) return
  const keys = read.map((table) => ledgerKey(table, planned))
  // Another program may have begun the stream meanwhile, and have read the chunks as part of it.
  if ((await streamsIntoTables(database, keys)).some(({ startRecord }) => startRecord !== null)) return
  const names = read.map(({ source }) => tableText(source.table)).join(', ')
  const was = read.length === 1 ? 'it was copied before' : 'they were copied before'
  throw new SluiceError('PLAN_CHANGED', `no stream can begin for ${names}: ${was}`, {
    reason: 'the stream would lack the changes since that copy',
    hint: hintOf(operation, read),
  })
}

function hintOf({ periods }: Parts['operation'], read: readonly PlannedTable[]): string {
  const there = read.flatMap(({ plan }) => (plan === null || plan.create ? [] : [tableText(plan.target.table)]))
  if (there.length === 0) return 'begin again with --restart'
  // A cutover may have left a trigger that refuses TRUNCATE.
  if (periods !== undefined)
    return `drop ${there.join(', ')} in the target, which the run makes again; then begin again with --restart`
  return 'begin again with --restart --on-existing replace-range, which also removes rows that the source does not have'
}

/** Retires all chunks before a restarted stream is recorded: after a kill the next run finds no older chunk. */
export async function retireChunks({ planned, database, owner }: Parts): Promise<void> {
  for (const table of planned.tables)
    await new ChunkLedger(database, ledgerKey(table, planned), owner).retireAll('restart', null)
}
