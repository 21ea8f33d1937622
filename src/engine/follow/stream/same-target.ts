/** Checks that the target still has the tables and rows to which the stream's position applies. */
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellNames } from '../../../shared/shell.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ChunkLedger } from '../../copy/ledger/chunks.ts'
import type { RunOwner } from '../../copy/ledger/owner.ts'
import { RereadLedger } from '../../copy/ledger/rereads.ts'
import { RunLedger } from '../../copy/ledger/runs.ts'
import type { FollowTable } from './followed-table.ts'
import { isEmpty } from '../apply/row-checks.ts'
import { countChanges, knownRows, type ChangeCounts, type ApplyWorkerRow } from '../../copy/ledger/stream-row.ts'

type WrittenTable = Pick<FollowTable, 'name' | 'key' | 'plan' | 'target'> & {
  /** True if this run has completed the copy of the table: its identity mark and row count are then not compared. */
  readonly isCopied: boolean
}

type TargetContext = {
  readonly stream: string
  readonly from: CopyStore
  readonly to: CopyStore
  readonly database: LedgerDatabase
  readonly owner: RunOwner
  /** True if the stream's changes fire triggers of the target. */
  readonly fireTriggers: boolean
  readonly signal: AbortSignal
}

/**
 * Refuses tables that were recreated, or emptied by another program: no change restores their missing rows.
 * @param tables tables whose chunks are all in the target
 * @throws SluiceError STREAM_HALTED
 */
export async function refuseOtherTarget(
  tables: readonly WrittenTable[],
  { counts }: Pick<ApplyWorkerRow, 'counts'>,
  context: TargetContext,
): Promise<void> {
  if (tables.length === 0) return
  await using there = await context.to.source(context.signal)
  const emptied: WrittenTable[] = []
  for (const table of tables) if (await isEmptied(table, counts[table.name], there, context)) emptied.push(table)
  if (emptied.length === 0) return
  const [verb, them] = emptied.length === 1 ? ['holds', 'it'] : ['hold', 'them']
  throw missingRowsError(
    `${emptied.map(({ plan }) => tableText(plan.target.table)).join(', ')} ${verb} no rows`,
    `the copy and the stream wrote rows into ${them}, and another program removed them`,
    context.stream,
    emptied.map(({ name }) => name),
  )
}

/** True if another program removed all rows of a table. @throws SluiceError STREAM_HALTED for a recreated table */
async function isEmptied(
  { name, key, plan, target, isCopied }: WrittenTable,
  counts: ChangeCounts | undefined,
  there: SourceView,
  { stream, from, to, database, owner, fireTriggers, signal }: TargetContext,
): Promise<boolean> {
  const runs = new RunLedger(database, owner)
  const chunks = new ChunkLedger(database, key, owner)
  const known = isCopied ? null : await runs.targetMark(key)
  const mark = isCopied ? null : ((await to.offers.identification?.mark(plan.target.table, signal)) ?? null)
  const table = tableText(plan.target.table)
  const isMarked = known !== null && mark !== null
  if ((plan.create && !isCopied) || (isMarked && mark.lasting && mark.text !== known)) {
    const message = `${table} is not the table into which the stream wrote rows`
    throw missingRowsError(message, 'it was dropped or recreated since', stream, [name])
  }
  if (await isEmpty(there, target, signal)) {
    if ((await expectedRows(counts, chunks)) === 0n) return false
    await using here = await from.source(signal)
    return !(await isEmpty(here, { table: plan.source, identity: plan.source.key }, signal))
  }
  // Only the row count shows that a table without a lasting mark was recreated. Skip tables whose triggers may remove
  // rows.
  if (isCopied || fireTriggers || mark?.lasting === true || (isMarked && mark.text === known)) return false
  // Rows that wait to be read again may be missing in the target, so subtract them.
  const waiting = await new RereadLedger(database).stillWaiting(stream, key)
  const held = (await minimumRows(counts, chunks)) - BigInt(waiting.size)
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
  return false
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
