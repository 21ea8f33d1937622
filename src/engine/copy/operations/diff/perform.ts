/** `diff`: compares tables of two stores key by key; `--fix` repairs the target, and `--undo` undoes a repair. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { dec } from '../../../../model/run/event.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import type { SourceView } from '../../../../model/copy/source-port.ts'
import { derivedStore } from '../../../../stores/common/derived/index.ts'
import { refusedForDeletion } from '../../again/delete-extra.ts'
import { copiedTable } from '../../diff/copied-table.ts'
import { mayHaveExpired } from '../../diff/expiry.ts'
import { unexplainedCounts } from '../../diff/explained.ts'
import { addOutcome, NO_OUTCOME, openOf, type DiffCounts } from '../../diff/outcome.ts'
import { diffPlain } from '../../diff/plain-table.ts'
import { diffRing } from '../../diff/ring-table.ts'
import { DifferenceProcessor, type RepairContext, type ProcessOptions } from '../../diff/process-differences.ts'
import { ComparedKeys } from '../../diff/compared-keys.ts'
import { comparesLifetimes, findsByKey, type DiffSides } from '../../diff/sides.ts'
import { begunPlans } from '../../ledger/begun-plans.ts'
import { tableKeyOf, type RunOwner, type TableKey } from '../../ledger/owner.ts'
import { newRunRow, RunLedger } from '../../ledger/runs.ts'
import { hasLedger, prepareLedger } from '../../ledger/schema.ts'
import { openCopyStore, openExisting, openSourceStore, storeOptions } from '../../open-stores.ts'
import { retryMsOf } from '../../workers/failure.ts'
import { openWithRetries, withRetries } from '../../workers/retries.ts'
import { onSide } from '../../sides.ts'
import { planCopy, type PlannedCopy, type PlannedTable, type Planner } from '../../plan/plan-copy.ts'
import { hashOfFields } from '../../plan/plan-hash.ts'
import { recorded } from '../../run-record.ts'
import { SourceViews } from '../../source-views.ts'
import { followedRepairHint, refuseFollowed } from '../../ledger/refuse-followed.ts'
import type { CassandraOptions } from '../copy/option-types.ts'
import type { CopyOperation } from '../copy/declaration.ts'
import type { DiffOperation } from './declaration.ts'
import { asCopiedNotes, countsText, differText, hintFor, lossyNotes } from './texts.ts'
import type { Ending } from '../../../run/run-context.ts'
import { stoppedEnding, type TableError } from '../../../run/stopped-ending.ts'
import type { DiffRun } from '../../diff/diff-run.ts'
import { givenFields } from '../../../../shared/given-fields.ts'

export async function performDiff(operation: DiffOperation, run: DiffRun): Promise<Ending> {
  const writes = operation.fix || operation.track !== undefined
  const { stop } = run.interrupt
  const options = storeOptions(run)
  await using from = derivedStore(
    await openWithRetries(
      () => openSourceStore(operation.from, operation.cassandra, options),
      { emit: run.emit },
      stop,
    ),
    operation,
  )
  const request = {
    ...options,
    ...(operation.cassandra === undefined ? {} : { cassandra: writing(operation.cassandra) }),
  }
  await using to = await openWithRetries(
    () =>
      onSide('target', () =>
        writes ? openExisting(operation.to, request) : openCopyStore(operation.to, { mode: 'read', ...request }),
      ),
    { emit: run.emit },
    stop,
  )
  await using known = writes ? await to.ledger() : await readableLedger(to, run)
  const database = writes ? known : null
  const runId = BigInt(run.runId)
  const owner = { ...run.owner, runId }
  const runs = database === null ? null : new RunLedger(database, owner)
  if (database !== null) await prepareLedger(database)
  const row = newRunRow(run, 'diff', [operation.from, operation.to])
  return await recorded(runs, row, run.interrupt, () =>
    diffAll(operation, { from, to, database, known, runId, owner }, run),
  )
}

async function diffAll(operation: DiffOperation, stores: Stores, run: DiffRun): Promise<Ending> {
  const { from, to } = stores
  const { abort, stop } = run.interrupt
  const again: Planner['again'] = (body) => withRetries(body, { emit: run.emit, retryMs: retryMsOf(from, to) }, stop)
  await using views = new SourceViews(from, abort)
  await again(() => views.current())
  const { tables } = await planned(operation, stores, { views, again, signal: abort }, run)
  const source = await again(() => views.current())
  run.emit({
    type: 'plan.ready',
    hash: hashOfFields(tables.map(({ plan, error }) => plan?.hash ?? error?.code)),
    tables: dec(tables.length),
    chunks: '0',
    unit: 'row',
    total: dec(tables.reduce((all, { extent }) => all + extent.rows, 0n)),
    estimated: tables.some(({ extent }) => !extent.exact),
    bytes: '0',
    excluded: [],
  })
  await using target = await again(() => to.source(abort))
  const sum = { ...NO_OUTCOME }
  const all: Compared = { sum, failures: [], tables: tables.length, equal: 0, differing: [], expired: false }
  for (const table of tables) {
    if (stop.aborted || !(await compareTable(operation, table, { ...stores, source, target }, run, all))) break
  }
  return await endOf(all, operation, stores, run)
}

async function planned(
  operation: DiffOperation,
  { from, to, database, known }: Stores,
  planner: Planner,
  { interrupt }: DiffRun,
): Promise<PlannedCopy> {
  const found = await planCopy(requests(operation), from, to, {
    ...planner,
    purpose: operation.fix ? 'mend' : 'compare',
    ...(known === null ? {} : { begun: begunPlans(known) }),
  })
  if (operation.fix && database !== null) {
    const keys = found.tables.map(({ targetName }) => tableKeyOf(targetName))
    await refuseFollowed(to, { database, signal: interrupt.abort }, keys)
  }
  return operation.deleteExtra ? refusedForDeletion(found) : found
}

/** Results of all tables so far. */
type Compared = {
  readonly sum: DiffCounts
  readonly failures: TableError[]
  readonly tables: number
  equal: number
  /** Tables of the target that differ. */
  readonly differing: TableKey[]
  /** True if rows that only the target has may have expired in the source. */
  expired: boolean
}

/** Compares one table; its error does not end the run. @returns false if stopped before a difference was found */
async function compareTable(
  operation: DiffOperation,
  table: PlannedTable,
  openedViews: OpenedViews,
  run: DiffRun,
  all: Compared,
): Promise<boolean> {
  const begun = run.clock.ticks()
  const name = tableText(table.source.table)
  try {
    if (table.plan === null) throw table.error
    if (table.plan.create)
      throw new SluiceError('NO_SUCH_TABLE', `the target has no table ${tableText(table.targetName)}`, {
        hint: 'copy the table first, or name the table of the target with --to-table',
      })
    const { outcome, error } = await diffTable(operation, table, openedViews, run)
    addOutcome(all.sum, outcome)
    all.expired ||= outcome.extra > 0n && mayHaveExpired(table.plan)
    if (error !== undefined) throw error
    const open = openOf(outcome)
    if (open === 0n) {
      // A stopped comparison must not be reported as equal.
      if (run.interrupt.stop.aborted) return false
      const lost = unexplainedCounts(name, outcome)
      if (lost !== null) throw lost
      all.equal++
    } else all.differing.push(tableKeyOf(table.targetName))
    run.emit({
      type: 'table.finished',
      table: name,
      status: open === 0n ? 'ok' : 'failed',
      ms: Math.round(run.clock.ticks() - begun),
      notes: [countsText(outcome, operation), ...asCopiedNotes(table, operation), ...lossyNotes(table.plan)],
    })
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.kind === 'stopped') throw thrown
    all.failures.push({ name, error })
    const ms = Math.round(run.clock.ticks() - begun)
    run.emit({ type: 'table.finished', table: name, status: 'failed', ms, error: error.info() })
  }
  return true
}

async function endOf(all: Compared, operation: DiffOperation, { to, known }: Stores, run: DiffRun): Promise<Ending> {
  const { sum, failures, differing } = all
  if (sum.fixed > 0n) {
    const message = `the replaced rows are kept: sluice diff --undo ${run.runId} undoes the repair`
    run.emit({ type: 'log', level: 'note', message })
  }
  const totals = totalsOf(all)
  if (run.interrupt.stop.aborted) return stoppedEnding(totals, failures, all.tables)
  const errors = failures.map(({ error }) => error)
  // Report an internal error first, even if other tables failed for other reasons.
  const failed = errors.find(({ code }) => code === 'INTERNAL') ?? errors[0]
  // A table that could not be compared must not be reported as equal.
  if (failed !== undefined) return { totals, error: failed }
  const open = openOf(sum)
  if (open === 0n) return { totals }
  const followed = operation.fix ? null : await followedHint(to, known, differing, run)
  const hint = hintFor(operation, sum, run.commandLine, { followed, expired: all.expired })
  return { totals, error: new SluiceError('DIFFERENCES', differText(sum, open), { hint }) }
}

/** How to repair tables of a stream; null if there is none, or if this cannot be read: the result is known already. */
async function followedHint(
  to: CopyStore,
  known: LedgerDatabase | null,
  differing: readonly TableKey[],
  { interrupt }: DiffRun,
): Promise<string | null> {
  if (known === null) return null
  try {
    return await followedRepairHint(to, { database: known, signal: interrupt.abort }, differing)
  } catch (thrown) {
    if (asSluiceError(thrown).kind === 'stopped') throw thrown
    return null
  }
}

type Stores = Omit<RepairContext, 'from'> & {
  readonly from: CopyStore
  readonly owner: RunOwner
  /** Ledger that has the copies of the tables; null if there is none. */
  readonly known: LedgerDatabase | null
}

type OpenedViews = Stores & {
  readonly source: SourceView
  readonly target: SourceView
}

async function diffTable(
  operation: DiffOperation,
  one: PlannedTable,
  { source, target, ...stores }: OpenedViews,
  run: DiffRun,
): Promise<{ readonly outcome: DiffCounts; readonly error?: SluiceError }> {
  const { plan, extent, ring } = one
  if (plan === null) throw one.error
  const { from, database, owner } = stores
  const copied = operation.fix && database !== null ? await copiedTable(one, from.identity, database, owner) : null
  const lifetimes = comparesLifetimes(plan, operation.cassandra)
  const met = findsByKey(plan) ? {} : { met: new ComparedKeys().pass() }
  const sides: DiffSides = { plan, source, target, signal: run.interrupt.abort, ...lifetimes, ...met }
  const reported = copied === null ? {} : { settled: copied.settled.bind(copied) }
  const processor = new DifferenceProcessor(settleOptions(operation), sides, { ...stores, ...reported }, run)
  if (ring !== null) return await diffRing({ operation, table: one, ring, sides, processor, stores, copied, run })
  const found = await diffPlain(operation, sides, extent, processor, copied, run)
  await copied?.note()
  return found
}

function settleOptions({ fix, limit, deleteExtra, ...operation }: DiffOperation): ProcessOptions {
  const { fixOnly, fixCounters, overwriteNewer, cassandra } = operation
  const repair = {
    deleteExtra,
    replaceRespelled: deleteExtra,
    ...givenFields({ only: fixOnly, counters: fixCounters, overwriteNewer }),
    times: cassandra ?? {},
  }
  return { fix, limit, repair, isRepeated: true }
}

/** Leaves out `timesOf` and `livesOf`, which the repair applies value by value. */
function writing({ timesOf, livesOf, ...others }: CassandraOptions): CassandraOptions {
  void timesOf
  void livesOf
  return others
}

function requests(operation: DiffOperation): CopyOperation {
  const { from, to, tables, exclude, toSchema, toTable, columns, rename, where, key, workers } = operation
  const { ring, constants, explodeMap, codecs, cassandra } = operation
  return {
    kind: 'copy',
    from,
    to,
    tables,
    rename,
    ...givenFields({ exclude, toSchema, toTable, columns, where, key, ring, constants, explodeMap, codecs, cassandra }),
    workers,
    onExisting: 'append',
    acceptLossy: [],
    acceptAllLossy: true,
    verify: 'chunk',
    maxAside: 0,
    restart: false,
    dryRun: true,
  }
}

/** Counts that are shown only if above 0. */
const RARE: ReadonlySet<string> = new Set<keyof DiffCounts>(['newer', 'errors'])

function totalsOf({ sum, tables, equal }: Compared): Readonly<Record<string, string>> {
  return {
    tables: dec(tables),
    ok: dec(equal),
    ...Object.fromEntries(
      Object.entries(sum)
        .filter(([name, value]) => value > 0n || !RARE.has(name))
        .map(([name, value]) => [name, dec(value)]),
    ),
  }
}

/** The ledger of the target, for reading; null if it has none that this login can read. */
async function readableLedger(to: CopyStore, run: DiffRun): Promise<LedgerDatabase | null> {
  let ledger: LedgerDatabase | null = null
  try {
    ledger = await to.ledger()
    if (await hasLedger(ledger)) return ledger
  } catch (thrown) {
    const { kind, message } = asSluiceError(thrown)
    if (kind === 'stopped') throw thrown
    const text = `columns are compared by their names, because the ledger of the target cannot be read: ${message}`
    run.emit({ type: 'log', level: 'note', message: text })
  }
  await ledger?.[Symbol.asyncDispose]()
  return null
}
