/** Checks that the target still has the tables and rows to which the stream's position applies. */
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellNames } from '../../../shared/shell.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ChunkLedger } from '../../copy/ledger/chunks.ts'
import type { RunOwner } from '../../copy/ledger/owner.ts'
import { RereadLedger } from '../../copy/ledger/rereads.ts'
import { RunLedger } from '../../copy/ledger/runs.ts'
import type { FollowTable } from './followed-table.ts'
import { isEmpty } from '../apply/row-checks.ts'
import { countChanges, knownRows, type ChangeCounts, type ApplyWorkerRow } from '../../copy/ledger/stream-row.ts'

/**
 * Refuses tables that were recreated, or emptied by another program: no change restores their missing rows.
 * @param tables tables whose chunks are all in the target
 * @throws SluiceError STREAM_HALTED
 */
export async function refuseOtherTarget(
  tables: readonly (Pick<FollowTable, 'name' | 'key' | 'plan' | 'target'> & {
    /** True if this run has completed the copy of the table: its identity mark and row count are then not compared. */
    readonly isCopied: boolean
  })[],
  { counts }: Pick<ApplyWorkerRow, 'counts'>,
  context: {
    readonly stream: string
    readonly from: CopyStore
    readonly to: CopyStore
    readonly database: LedgerDatabase
    readonly owner: RunOwner
    /** True if the stream's changes fire triggers of the target. */
    readonly fireTriggers: boolean
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { stream, from, to, database, owner, fireTriggers, signal } = context
  if (tables.length === 0) return
  const runs = new RunLedger(database, owner)
  await using there = await to.source(signal)
  const emptied: (readonly [target: string, source: string])[] = []
  for (const { name, key, plan, target, isCopied } of tables) {
    const known = isCopied ? null : await runs.targetMark(key)
    const mark = isCopied ? null : ((await to.offers.identification?.mark(plan.target.table, signal)) ?? null)
    const table = tableText(plan.target.table)
    const isMarked = known !== null && mark !== null
    if ((plan.create && !isCopied) || (isMarked && mark.lasting && mark.text !== known)) {
      throw missingRowsError(
        `${table} is not the table into which the stream wrote rows`,
        'it was dropped or recreated since',
        stream,
        [name],
      )
    }
    if (!(await isEmpty(there, target, signal))) {
      // Only the row count shows that a table without a lasting mark was recreated. Skip tables whose triggers may
      // remove rows.
      if (isCopied || fireTriggers || mark?.lasting === true || (isMarked && mark.text === known)) continue
      // Rows that wait to be read again may be missing in the target, so subtract them.
      const waiting = await new RereadLedger(database).stillWaiting(stream, key)
      const held = (await minimumRows(counts[name], new ChunkLedger(database, key, owner))) - BigInt(waiting.size)
      const { rows } = await there.extent({ ...target.table, key: target.identity }, null, true)
      if (rows < held) {
        await using here = await from.source(signal)
        // The ledger does not count rows that repairs removed. Repairs remove only rows that the source does not have.
        if (rows < (await here.extent(plan.source, null, true)).rows) {
          const reason = `according to the ledger, it must have at least ${held}: the table was recreated, or another program removed rows`
          throw missingRowsError(`${table} holds only ${rows} rows`, reason, stream, [name])
        }
      }
      if (isMarked) await runs.noteTargetMark(key, mark.text)
      continue
    }
    if ((await expectedRows(counts[name], new ChunkLedger(database, key, owner))) === 0n) continue
    await using here = await from.source(signal)
    if (await isEmpty(here, { table: plan.source, identity: plan.source.key }, signal)) continue
    emptied.push([table, name])
  }
  if (emptied.length === 0) return
  const [verb, them] = emptied.length === 1 ? ['holds', 'it'] : ['hold', 'them']
  throw missingRowsError(
    `${emptied.map(([table]) => table).join(', ')} ${verb} no rows`,
    `the copy and the stream wrote rows into ${them}, and another program removed them`,
    stream,
    emptied.map(([, name]) => name),
  )
}

/**
 * Lower bound of the target's rows at the stream's position: the bound in the ledger, if it has one. Otherwise the
 * number of copied rows, or 0 if changes were applied: copied and changed rows are not added, because some would count
 * twice.
 */
async function expectedRows(counts: ChangeCounts | undefined, chunks: ChunkLedger): Promise<bigint> {
  const sure = knownRows(counts)
  if (sure !== null) return BigInt(sure)
  if (counts !== undefined && countChanges(counts) > 0) return 0n
  return (await chunks.totals()).kept
}

/** As `expectedRows`, also after changes: each delete removes at most one of the copied rows. */
async function minimumRows(counts: ChangeCounts | undefined, chunks: ChunkLedger): Promise<bigint> {
  const held = await expectedRows(counts, chunks)
  if (counts === undefined || counts.truncates > 0) return held
  const copied = (await chunks.totals()).kept - BigInt(counts.deletes)
  return copied > held ? copied : held
}

function missingRowsError(message: string, reason: string, stream: string, names: readonly string[]): SluiceError {
  return new SluiceError('STREAM_HALTED', message, {
    reason,
    hint: `copy ${names.length === 1 ? 'it' : 'them'} again: sluice follow ${stream} --resync ${shellNames(names)}`,
  })
}
