/** `diff --undo RUN`: restores the rows that a repair changed, from the target's ledger. Does not read the source. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../../model/copy/plan.ts'
import { rowKeyText, type RowKey } from '../../../../model/copy/row-key.ts'
import type { Row } from '../../../../model/copy/rows.ts'
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import { storesAnother } from '../../diff/change.ts'
import { unexpired } from '../../diff/expiry.ts'
import { noteUndone, undoRepairs, type RepairedRow } from '../../diff/undo.ts'
import { rowBound, rowsByKey, targetRequest } from '../../diff/sides.ts'
import { tableOfKey } from '../../ledger/owner.ts'
import { repairPlan } from '../../ledger/repair-plans.ts'
import { packedRow, repairsOf, type RecordedRepair } from '../../ledger/repairs.ts'
import { newRunRow, RunLedger } from '../../ledger/runs.ts'
import { hasLedger, prepareLedger } from '../../ledger/schema.ts'
import { undoSurplusChanges } from '../../ledger/surplus-changes.ts'
import { openExisting } from '../../open-stores.ts'
import { onSide } from '../../sides.ts'
import { recorded } from '../../run-record.ts'
import { targetTableNow } from '../../plan/plan-copy.ts'
import { refuseFollowed, UNDO } from '../../ledger/refuse-followed.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { diffUndo, DiffUndoOperation } from './declaration.ts'

type DiffUndoRun = RunOf<typeof diffUndo>

type UndoContext = { readonly to: CopyStore; readonly database: LedgerDatabase; readonly runId: bigint }

/** Limit of rows that are read and restored together. */
const AT_ONCE = 200

export async function performDiffUndo(operation: DiffUndoOperation, run: DiffUndoRun): Promise<Ending> {
  await using to = await onSide('target', () => openExisting(operation.to))
  await using database = await to.ledger()
  if (!(await hasLedger(database))) {
    throw new SluiceError('NO_SUCH_TABLE', 'the target has no ledger, so there are no repairs', {
      where: to.label,
      hint: 'name the target of the repair with --to',
    })
  }
  await prepareLedger(database)
  const all = await repairsOf(database, BigInt(operation.runId))
  const repairs = all.filter(({ table }) => isWanted(operation.tables, tableText(tableOfKey(table))))
  if (repairs.length === 0) {
    throw new SluiceError('NO_SUCH_TABLE', `the ledger has no repairs of run ${operation.runId} that can be undone`, {
      where: to.label,
      hint: 'give the id of a run of sluice diff --fix: the first line of its output has it, and the table migration_repairs',
    })
  }
  await refuseFollowed(
    to,
    { database, signal: run.interrupt.abort },
    repairs.map(({ table }) => table),
    UNDO,
  )
  const runId = BigInt(run.runId)
  const ledger = new RunLedger(database, { ...run.owner, runId })
  const row = newRunRow(run, 'diff --undo', ['', operation.to])
  return await recorded(ledger, row, run.interrupt, () => undoAll(operation, repairs, { to, database, runId }, run))
}

async function undoAll(
  operation: DiffUndoOperation,
  repairs: readonly RecordedRepair[],
  undoContext: UndoContext,
  run: DiffUndoRun,
): Promise<Ending> {
  const keys = new Map(repairs.map(({ table }) => [`${table.schema}\u0000${table.name}`, table]))
  // Plan every table before the first row is changed: an undo must not stop halfway.
  const plans = new Map<string, TablePlan>()
  for (const [id, table] of keys) plans.set(id, await planOf(operation, table, undoContext, run))
  /** Ids of tables whose expected surplus is already restored to its value before the repair. */
  const expected = new Set<string>()
  let undone = 0
  let changed = 0
  for (const [id, plan] of plans) {
    const ofTable = chains(repairs.filter(({ table }) => `${table.schema}\u0000${table.name}` === id))
    const mine = ofTable.map((one) => ({ ...one, key: keyOf(plan, one) }))
    for (let at = 0; at < mine.length; at += AT_ONCE) {
      if (run.interrupt.stop.aborted) return { totals: totalsOf(undone, changed), stopped: true }
      const some = mine.slice(at, at + AT_ONCE).map((one) => withoutExpired(plan, one))
      const [{ table } = { table: null }] = some
      if (table === null) continue
      const now = await rowsNow(plan, some, undoContext, run)
      const back = some.filter((one) => {
        const present = packedRow(now.get(JSON.stringify(one.key)) ?? null)
        // A killed run may have recorded a repair that never happened: then nothing needs to be restored.
        if (present === packedRow(one.after) || present === packedRow(one.before)) return true
        changed++
        warn(plan, one, CHANGED, run)
        return false
      })
      if (back.length > 0 && !expected.has(id)) {
        await undoSurplusChanges(undoContext.database, BigInt(operation.runId), table)
        expected.add(id)
      }
      const repairing = { ...undoContext, key: table, signal: run.interrupt.abort }
      const results = await undoRepairs(plan, back, repairing)
      const written = back.filter((one) => results.get(one) === 'fixed')
      const kept = await notRestored(plan, written, undoContext, run)
      const restored = written.filter((one) => !kept.includes(one))
      await noteUndone(restored, undoContext)
      undone += restored.length
      const refused = new Map<RepairChain, SluiceError>()
      for (const [one, result] of [
        ...results,
        ...kept.map((row) => [row, unrestoredResult(row, undoContext)] as const),
      ]) {
        if (result === 'fixed') continue
        if (result instanceof SluiceError) refused.set(one, result)
        else changed++
        warn(plan, one, result instanceof SluiceError ? `is not restored: ${result.message}` : textOf(result), run)
      }
      for (const error of refused.values()) throw error
    }
  }
  const totals = totalsOf(undone, changed)
  if (changed === 0) return { totals }
  const what = changed === 1 ? 'one row was' : `${changed} rows were`
  return {
    totals,
    error: new SluiceError(
      'DIFFERENCES',
      `${what} changed after the repair, so sluice did not restore ${changed === 1 ? 'it' : 'them'}`,
      {
        hint: 'inspect migration_repairs, which has the values before (before_json) and after the repair (after_json)',
      },
    ),
  }
}

function warn({ target }: TablePlan, { key }: RepairedRow, what: string, run: DiffUndoRun): void {
  const message = `the row ${rowKeyText(key)} ${what}`
  run.emit({ type: 'log', level: 'warn', table: tableText(target.table), message })
}

const CHANGED = 'has changed since the repair, and is not restored'

const textOf = (result: 'changed' | 'recent'): string =>
  result === 'changed' ? CHANGED : 'has a part that was written a short time ago, and is not restored'

/** Result for a row that a target without transactions did not restore. */
function unrestoredResult({ before }: RepairChain, { to }: UndoContext): 'changed' | 'recent' | SluiceError {
  if (to.can.atomic === 'batch') return storesAnother()
  return before === null ? 'recent' : 'changed'
}

/**
 * Rows that a target without transactions did not restore. Such a target cannot read rows back while it writes them.
 */
async function notRestored(
  plan: TablePlan,
  back: readonly RepairChain[],
  undoContext: UndoContext,
  run: DiffUndoRun,
): Promise<readonly RepairChain[]> {
  if (undoContext.to.can.atomic === 'chunk' || back.length === 0) return []
  const now = await rowsNow(plan, back, undoContext, run)
  return back.filter(({ key, before }) => packedRow(now.get(JSON.stringify(key)) ?? null) !== packedRow(before))
}

/** The row to restore, without values that have expired since. */
function withoutExpired(plan: TablePlan, one: RepairChain): RepairChain {
  const { before, expiry } = one
  return before === null || expiry === null ? one : { ...one, before: unexpired(plan, before, expiry, Date.now()) }
}

type RepairChain = RepairedRow & { readonly table: RecordedRepair['table'] }

/** One entry per row, with its values before the first repair and after the last repair. @param repairs latest first */
function chains(repairs: readonly RecordedRepair[]): readonly RepairChain[] {
  const rows = new Map<
    string,
    {
      ids: string[]
      key: RowKey
      before: Row | null
      expiry: RecordedRepair['expiry']
      readonly after: Row | null
      readonly table: RecordedRepair['table']
    }
  >()
  for (const { id, table, key, before, after, expiry } of repairs) {
    const text = JSON.stringify(key)
    const known = rows.get(text)
    if (known === undefined) rows.set(text, { ids: [id], key, before, after, expiry, table })
    else {
      known.ids.push(id)
      known.before = before
      known.expiry = expiry
    }
  }
  return [...rows.values()]
}

/** Key, read from the recorded row, because older versions recorded an empty text for NULL in a key. */
function keyOf(plan: TablePlan, { key, before, after }: RepairChain): RowKey {
  const row = before ?? after
  return row === null ? key : rowBound(plan, row)
}

/** @throws SluiceError if rows of the table cannot be restored */
async function planOf(
  operation: DiffUndoOperation,
  table: RecordedRepair['table'],
  undoContext: UndoContext,
  run: DiffUndoRun,
): Promise<TablePlan> {
  const { to, database } = undoContext
  const name = tableText(tableOfKey(table))
  const target = await targetTableNow(tableOfKey(table), to, run.interrupt.abort)
  if (target === null) throw new SluiceError('NO_SUCH_TABLE', `the target no longer has table ${name}`)
  const plan = await repairPlan(database, BigInt(operation.runId), table, target)
  if (plan === null) {
    throw new SluiceError('PLAN_CHANGED', `the ledger does not have the columns of the repaired rows of ${name}`, {
      reason: 'the run that repaired them did not record the columns',
      hint: 'restore the rows by hand from before_json in migration_repairs',
    })
  }
  if (typeof plan === 'string') {
    throw new SluiceError('PLAN_CHANGED', `${name} no longer has column ${plan}, which its repaired rows had`, {
      hint: 'restore the rows by hand from before_json in migration_repairs',
    })
  }
  return plan
}

/** Rows of the target by their keys, as JSON. */
async function rowsNow(
  plan: TablePlan,
  repairs: readonly Pick<RecordedRepair, 'key'>[],
  { to }: UndoContext,
  run: DiffUndoRun,
): Promise<ReadonlyMap<string, Row>> {
  const { abort } = run.interrupt
  await using view = await to.source(abort)
  const range = { by: 'keys', keys: repairs.map(({ key }) => key) } as const
  const rows = await rowsByKey(view, targetRequest({ plan }, range), plan, abort)
  return new Map([...rows.values()].map((row) => [JSON.stringify(rowBound(plan, row)), row]))
}

/** True if the full name or its last part is listed, or if the list is empty. */
function isWanted(tables: readonly string[], name: string): boolean {
  return tables.length === 0 || tables.some((one) => one === name || name.endsWith(`.${one}`))
}

function totalsOf(undone: number, changed: number): Readonly<Record<string, string>> {
  return { undone: dec(undone), ...(changed === 0 ? {} : { changed: dec(changed) }) }
}
