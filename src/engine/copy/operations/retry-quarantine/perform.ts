/** `retry-quarantine`: reads the quarantined rows of a copy from the source again, and writes them. */
import type { TablePlan } from '../../../../model/copy/plan.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { dec } from '../../../../model/run/event.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import { countText } from '../../../../shared/figures.ts'
import { givenFields } from '../../../../shared/given-fields.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { SourceView } from '../../../../model/copy/source-port.ts'
import { derivedTable, derivedView } from '../../../../stores/common/derived/index.ts'
import { failureKind } from '../../workers/failure.ts'
import { refuseUnknownTable, tablesCalled } from '../../ledger/refuse-unknown.ts'
import { quarantined, type QuarantinedRow } from '../../ledger/quarantine.ts'
import { tableOfKey, type TableKey } from '../../ledger/owner.ts'
import { openRechecks } from '../../ledger/rechecks.ts'
import { replay } from '../../quarantine/replay.ts'
import { recheck } from '../../compat/script/recheck.ts'
import { RunLedger } from '../../ledger/runs.ts'
import { hasLedger, prepareLedger } from '../../ledger/schema.ts'
import { openExisting, openSourceStore } from '../../open-stores.ts'
import { onSide } from '../../sides.ts'
import { planTable } from '../../plan/table-plan.ts'
import type { TableOptions } from '../../plan/table-options.ts'
import type { TimeOptions } from '../../diff/times.ts'
import { refuseAllFollowed, refuseFollowed, RETRY } from '../../ledger/refuse-followed.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { retryQuarantine, RetryQuarantineOperation } from './declaration.ts'

type RetryQuarantineRun = RunOf<typeof retryQuarantine>

export async function performRetryQuarantine(
  operation: RetryQuarantineOperation,
  run: RetryQuarantineRun,
): Promise<Ending> {
  await using to = await onSide('target', () => openExisting(operation.to))
  await using database = await to.ledger()
  if (!(await hasLedger(database))) throw noLedger(to.label)
  await prepareLedger(database)
  const runs = new RunLedger(database, { ...run.owner, runId: BigInt(run.runId) })
  const runId = operation.runId === undefined ? null : BigInt(operation.runId)
  const meant = operation.table === undefined ? null : await tablesCalled(database, operation.table)
  const isMeant = ({ table: { schema, name } }: { readonly table: TableKey }): boolean =>
    meant === null || meant.some((one) => one.schema === schema && one.name === name)
  const rows = (await quarantined(database, runId)).filter(isMeant)
  const weak = (await openRechecks(database, runId)).filter(isMeant)
  const totals = { read: 0, written: 0, gone: 0, quarantined: 0, ...(weak.length === 0 ? {} : { rechecked: 0 }) }
  const [first] = [...rows, ...weak]
  if (first === undefined) {
    await refuseUnknownTable(database, { runId, table: operation.table ?? null }, to.label)
    return { totals: decimals(totals) }
  }
  const tables = new Map([...rows, ...weak].map(({ table }) => [tableText(tableOfKey(table)), table]))
  const around = { database, signal: run.interrupt.abort }
  await refuseAllFollowed(to, around, [...tables.values()], RETRY)
  const sourceUrl = operation.from ?? (await runs.sourceOf(first.runId))
  if (sourceUrl === null) {
    throw new SluiceError('BAD_FLAG', 'the ledger does not record the source of these rows', {
      hint: 'name the source with --from',
    })
  }
  await using from = await openSourceStore(sourceUrl)
  await using view = await from.source(run.interrupt.abort)
  await using targets = new TimedTargets(operation.to, to)
  const plans = new Map<string, Promise<ReplayContext>>()
  const planNow = async (row: Pick<QuarantinedRow, 'table'>): Promise<ReplayContext> => {
    await refuseFollowed(to, around, [row.table], RETRY)
    return await planAgain(row, { from, view, to, targets, runs, signal: run.interrupt.abort })
  }
  const planOf = (row: Pick<QuarantinedRow, 'table'>): Promise<ReplayContext> => {
    const name = `${row.table.schema}.${row.table.name}`
    const plan = plans.get(name) ?? planNow(row)
    plans.set(name, plan)
    return plan
  }
  const left = new LeftTables()
  for (const list of weak) {
    if (run.interrupt.stop.aborted) return { totals: decimals(totals), stopped: true }
    const again = await left.unlessRefused(list, () => planOf(list), list.keys.length)
    if (again === null) continue
    const { found, brought } = await recheck(list, again.plan, { ...around, view: again.view, to: again.to })
    totals.rechecked = (totals.rechecked ?? 0) + found + brought
    totals.written += brought
  }
  let last: SluiceError | null = null
  for (const row of rows) {
    if (run.interrupt.stop.aborted) return { totals: decimals(totals), stopped: true }
    const again = await left.unlessRefused(row, () => planOf(row))
    if (again === null) {
      totals.quarantined++
      continue
    }
    try {
      const outcome = await replay(row, again.plan, { ...around, view: again.view, to: again.to })
      totals.read++
      totals[outcome]++
    } catch (thrown) {
      const { kind, error } = failureKind(thrown)
      const isKeyless = error.code === 'UNSUPPORTED_KEY'
      if (kind !== 'row' && !isKeyless) throw thrown
      totals.quarantined++
      if (isKeyless) {
        left.add(row, error)
        continue
      }
      last = error
      totals.read++
      run.emit({ type: 'row.aside', table: row.table.name, chunk: '', key: row.key, error: error.info() })
    }
  }
  left.report(run)
  const error = endError(left, last, { open: totals.quarantined, rows: rows.length, tables: tables.size })
  if (error === null) return { totals: decimals(totals) }
  return { totals: decimals(totals), error, ...(last === null ? {} : { next: run.commandLine }) }
}

/** @param last error of the last row that was refused; null if none was */
function endError(
  left: LeftTables,
  last: SluiceError | null,
  { open, rows, tables }: { readonly open: number; readonly rows: number; readonly tables: number },
): SluiceError | null {
  const [first] = left.tables
  if (first === undefined && last === null) return null
  // The error of the only table says more than a summary.
  if (first !== undefined && last === null && tables === 1) return first.error
  const correct = 'correct them at the source, then run the same command again'
  const names = left.tables.map(({ name, rows: some }) => `${countText(some, 'row')} of ${name}`)
  const cannot = names.length === 0 ? '' : `; not retried: ${names.join(', ')}`
  const hints = [...(last === null ? [] : [correct]), ...(names.length === 0 ? [] : [left.hint])]
  return new SluiceError('ROWS_ASIDE', `${open} of ${rows} quarantined rows were not written${cannot}`, {
    reason: (last ?? first?.error)?.message ?? '',
    hint: hints.join('; '),
  })
}

/** Tables with rows that cannot be retried: the rows of other tables are retried all the same. */
class LeftTables {
  readonly hint = 'the log names what to do for each table that was not retried'
  readonly #tables = new Map<string, { rows: number; readonly error: SluiceError }>()

  get tables(): readonly { readonly name: string; readonly rows: number; readonly error: SluiceError }[] {
    return [...this.#tables].map(([name, { rows, error }]) => ({ name, rows, error }))
  }

  add({ table }: { readonly table: TableKey }, error: SluiceError, rows = 1): void {
    const name = tableText(tableOfKey(table))
    const before = this.#tables.get(name)
    if (before === undefined) this.#tables.set(name, { rows, error })
    else before.rows += rows
  }

  /** @param body plans the table @returns null if the table is refused; its rows then count as left */
  async unlessRefused<T>(of: { readonly table: TableKey }, body: () => Promise<T>, rows = 1): Promise<T | null> {
    try {
      return await body()
    } catch (thrown) {
      const { kind, error } = failureKind(thrown)
      if (kind !== 'table' || error.code === 'INTERNAL') throw thrown
      this.add(of, error, rows)
      return null
    }
  }

  report(run: RetryQuarantineRun): void {
    for (const { name, rows, error } of this.tables) {
      const { message, hint } = error
      const text = `${countText(rows, 'row')} of ${name} cannot be retried: ${message}`
      run.emit({ type: 'log', level: 'error', table: name, message: text, ...givenFields({ hint }) })
    }
  }
}

/** A plan, the read view of the source that belongs to the plan, and the target with the options of the copy. */
type ReplayContext = { readonly plan: TablePlan; readonly view: SourceView; readonly to: CopyStore }

/** The target, opened once more for each table whose copy sets write times or TTLs itself. */
class TimedTargets implements AsyncDisposable {
  readonly #url: string
  readonly #to: CopyStore
  readonly #opened: CopyStore[] = []

  constructor(url: string, to: CopyStore) {
    this.#url = url
    this.#to = to
  }

  async of(times: TimeOptions | undefined): Promise<CopyStore> {
    if (times === undefined) return this.#to
    const store = await onSide('target', () => openExisting(this.#url, { cassandra: times }))
    this.#opened.push(store)
    return store
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#opened) await store[Symbol.asyncDispose]()
  }
}

/** The plan of the copy that quarantined the row. */
async function planAgain(
  row: Pick<QuarantinedRow, 'table'>,
  replayContext: {
    readonly from: CopyStore
    readonly view: SourceView
    readonly to: CopyStore
    readonly targets: TimedTargets
    readonly runs: RunLedger
    readonly signal: AbortSignal
  },
): Promise<ReplayContext> {
  const { from, view, to, targets, runs, signal } = replayContext
  const stored = await runs.plan(row.table)
  const name = tableText(tableOfKey(row.table))
  const [found] = stored === null ? [] : await from.tables(stored.sourceTable, signal)
  const [target] = await to.tables(name, signal)
  if (stored === null || found === undefined || target === undefined) {
    throw new SluiceError(
      'NO_SUCH_TABLE',
      `quarantined rows of ${name} cannot be retried: the source table, the target table or the plan of the copy no longer exists`,
      {
        hint: 'if both tables exist, run sluice diff --fix, which does not need the plan',
      },
    )
  }
  const options = JSON.parse(stored.wishes) as Omit<TableOptions, 'rename'> & {
    readonly rename: readonly [string, string][]
  }
  const { derived = {} } = options
  const source = derivedTable(found, derived, from.system)
  const essence = JSON.parse(stored.plan) as Readonly<Record<string, unknown>>
  const { source: database, 'table identity': identity, columns: copied } = essence
  if (database !== from.identity || identity !== source.identity) {
    throw new SluiceError('PLAN_CHANGED', `${stored.sourceTable} is not the table that was copied`, {
      where: from.label,
      hint: 'name the source of the copy with --from',
    })
  }
  const plan = withRetryHint(() =>
    planTable(from, to, source, target, target.table, {
      ...options,
      rename: new Map(options.rename),
      onExisting: 'upsert',
      verify: 'chunk',
    }),
  )
  // A copy that an older version started has no values of generated columns.
  const isCopied = (column: string): boolean =>
    (copied as readonly string[]).some((text) => text.startsWith(`${column} -> `))
  const columns = plan.columns.filter((one) => one.source.generated !== true || isCopied(one.from))
  return {
    plan: { ...plan, columns, onExisting: options.onExisting },
    view: derivedView(view, found, derived, from.system),
    to: await targets.of(options.times),
  }
}

/** The hints of a copy on keys name options that a retry does not have. */
function withRetryHint(body: () => TablePlan): TablePlan {
  try {
    return body()
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.code !== 'UNSUPPORTED_KEY') throw thrown
    throw new SluiceError(error.code, error.message, {
      reason: 'a retry needs a primary key in the target, of the columns that are the key at the source',
      hint: 'give the table of the target this key and run the same command again; or correct the rows at the source, empty the table of the target, and run the copy of this table again with --restart',
      cause: error,
    })
  }
}

function decimals(totals: Readonly<Record<string, number>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(totals).map(([name, value]) => [name, dec(value)]))
}

function noLedger(label: string): SluiceError {
  return new SluiceError('NO_SUCH_TABLE', 'the target has no ledger of copies', {
    where: label,
    hint: 'name the target of the copy with --to',
  })
}
