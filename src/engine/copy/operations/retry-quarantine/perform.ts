/** `retry-quarantine`: reads the quarantined rows of a copy from the source again, and writes them. */
import type { TablePlan } from '../../../../model/copy/plan.ts'
import { namedParts, tableText } from '../../../../model/copy/column-type.ts'
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { SourceView } from '../../../../model/copy/source-port.ts'
import { derivedTable, derivedView } from '../../../../stores/common/derived/index.ts'
import { failureKind } from '../../workers/failure.ts'
import { refuseUnknownTable } from '../../ledger/refuse-unknown.ts'
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
import { refuseFollowed, RETRY } from '../../ledger/refuse-followed.ts'
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
  const isMeant = ({ table }: { readonly table: TableKey }): boolean => {
    if (operation.table === undefined) return true
    const [schema, name] = namedParts(operation.table)
    return table.name === operation.table || (table.name === name && (schema === '' || table.schema === schema))
  }
  const rows = (await quarantined(database, runId)).filter(isMeant)
  const weak = (await openRechecks(database, runId)).filter(isMeant)
  const totals = { read: 0, written: 0, gone: 0, quarantined: 0, ...(weak.length === 0 ? {} : { rechecked: 0 }) }
  const [first] = [...rows, ...weak]
  if (first === undefined) {
    await refuseUnknownTable(database, { runId, table: operation.table ?? null }, to.label)
    return { totals: decimals(totals) }
  }
  await refuseFollowed(
    to,
    { database, signal: run.interrupt.abort },
    [...rows, ...weak].map(({ table }) => table),
    RETRY,
  )
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
  const planOf = (row: Pick<QuarantinedRow, 'table'>): Promise<ReplayContext> => {
    const name = `${row.table.schema}.${row.table.name}`
    const plan = plans.get(name) ?? planAgain(row, { from, view, to, targets, runs, signal: run.interrupt.abort })
    plans.set(name, plan)
    return plan
  }
  const around = { database, signal: run.interrupt.abort }
  for (const list of weak) {
    if (run.interrupt.stop.aborted) return { totals: decimals(totals), stopped: true }
    const again = await planOf(list)
    const { found, brought } = await recheck(list, again.plan, { ...around, view: again.view, to: again.to })
    totals.rechecked = (totals.rechecked ?? 0) + found + brought
    totals.written += brought
  }
  let last: SluiceError | null = null
  for (const row of rows) {
    if (run.interrupt.stop.aborted) return { totals: decimals(totals), stopped: true }
    try {
      const again = await planOf(row)
      const outcome = await replay(row, again.plan, { ...around, view: again.view, to: again.to })
      totals.read++
      totals[outcome]++
    } catch (thrown) {
      const { kind, error } = failureKind(thrown)
      if (kind !== 'row') throw thrown
      last = error
      totals.read++
      totals.quarantined++
      run.emit({ type: 'row.aside', table: row.table.name, chunk: '', key: row.key, error: error.info() })
    }
  }
  if (last === null) return { totals: decimals(totals) }
  const error = new SluiceError(
    'ROWS_ASIDE',
    `${totals.quarantined} of ${rows.length} quarantined rows were not written`,
    {
      reason: last.message,
      hint: 'correct them at the source, then run the same command again',
    },
  )
  return { totals: decimals(totals), error, next: run.commandLine }
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
  const plan = planTable(from, to, source, target, target.table, {
    ...options,
    rename: new Map(options.rename),
    onExisting: 'upsert',
    verify: 'chunk',
  })
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

function decimals(totals: Readonly<Record<string, number>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(totals).map(([name, value]) => [name, dec(value)]))
}

function noLedger(label: string): SluiceError {
  return new SluiceError('NO_SUCH_TABLE', 'the target has no ledger of copies', {
    where: label,
    hint: 'name the target of the copy with --to',
  })
}
