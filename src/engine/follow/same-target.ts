/** Whether the tables of the target are still those that the stream's position speaks of. */
import { tableText } from '../../model/copy/column-type.ts'
import { EVERY_KEY } from '../../model/copy/range.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore, LedgerDatabase, SourceView } from '../../stores/copy-port.ts'
import { ChunkLedger } from '../copy/ledger/chunks.ts'
import type { Owner } from '../copy/ledger/owner.ts'
import { RunLedger } from '../copy/ledger/runs.ts'
import type { FollowTable } from './followed-table.ts'
import type { LaneRow } from './ledger/stream-row.ts'

/**
 * A table that was made anew, or emptied by somebody else, lacks rows that no change brings again.
 * @param tables whose chunks are all there
 * @throws SluiceError STREAM_HALTED
 */
export async function refuseOtherTarget(
  tables: readonly FollowTable[],
  { counts }: LaneRow,
  around: {
    readonly stream: string
    readonly from: CopyStore
    readonly to: CopyStore
    readonly database: LedgerDatabase
    readonly owner: Owner
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { stream, from, to, database, owner, signal } = around
  if (tables.length === 0) return
  const runs = new RunLedger(database, owner)
  await using there = await to.source(signal)
  const emptied: (readonly [target: string, source: string])[] = []
  for (const { name, key, plan, target } of tables) {
    const known = await runs.targetMark(key)
    const mark = (await to.mark?.(plan.target.table, signal)) ?? null
    const table = tableText(plan.target.table)
    if (plan.create || (known !== null && mark !== null && mark.lasting && mark.text !== known)) {
      throw missing(
        `${table} is another table than the one that was filled`,
        'it was dropped or made anew since',
        stream,
        [name],
      )
    }
    if (!(await isEmpty(there, { ...target.table, key: target.identity }))) continue
    const { inserts = 0, deletes = 0, truncates = 0 } = counts[name] ?? {}
    const { written } = await new ChunkLedger(database, key, owner).sums()
    if (truncates > 0 || written + BigInt(inserts - deletes) <= 0n) continue
    await using here = await from.source(signal)
    if (await isEmpty(here, plan.source)) continue
    emptied.push([table, name])
  }
  if (emptied.length === 0) return
  const [verb, them] = emptied.length === 1 ? ['holds', 'it'] : ['hold', 'them']
  throw missing(
    `${emptied.map(([table]) => table).join(', ')} ${verb} no rows`,
    `rows were copied into ${them}, and the stream did not remove all of them`,
    stream,
    emptied.map(([, name]) => name),
  )
}

async function isEmpty(view: SourceView, table: FollowTable['target']['table']): Promise<boolean> {
  return (await view.last(table, EVERY_KEY, null, new AbortController().signal)) === null
}

function missing(message: string, reason: string, stream: string, names: readonly string[]): SluiceError {
  return new SluiceError('STREAM_HALTED', message, {
    reason,
    hint: `copy ${names.length === 1 ? 'it' : 'them'} again: sluice follow ${stream} --resync ${names.join(',')}`,
  })
}
