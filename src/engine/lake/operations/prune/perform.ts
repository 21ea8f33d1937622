/** `prune`: removes old versions of tables from the catalog. The log is never changed. */
import { readableTable } from '../../../../catalog/catalog.ts'
import { waitForLease } from '../../../../catalog/import/lease-wait.ts'
import { releaseLease } from '../../../../catalog/lease.ts'
import { idleTables, type IdleTable } from '../../../../catalog/prune-idle.ts'
import { oldestKept, prunePlan, pruneTable, type Keep, type Pruned } from '../../../../catalog/prune.ts'
import type { RelationRowCounts } from '../../../../catalog/rollback.ts'
import { dec } from '../../../../model/run/event.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import type { SqlDatabase } from '../../../../model/run/sql-port.ts'
import {
  WAIT_MS,
  retryWhileLocked,
  withCatalog,
  withWritableCatalog,
  type WritableCatalog,
} from '../../catalog-session.ts'
import { runLeaseHolder } from '../../../run/holder.ts'
import { stoppedEnding, type TableError, tablesFailed } from '../../../run/stopped-ending.ts'
import { knownTables, namedLakeTables, type ImportedTable } from '../../import/known-tables.ts'
import { pathOfLocation } from '../../../../model/lake/lake-url.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { prune, PruneOperation } from './declaration.ts'

type PruneRun = RunOf<typeof prune>

type Named = ImportedTable & { readonly name: string }

/** Tables to prune, and tables that are left out. */
type ChosenTables = { readonly tables: readonly Named[]; readonly left: readonly Named[] }

const LEFT_OUT = 'left out: its import is not finished, or its rows were removed; import it again first'

export async function performPrune(operation: PruneOperation, run: PruneRun): Promise<Ending> {
  const { catalog: url, tables: names, dryRun } = operation
  const keep: Keep = 'versions' in operation.keep ? operation.keep : { sinceMs: run.clock.now() - operation.keep.forMs }
  const rows = new Map<string, number>()
  const patient = retryWhileLocked(run, operation.waitMs ?? WAIT_MS)
  const inspect = async (database: SqlDatabase): Promise<ChosenTables> => {
    const chosen = await chosenTables(database, names)
    if (!dryRun) return chosen
    for (const table of chosen.left) run.emit({ type: 'log', level: 'note', table: table.name, message: LEFT_OUT })
    for (const table of chosen.tables) addRows(rows, await reportPlan(database, table, keep, run))
    return chosen
  }
  const { tables, left } = await patient(() => withCatalog(url, inspect))
  const leftOut = left.length === 0 ? {} : { skipped: dec(left.length) }
  const totals = { tables: dec(tables.length + left.length), ...leftOut }
  if (dryRun) return { totals: { ...totals, ...totalsOf(rows) } }
  const body = async (catalog: WritableCatalog): Promise<Ending> => {
    const failures: TableError[] = []
    const whole = tables.flatMap(({ tableId, settled }) => (settled ? [tableId] : []))
    const idle = await idleTables(catalog.database, whole, keep)
    for (const table of tables) {
      if (run.interrupt.stop.aborted) break
      const kept = idle.get(table.tableId)
      if (kept !== undefined) {
        reportPruned(table, kept, { rows: [], ms: 0 }, run)
        continue
      }
      const result = await pruneOne(catalog, table, { keep, waitMs: operation.waitMs ?? WAIT_MS }, run)
      if (result instanceof SluiceError) failures.push({ name: table.name, error: result })
      else addRows(rows, result.rows)
    }
    for (const { name, location } of left) {
      const at = { type: 'table.finished', table: name, location: pathOfLocation(location) } as const
      run.emit({ ...at, status: 'skipped', ms: 0, notes: [LEFT_OUT] })
    }
    const all = { ...totals, failed: dec(failures.length), ...totalsOf(rows) }
    if (run.interrupt.stop.aborted || failures.some(({ error }) => error.kind === 'stopped'))
      return stoppedEnding(all, failures, tables.length)
    const [first] = failures
    if (first === undefined) return { totals: all }
    if (tables.length === 1) return { totals: all, error: first.error }
    return { totals: all, error: tablesFailed(`${failures.length} of ${tables.length} tables failed`) }
  }
  return withWritableCatalog(url, run, names.length === 0 ? 'all tables' : names.join(', '), body, patient)
}

/** Without names, selects all tables and leaves out tables that cannot be read. */
async function chosenTables(database: SqlDatabase, names: readonly string[]): Promise<ChosenTables> {
  const all = await tablesOf(database, names)
  const tables = names.length > 0 ? all : all.filter(({ settled }) => settled)
  return { tables, left: all.filter((table) => !tables.includes(table)) }
}

async function tablesOf(database: SqlDatabase, names: readonly string[]): Promise<readonly Named[]> {
  if (names.length > 0) return namedLakeTables(database, names)
  return (await knownTables(database)).map((table) => ({ ...table, name: table.tableId }))
}

/** Never rejects: an error is emitted and returned. */
async function pruneOne(
  { database, indexes }: WritableCatalog,
  { tableId, name, location }: Named,
  { keep, waitMs }: { readonly keep: Keep; readonly waitMs: number },
  run: PruneRun,
): Promise<Pruned | SluiceError> {
  const { clock, interrupt, emit } = run
  const begun = clock.ticks()
  const at = { type: 'table.finished', table: name, location: pathOfLocation(location) } as const
  const note = (message: string): void => emit({ type: 'log', level: 'note', table: name, message })
  const ms = (): number => Math.round(clock.ticks() - begun)
  try {
    const holder = runLeaseHolder(run)
    const waiting = { database, tableId, holder, clock, waitMs, interrupt, onNote: note }
    const lease = await waitForLease(waiting)
    try {
      const table = await readableTable(database, { tableId })
      const historyFrom = await oldestKept(database, table, keep)
      await indexes.ensure(tableId)
      const pruned = await pruneTable({ database, tableId, lease, abort: interrupt.abort }, historyFrom, clock.now())
      reportPruned({ name, location }, { latest: table.latest, historyFrom }, { rows: pruned.rows, ms: ms() }, run)
      return pruned
    } finally {
      await releaseLease(database, lease).catch(() => undefined)
    }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    emit({ ...at, status: error.kind === 'stopped' ? 'stopped' : 'failed', ms: ms(), error: error.info() })
    return error
  }
}

function reportPruned(
  { name, location }: Pick<Named, 'name' | 'location'>,
  { latest, historyFrom }: IdleTable,
  { rows, ms }: { readonly rows: RelationRowCounts; readonly ms: number },
  { emit }: PruneRun,
): void {
  const said =
    rows.length === 0
      ? `nothing to prune: the catalog already answers from v${historyFrom}`
      : `the catalog now answers from v${historyFrom}; removed ${listOf(rows)}`
  const at = { type: 'table.finished', table: name, location: pathOfLocation(location) } as const
  emit({ ...at, status: 'ok', version: dec(latest), historyFrom: dec(historyFrom), ms, notes: [said] })
}

async function reportPlan(database: SqlDatabase, table: Named, keep: Keep, run: PruneRun): Promise<RelationRowCounts> {
  const readable = await readableTable(database, { tableId: table.tableId })
  const { historyFrom, rows } = await prunePlan(database, table.tableId, await oldestKept(database, readable, keep))
  const message =
    rows.length === 0
      ? `nothing to prune: the catalog already answers from v${historyFrom}`
      : `the catalog would answer from v${historyFrom}, not v${readable.historyFrom}; rows to remove: ${listOf(rows)}; bytes unknown`
  run.emit({ type: 'log', level: 'note', table: table.name, message })
  return rows
}

function listOf(rows: RelationRowCounts): string {
  return rows.map(({ relation, rows: count }) => `${relation} ${count}`).join(', ')
}

function addRows(to: Map<string, number>, rows: RelationRowCounts): void {
  for (const { relation, rows: count } of rows) to.set(relation, (to.get(relation) ?? 0) + count)
}

function totalsOf(rows: ReadonlyMap<string, number>): Record<string, string> {
  return Object.fromEntries([...rows].map(([relation, count]) => [relation, dec(count)]))
}
