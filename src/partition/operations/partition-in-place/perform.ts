/** `partition in-place`: a table too large to store twice becomes the first partition of a new one with its name. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import type { PartitionStepEvent } from '../../../model/partition/events.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type {
  InPlaceFacts,
  InPlaceLimits,
  InPlacePlan,
  InPlaceStore,
  InPlaceSwitched,
  SliceRequest,
} from '../../../model/partition/in-place-port.ts'
import type { PartitionPlanStore, PlanFinding } from '../../../model/partition/plan-port.ts'
import { openExisting } from '../../../engine/copy/open-stores.ts'
import { inPlaceRequest, refuseSameNames, sliceRequest, type InPlaceAsked } from '../../in-place-plan.ts'
import { phaseFindings } from '../../in-place-phases.ts'
import { oneSourceTable } from '../../../archive/work/each-table.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { partitionInPlace, PartitionInPlaceOperation } from './declaration.ts'
import { refusedError, reportFindings } from '../../plan-findings.ts'

type Run = RunOf<typeof partitionInPlace>

type InPlaceContext = {
  readonly store: CopyStore
  readonly inPlace: InPlaceStore
  readonly plan: PartitionPlanStore
  readonly table: TableSpec
  /** Name of the table, as printed. */
  readonly name: string
  readonly limits: InPlaceLimits
  readonly report: (step: PartitionStepEvent['step'], status: PartitionStepEvent['status'], detail: string) => void
}

/**
 * @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, BAD_FLAG, UNSUPPORTED_URL, MISSING_CONFIRM, PARTITION_REFUSED,
 * TABLE_REFUSED, PLAN_CHANGED, TARGET_BUSY, TARGET_DENIED, SOURCE_GONE, STOPPED
 */
export async function performPartitionInPlace(operation: PartitionInPlaceOperation, run: Run): Promise<Ending> {
  // Every step is one transaction or one index build. A stop request undoes the step that is running or waits for a
  // lock.
  const signal = run.interrupt.stop
  await using store = await openExisting(operation.from)
  const [inPlace, plan] = [store.offers.inPlace, store.offers.partitionPlan]
  if (inPlace === undefined || plan === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `sluice cannot partition tables of ${store.system} in place`, {
      where: store.label,
      hint: 'name a PostgreSQL database with --from',
    })
  }
  const table = await oneSourceTable({ store }, operation.table, signal)
  const name = tableText(table.table)
  const able: InPlaceContext = {
    store,
    inPlace,
    plan,
    table,
    name,
    limits: { pauseLimitMs: operation.budgetMs, triesForMs: operation.triesForMs, signal },
    report: (step, status, detail) => run.emit({ type: 'partition.step', table: name, step, status, detail }),
  }
  const done = await inPlace.facts(table.table, signal)
  if (operation.slice !== undefined)
    return await splitOffSlice(able, done, { ...operation, slice: operation.slice }, run)
  if (operation.revert) return await revertPartitioning(able, done, operation, run)
  return done === null ? await runInPlace(able, operation, run) : await settled(able, done, operation, run)
}

/** Checks the request, runs the phases that read the table, and gives the new table the public name. */
async function runInPlace(able: InPlaceContext, operation: PartitionInPlaceOperation, run: Run): Promise<Ending> {
  const { store, inPlace, plan, table, name, limits, report } = able
  if (!operation.dryRun) refuseUnconfirmed(able, operation)
  const { signal } = limits
  const source = { store, plan, signal }
  const options = await inPlaceRequest(source, table, operation, new Date(run.clock.now()))
  const { request, last } = options
  refuseSameNames(request)
  const planned = await inPlace.plan(request, signal)
  const findings = await reportPlanFindings(able, options, planned, operation, run)
  const refused = findings.filter(({ verdict }) => verdict === 'refused')
  const totals = {
    findings: dec(findings.length),
    refused: dec(refused.length),
    partitions: dec(request.partitions.length + 1),
  }
  if (refused.length > 0) {
    const hint = 'do what each refused finding says, then run the same command again'
    return { totals: { ...totals, switched: '0' }, error: refusedError(name, 'partitioned in place', refused, hint) }
  }
  if (operation.dryRun) {
    for (const { sql, isDone } of planned.statements) if (!isDone) run.emit({ type: 'partition.sql', table: name, sql })
    reportPartitions(name, options, 'planned', run)
    report('switch', 'planned', `${name} would be partitioned, with all current rows in ${request.past}`)
    return { totals: { ...totals, switched: '0' } }
  }
  await inPlace.prepare(request, limits, report)
  const switched = await inPlace.attach(request, limits, report)
  report('switch', 'done', `${name} is partitioned: ${request.past} holds everything up to the end of ${last.label}`)
  reportPartitions(name, options, 'made', run)
  reportWaits(name, switched, run)
  await reportLeft(able, run)
  return { totals: { ...totals, switched: '1' }, next: ensureCommand(operation, name) }
}

/** Finishes a table that an earlier run has partitioned. */
async function settled(
  able: InPlaceContext,
  done: InPlaceFacts,
  operation: PartitionInPlaceOperation,
  run: Run,
): Promise<Ending> {
  const { name, table, store, limits, report } = able
  const ranged = await store.offers.maintenance?.inspect(table.table, false, limits.signal)
  if (ranged != null && ranged.column.name !== operation.by) {
    throw new SluiceError('TABLE_REFUSED', `${name} is partitioned by ${ranged.column.name}, not by ${operation.by}`, {
      where: store.label,
      hint: `give --by ${shellQuote(ranged.column.name)}`,
    })
  }
  report('switch', 'found', `${tableText(done.past)} holds everything before ${done.bound}`)
  if (!operation.dryRun) await reportLeft(able, run)
  return { totals: { switched: '0' }, next: ensureCommand(operation, name) }
}

/** Splits off the last period of the past partition; the expected waiting time is reported first. */
async function splitOffSlice(
  able: InPlaceContext,
  done: InPlaceFacts | null,
  operation: PartitionInPlaceOperation & { readonly slice: string },
  run: Run,
): Promise<Ending> {
  const { inPlace, table, name, limits, report } = able
  const past = pastForSlice(name, done, operation)
  const { request, label } = sliceRequest(table, operation, operation.slice, past.bound)
  const { partition } = request
  if (await isThere(able, request)) {
    report('slice', 'found', `${label} already has its own partition`)
    if (!operation.dryRun) await reportLeft(able, run)
    return { totals: { switched: '0' } }
  }
  const { rows, ms } = await inPlace.planSlice(request, limits.signal)
  const detail = `${rows} rows of ${label} leave ${tableText(past.past)}; other sessions wait for about ${ms} ms (estimated from a sample)`
  const error = reportSlicePlan({ name, label, partition: partition.name, detail, ms }, operation, run)
  const totals = { rows: dec(rows), findings: '2', refused: error === null ? '0' : '1', switched: '0' }
  if (error !== null) return { totals, error }
  const made = {
    type: 'partition.made',
    table: name,
    partition: partition.name,
    label,
    from: partition.from,
    to: partition.to,
  } as const
  if (operation.dryRun) {
    run.emit({ ...made, status: 'planned' })
    report('slice', 'planned', detail)
    return { totals }
  }
  refuseUnconfirmed(able, operation)
  const switched = await inPlace.slice(request, limits, (step, status, text) =>
    report(step === 'switch' ? 'slice' : step, status, text),
  )
  report(
    'slice',
    'done',
    `${switched.rows} rows have left ${tableText(past.past)}, which now ends at ${partition.from}`,
  )
  run.emit({ ...made, status: 'made' })
  reportWaits(name, switched, run)
  await reportLeft(able, run)
  return { totals: { ...totals, rows: dec(switched.rows), switched: '1' } }
}

/**
 * The past partition, from which the period is split off.
 * @throws SluiceError `BAD_FLAG` if there is none, or with options that --slice excludes
 */
function pastForSlice(name: string, done: InPlaceFacts | null, operation: PartitionInPlaceOperation): InPlaceFacts {
  if (operation.revert || operation.last !== undefined || operation.past !== undefined) {
    throw new SluiceError('BAD_FLAG', '--slice cannot be combined with --revert, --last or --past', {
      hint: 'to split off a period, leave out --revert, --last and --past; otherwise leave out --slice',
    })
  }
  if (done === null) {
    throw new SluiceError('BAD_FLAG', `${name} has no first partition from which a period can be moved`, {
      hint: 'run the same command without --slice first: it partitions the table',
    })
  }
  return done
}

/** Reports what a slice changes, and how long other sessions wait; the error if that is longer than the budget. */
function reportSlicePlan(
  plan: {
    readonly name: string
    readonly label: string
    readonly partition: string
    readonly detail: string
    readonly ms: number
  },
  { budgetMs }: PartitionInPlaceOperation,
  run: Run,
): SluiceError | null {
  const { name, label, partition, detail, ms } = plan
  const isTooLong = ms > budgetMs
  const longer = `--pause-budget ${Math.ceil((ms * 2) / 1000)}s`
  run.emit({
    type: 'partition.finding',
    table: name,
    verdict: isTooLong ? 'refused' : 'changes',
    about: 'pause',
    object: partition,
    detail,
    ...(isTooLong ? { hint: `if other sessions may wait so long, give ${longer}` } : {}),
  })
  run.emit({
    type: 'partition.finding',
    table: name,
    verdict: 'changes',
    about: 'old snapshots',
    detail: `a transaction in REPEATABLE READ or SERIALIZABLE that began before and reads ${label} afterwards misses these rows; the run waits for idle transactions`,
  })
  if (!isTooLong) return null
  return new SluiceError(
    'PARTITION_REFUSED',
    `moving the rows of ${label} into their own partition would block other sessions for about ${ms} ms`,
    {
      where: name,
      reason: `--pause-budget allows ${budgetMs} ms`,
      hint: `use shorter periods, such as --calendar month, or ${longer}`,
    },
  )
}

/** True if a partition has these bounds. */
async function isThere({ store, table, limits }: InPlaceContext, { partition }: SliceRequest): Promise<boolean> {
  const ranged = await store.offers.maintenance?.inspect(table.table, false, limits.signal)
  return ranged?.partitions.some(({ from, to }) => from === partition.from && to === partition.to) === true
}

async function revertPartitioning(
  able: InPlaceContext,
  done: InPlaceFacts | null,
  operation: PartitionInPlaceOperation,
  run: Run,
): Promise<Ending> {
  const { inPlace, table, name, limits, report } = able
  if (done === null) {
    if (operation.dryRun) {
      report('clear', 'planned', `the preparations for ${name} would be removed`)
      return { totals: { switched: '0' } }
    }
    const cleared = await inPlace.clear(table.table, limits)
    report(
      'clear',
      'done',
      cleared === 0 ? 'there was nothing to remove' : `${cleared} indexes and constraints are removed`,
    )
    // An earlier run that reverted may have been killed before its last steps: repeat these.
    await reportLeft(able, run)
    return { totals: { switched: '0' } }
  }
  if (operation.dryRun) {
    report('revert', 'planned', `${tableText(done.past)} would be ${name} again, and the other partitions dropped`)
    return { totals: { switched: '0' } }
  }
  refuseUnconfirmed(able, operation)
  const switched = await inPlace.revert(table.table, limits, (step, status, detail) =>
    report(step === 'switch' ? 'revert' : step, status, detail),
  )
  report('revert', 'done', `${tableText(done.past)} has the name ${name} again`)
  reportFindings(
    name,
    switched.made.filter(({ verdict }) => verdict === 'changes'),
    run,
  )
  reportWaits(name, switched, run)
  await reportLeft(able, run)
  return { totals: { switched: '1' } }
}

/** Reports all findings before anything is created. */
async function reportPlanFindings(
  { plan, inPlace, name, limits }: InPlaceContext,
  { request, last }: InPlaceAsked,
  { findings, statements, bytes }: InPlacePlan,
  operation: PartitionInPlaceOperation,
  run: Run,
): Promise<readonly PlanFinding[]> {
  const { signal } = limits
  const taken = await plan.usedNames(
    request.planned,
    [request.sideName, ...request.partitions.map((one) => one.name)],
    signal,
  )
  // Count rows here only if an index helps. A run counts them again before it creates anything, if needed with a scan
  // of the table.
  const outside = (await plan.isIndexed(request.planned, signal)) ? await inPlace.outside(request, signal) : null
  const phases = phaseFindings({ request, last, statements, bytes, taken, outside, pauseLimitMs: operation.budgetMs })
  return reportFindings(name, [...findings, ...phases], run)
}

async function reportLeft({ inPlace, table, name, limits, report }: InPlaceContext, run: Run): Promise<void> {
  const left = await inPlace.finish(table.table, limits.signal)
  report('after', 'done', 'foreign keys to it are validated, and its statistics gathered')
  for (const message of left) run.emit({ type: 'log', level: 'warn', table: name, message })
}

function reportPartitions(
  table: string,
  { request, labels }: InPlaceAsked,
  status: 'planned' | 'made',
  run: Run,
): void {
  for (const [at, { name: partition, from, to }] of request.partitions.entries())
    run.emit({ type: 'partition.made', table, partition, label: labels[at] ?? '', from, to, status })
}

function reportWaits(table: string, { pauseMs, tries }: InPlaceSwitched, run: Run): void {
  run.emit({ type: 'partition.waits', table, longestMs: pauseMs, tries: tries - 1 })
}

function refuseUnconfirmed({ table, name }: InPlaceContext, { confirm }: PartitionInPlaceOperation): void {
  if (confirm === name || confirm === table.table.name) return
  throw new SluiceError(
    'MISSING_CONFIRM',
    `this command gives the name ${name} to another table: the name is needed as confirmation`,
    {
      hint: `add --confirm=${shellQuote(name)}, or --dry-run to see what would be done`,
    },
  )
}

function ensureCommand({ from }: PartitionInPlaceOperation, table: string): string {
  return `sluice partition ensure --from ${shellQuote(redactUrl(from))} --table ${shellQuote(table)}`
}
