/** `sync`: imports new commits of tables that are in the catalog, once or until stopped. */
import { checkCatalog } from '../../../../catalog/catalog.ts'
import { dec } from '../../../../model/run/event.ts'
import { asSluiceError, errorLine, SluiceError } from '../../../../shared/errors.ts'
import type { SqlDatabase } from '../../../../model/run/sql-port.ts'
import {
  WAIT_MS,
  retryWhileLocked,
  withCatalog,
  withWritableCatalog,
  type WritableCatalog,
} from '../../catalog-session.ts'
import { inWorkers } from '../../in-workers.ts'
import { knownTables, namedLakeTables, type ImportedTable } from '../../import/known-tables.ts'
import { logFolder, syncTable, reportCurrent, type ComparedImports, type Synced } from '../../import/sync-one.ts'
import { stoppedEnding, tablesFailed } from '../../../run/stopped-ending.ts'
import { LogWatch } from '../../watch.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { sync, SyncOperation } from './declaration.ts'
import { countText } from '../../../../shared/figures.ts'

type SyncRun = RunOf<typeof sync>

type Named = ImportedTable & { readonly name: string }
type Outcomes = Map<string, Synced>

/** Table statistics are updated after this many actions. */
const ACTIONS_A_FINISH = 10_000

export async function performSync(operation: SyncOperation, run: SyncRun): Promise<Ending> {
  const { catalog: url, tables, watch } = operation
  // Check the names first: a mistyped URL must not create a catalog, and a mistyped table must not start a run.
  const patient = retryWhileLocked(run, operation.waitMs ?? WAIT_MS)
  await patient(() => withCatalog(url, (database) => tablesOf(database, tables)))
  const subject = tables.length === 0 ? 'all tables' : tables.join(', ')
  const body = async (catalog: WritableCatalog): Promise<Ending> => {
    const proved: ComparedImports = new Map()
    const outcomes: Outcomes = new Map()
    const listed = await tablesOf(catalog.database, tables)
    if (watch) return watchTables(catalog, listed, proved, operation, run)
    await syncRound(catalog, listed, proved, outcomes, operation, run)
    const actions = [...outcomes.values()].reduce((sum, one) => sum + one.actions, 0)
    // A few commits do not outdate the statistics. Always finish after a resumed import, because indexes may be
    // missing.
    if (actions >= ACTIONS_A_FINISH || listed.some(({ settled }) => !settled)) await catalog.indexes.finish()
    return endOf(listed, outcomes, tables.length === 1, run)
  }
  return withWritableCatalog(url, run, subject, body, patient)
}

/** @throws SluiceError NOT_A_CATALOG, NO_SUCH_TABLE */
async function tablesOf(database: SqlDatabase, names: readonly string[]): Promise<readonly Named[]> {
  await checkCatalog(database)
  if (names.length > 0) return namedLakeTables(database, names)
  return (await knownTables(database)).map((table) => ({ ...table, name: table.tableId }))
}

/**
 * The watched tables, read again from the catalog: the named tables, even if their folders were moved, or all tables.
 */
async function tablesNow(
  database: SqlDatabase,
  listed: readonly Named[],
  { tables }: SyncOperation,
): Promise<readonly Named[]> {
  if (tables.length === 0) return tablesOf(database, [])
  const names = new Map(listed.map(({ tableId, name }) => [tableId, name]))
  const left = (await knownTables(database)).flatMap((table) => {
    const name = names.get(table.tableId)
    return name === undefined ? [] : [{ ...table, name }]
  })
  if (left.length > 0) return left
  throw new SluiceError('NO_SUCH_TABLE', 'the watched tables are no longer in the catalog', {
    hint: 'import them again, or watch --all',
  })
}

/** Checks each of these tables once, several at a time. */
async function syncRound(
  catalog: WritableCatalog,
  tables: readonly Named[],
  proved: ComparedImports,
  outcomes: Outcomes,
  { tables: names, batchSize, parallel, waitMs = WAIT_MS }: SyncOperation,
  run: SyncRun,
): Promise<void> {
  const isNamed = names.length > 0
  await inWorkers(tables, parallel, run, async (table, worker) => {
    const begun = run.clock.ticks()
    const result = await syncTable(catalog, table, proved, { batchSize, worker, waitMs, isNamed }, run)
    // An import has emitted its own event; a table without new commits has not.
    if (!result.reported) reportCurrent(table, run.clock.ticks() - begun, run)
    outcomes.set(table.tableId, result)
  })
}

async function watchTables(
  catalog: WritableCatalog,
  listed: readonly Named[],
  proved: ComparedImports,
  operation: SyncOperation,
  run: SyncRun,
): Promise<Ending> {
  const { stop } = run.interrupt
  const outcomes: Outcomes = new Map()
  const note = (message: string): void => run.emit({ type: 'log', level: 'note', message })
  const quiet = { ...run, emit: onceEach(run.emit, operation.alert !== undefined) }
  using logs = new LogWatch(operation.intervalMs, note)
  note(`watching ${countText(listed.length, 'table')}; stop with ctrl-c`)
  let tables = listed
  let loaded = ACTIONS_A_FINISH
  let isAway = false
  for (let due: ReadonlySet<string> | null = null; !stop.aborted; due = await logs.next(stop)) {
    try {
      tables = await tablesNow(catalog.database, listed, operation)
      logs.follow(foldersOf(tables))
      const chosen = due
      const some = chosen === null ? tables : tables.filter(({ tableId }) => chosen.has(tableId))
      await syncRound(catalog, some, proved, outcomes, operation, quiet)
      for (const { tableId } of some) loaded += outcomes.get(tableId)?.actions ?? 0
      if (loaded >= ACTIONS_A_FINISH) {
        await catalog.indexes.finish()
        loaded = 0
      }
      const here = new Set(tables.map(({ tableId }) => tableId))
      for (const seen of [outcomes, proved]) for (const id of seen.keys()) if (!here.has(id)) seen.delete(id)
      if (isAway) quiet.emit({ type: 'log', level: 'note', catalog: 'back', message: 'the catalog answers again' })
      isAway = false
    } catch (thrown) {
      const error = asSluiceError(thrown)
      // Retry while the catalog does not answer. Other errors end the watch, such as a named table that is gone.
      if (error.kind !== 'target') throw error
      const isBusy = error.code === 'TARGET_BUSY'
      isAway ||= !isBusy
      const message = `${errorLine(error.info())}; trying again`
      quiet.emit({ type: 'log', level: 'warn', ...(isBusy ? {} : { catalog: 'away' }), message })
    }
  }
  await catalog.indexes.finish()
  // A watch always ends by a stop, and has reported each failure when it occurred.
  return { totals: totalsOf(tables.length, outcomes), stopped: true }
}

function foldersOf(tables: readonly Named[]): ReadonlyMap<string, string> {
  return new Map(
    tables.flatMap((table) => {
      const folder = logFolder(table)
      return folder === null ? [] : [[table.tableId, folder] as const]
    }),
  )
}

/**
 * Filters events of a watch: tables that are current are not reported, and a table's problem is reported once until it
 * changes.
 * @param firstToo true to report each table once even if it is current: an alert of an earlier run may still be open
 */
function onceEach(emit: SyncRun['emit'], firstToo: boolean): SyncRun['emit'] {
  const reported = new Map<string, string>()
  return (event) => {
    if (event.type === 'table.finished' || event.type === 'log') {
      // A table that was reported as failed is reported when it is current again.
      const isQuiet = event.type === 'table.finished' && event.status === 'current'
      const key = `${event.type} ${event.table ?? ''}`
      const before = reported.get(key)
      if (isQuiet && !(before === undefined ? firstToo : /^(?:failed|refused) /.test(before))) return
      const text =
        event.type === 'log'
          ? event.message
          : `${event.status} ${event.error?.code ?? ''} ${event.error?.message ?? ''}`
      const isNews = event.type === 'table.finished' && event.status === 'ok'
      if (!isNews && before === text) return
      reported.set(key, text)
    }
    emit(event)
  }
}

const countOf = (outcomes: Outcomes, status: Synced['status']): number =>
  [...outcomes.values()].filter((one) => one.status === status).length

function totalsOf(tables: number, outcomes: Outcomes): Ending['totals'] {
  const all = [...outcomes.values()]
  const skipped = countOf(outcomes, 'skipped')
  return {
    tables: dec(tables),
    ok: dec(countOf(outcomes, 'ok')),
    current: dec(countOf(outcomes, 'current')),
    failed: dec(countOf(outcomes, 'failed')),
    refused: dec(countOf(outcomes, 'refused')),
    ...(skipped === 0 ? {} : { skipped: dec(skipped) }),
    behind: dec(all.reduce((sum, { behind }) => sum + (behind ?? 0), 0)),
    actions: dec(all.reduce((sum, { actions }) => sum + actions, 0)),
  }
}

function endOf(tables: readonly Named[], outcomes: Outcomes, alone: boolean, run: SyncRun): Ending {
  const totals = totalsOf(tables.length, outcomes)
  const all = [...outcomes.values()]
  if (run.interrupt.stop.aborted || countOf(outcomes, 'stopped') > 0) {
    const failures = tables.flatMap(({ tableId, name }) => {
      const error = outcomes.get(tableId)?.error ?? null
      return error === null ? [] : [{ name, error }]
    })
    return stoppedEnding(totals, failures, tables.length)
  }
  const errors = all.flatMap(({ error }) => (error === null ? [] : [error]))
  const first = errors.find((error) => error.kind === 'target' && error.code !== 'TARGET_BUSY') ?? errors[0]
  if (first === undefined) return { totals }
  if (alone || (first.kind === 'target' && first.code !== 'TARGET_BUSY')) return { totals, error: first }
  const refused = countOf(outcomes, 'refused')
  const more = refused > 0 ? `, ${refused} refused` : ''
  return { totals, error: tablesFailed(`${countOf(outcomes, 'failed')} of ${tables.length} tables failed${more}`) }
}
