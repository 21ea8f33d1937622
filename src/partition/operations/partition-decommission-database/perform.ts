/** `partition decommission --database`: inspects a moved database, makes it inactive, and drops it later. */
import { dec } from '../../../model/run/event.ts'
import type { DecommissionStepEvent } from '../../../model/partition/events.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { isoTime } from '../../../shared/clock.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { DecommissionFinding } from '../../../model/partition/decommission-port.ts'
import type { DatabaseInside, DatabaseRetirement } from '../../../model/partition/retirement-port.ts'
import { Ledgers } from '../../../archive/work/find-ledger.ts'
import { hasLedger, prepareLedger } from '../../../engine/copy/ledger/schema.ts'
import { openCopyStore, openExisting, openSourceStore } from '../../../engine/copy/open-stores.ts'
import { onSide } from '../../../engine/copy/sides.ts'
import {
  contentFindings,
  inspectInactive,
  inspectOpen,
  type InspectDatabase,
} from '../../decommission/database/inspect-database.ts'
import {
  alreadyClosed,
  databaseMissing,
  halfDropped,
  openedByOtherProgram,
  refuseSameDatabase,
  noArchive,
  refuseUnconfirmedDatabase,
  retireOf,
} from '../../decommission/database/refusals.ts'
import {
  DatabaseSteps,
  ledgerChanged,
  type DatabaseDetail,
  type DatabaseStep,
  type DatabaseStepName,
} from '../../decommission/database/steps.ts'
import { refuseUnknownLeft } from '../../decommission/database/tables.ts'
import { commandThatDrops, decommissionRefusal, endBeforeDrop } from '../../decommission/refusals.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { partitionDecommissionDatabase, PartitionDecommissionDatabaseOperation } from './declaration.ts'

type DatabaseRun = RunOf<typeof partitionDecommissionDatabase>
type Operation = PartitionDecommissionDatabaseOperation

/** Context of all steps. */
type RetirementContext = {
  readonly operation: Operation
  readonly retirement: DatabaseRetirement
  readonly to: CopyStore
  readonly database: LedgerDatabase
  readonly identity: string
  readonly steps: DatabaseSteps
  readonly run: DatabaseRun
}

const NOTHING: Ending = { totals: { steps: '0' } }
const ONE: Ending = { totals: { steps: '1' } }

type DropContext = {
  /** The database to which the tables moved; it contains the ledger. */
  readonly to: Pick<CopyStore, 'offers'>
  readonly steps: Pick<DatabaseSteps, 'of'>
  readonly identity: string
  readonly name: string
}

/**
 * @throws SluiceError UNSUPPORTED_URL, BAD_FLAG, NO_SUCH_TABLE, AMBIGUOUS_TABLE, LEDGER_BUSY, SOURCE_GONE,
 * MISSING_CONFIRM, TARGET_BUSY, TARGET_DENIED, PLAN_CHANGED, PARTITION_REFUSED, CONNECT_FAILED
 */
export async function performPartitionDecommissionDatabase(operation: Operation, run: DatabaseRun): Promise<Ending> {
  const { dryRun, undo, inactive, from, maintenance } = operation
  if (undo && inactive) {
    throw new SluiceError('BAD_FLAG', '--undo and --inactive exclude each other', { hint: 'give one of them' })
  }
  if (operation.archive !== undefined) throw noArchive()
  const { stop: signal } = run.interrupt
  await using retirement = await retireOf(from, { mode: dryRun ? 'read' : 'write', maintenance })
  await using to = await onSide('target', () =>
    dryRun ? openCopyStore(operation.to, { mode: 'read' }) : openExisting(operation.to),
  )
  await using database = await to.ledger()
  if ((await hasLedger(database)) && !dryRun) await prepareLedger(database)
  const steps = new DatabaseSteps(database, run)
  if (!dryRun && !(await retirement.lock())) {
    throw new SluiceError('LEDGER_BUSY', `another program retires database ${retirement.name} now`, {
      where: retirement.label,
      hint: 'wait until it has ended',
    })
  }
  const standing = await retirement.state(signal)
  if (standing === null) return await endingIfMissing({ retirement, steps, to }, operation, run)
  refuseSameDatabase(standing.identity, to)
  const retired = { operation, retirement, to, database, identity: standing.identity, steps, run }
  return undo ? await reactivate(retired) : await doNextStep(retired)
}

/** Does the next step of an existing database. */
async function doNextStep(retired: RetirementContext): Promise<Ending> {
  const { retirement, steps, identity, operation, run } = retired
  const all = await steps.of(identity)
  const last = all.at(-1)
  const { isOpen = false, isHalfDropped = false } = (await retirement.state(run.interrupt.stop)) ?? {}
  if (isHalfDropped) {
    if (!hasBegunDrop(all)) throw halfDropped(retirement, false)
    return await dropInactive(retired)
  }
  // An earlier run was interrupted in this step: undo its effect, and inspect everything again.
  if (last !== undefined && (last.step === 'opening' || last.step === 'closing') && !isOpen) {
    if (operation.dryRun) {
      const message =
        'an earlier run was interrupted in this step: the next run first lets the database accept connections again'
      run.emit({ type: 'log', level: 'note', table: retirement.name, message })
      report(retired, 'inactive', 'planned')
      return NOTHING
    }
    await reopenDatabase(retired, run.interrupt.stop)
    return await doNextStep(retired)
  }
  if (last?.step === 'inactive' || last?.step === 'dropping') {
    if (isOpen) throw openedByOtherProgram(retirement)
    return await dropInactive(retired)
  }
  if (!isOpen) throw alreadyClosed(retirement)
  return await makeInactive(retired)
}

/** True if the database was inactive when its drop began. Since then, `--undo` may have been requested. */
function hasBegunDrop(all: readonly DatabaseStep[]): boolean {
  return all.findLast(({ step }) => step !== 'opening')?.step === 'dropping'
}

/** Inspects a database that accepts connections, and makes it inactive. */
async function makeInactive(retired: RetirementContext): Promise<Ending> {
  const { operation, retirement, to, database, identity, steps, run } = retired
  const { stop: signal } = run.interrupt
  const options = { retirement, to, database, identity, leave: operation.leave, signal }
  // Keep this session open until all other sessions have ended, so that their last changes can be inspected.
  await using inside = await onSide('source', () => retirement.inside(signal))
  const contents = await onSide('source', () => inside.inspect(signal))
  refuseUnknownLeft(contents, operation.leave)
  const { findings: outside } = await retirement.inspect(signal)
  const findings = await withLedgers(operation.from, (own) => inspectOpen(options, { contents, inside }, outside, own))
  reportFindings(retired, findings)
  const refused = refusedOf(findings)
  const totals = { findings: dec(findings.length), refused: dec(refused.length), steps: '0' }
  if (refused.length > 0) return { totals, error: decommissionRefusal(retirement.name, refused) }
  if (operation.dryRun) {
    report(retired, 'inactive', 'planned')
    return { totals }
  }
  await steps.prepare()
  const limit = (await retirement.state(signal))?.connectionLimit ?? -1
  await recordStep(retired, 'closing', { connectionLimit: limit, left: leftOf(findings) })
  const { ended, last } = await closeAndInspect(retired, inside, options)
  const late = refusedOf(last.findings)
  if (late.length > 0) {
    await reopenDatabase(retired, run.interrupt.abort)
    reportFindings(retired, late)
    return { totals, error: decommissionRefusal(retirement.name, late) }
  }
  await inside[Symbol.asyncDispose]()
  await recordStep(retired, 'inactive', {
    ended,
    use: (await retirement.inspect(run.interrupt.abort)).use,
    kept: last.kept,
  })
  report(retired, 'inactive', 'done')
  for (const one of ended) {
    run.emit({ type: 'log', level: 'note', table: retirement.name, message: `${one} was ended` })
  }
  const graceEndMs = (await steps.now()) + operation.graceMs
  const message = `it refuses connections; ${commandThatDrops(retirement.name, operation)} drops it from ${isoTime(graceEndMs)} on, and --undo accepts connections again`
  run.emit({ type: 'log', level: 'note', table: retirement.name, message })
  return endBeforeDrop({ ...totals, steps: '1' }, retirement.name, operation, operation.graceMs > 0 ? graceEndMs : null)
}

/** Refuses connections to the database, and inspects its contents. If a stop is requested, accepts them again. */
async function closeAndInspect(retired: RetirementContext, inside: DatabaseInside, options: InspectDatabase) {
  const { operation, retirement, identity, run } = retired
  const { stop, abort } = run.interrupt
  try {
    const { ended } = await retirement.close(identity, inside, operation.budgetMs, run.interrupt)
    return { ended, last: await contentFindings(options, { contents: await inside.inspect(stop), inside }) }
  } catch (error) {
    if (stop.aborted && !abort.aborted) await reopenDatabase(retired, abort)
    throw error
  }
}

/** Inspects a database that refuses connections, and drops it after its grace period. */
async function dropInactive(retired: RetirementContext): Promise<Ending> {
  const { operation, retirement, identity, steps, run } = retired
  const { stop: signal } = run.interrupt
  const all = await steps.of(identity)
  const inactive = all.findLast(({ step }) => step === 'inactive')
  const closing = all.findLast(({ step }) => step === 'closing')
  if (inactive === undefined) throw new Error('a database without its first step is not inactive')
  const { findings, graceEndMs } = await inspectInactive(
    { ...retired, leave: operation.leave, signal },
    inactive,
    closing?.detail.left ?? [],
    { nowMs: await steps.now(), graceMs: operation.graceMs },
  )
  reportFindings(retired, findings)
  const refused = refusedOf(findings)
  const totals = { findings: dec(findings.length), refused: dec(refused.length), steps: '0' }
  if (refused.length > 0) return { totals, error: decommissionRefusal(retirement.name, refused) }
  report(retired, 'inactive', 'found')
  const isDue = !operation.inactive && graceEndMs === null
  if (operation.dryRun) {
    if (isDue) report(retired, 'dropped', 'planned')
    return { totals }
  }
  if (!isDue) return endBeforeDrop(totals, retirement.name, operation, graceEndMs)
  refuseUnconfirmedDatabase(retirement.name, operation.confirm)
  throwIfAborted(signal)
  if (all.at(-1)?.step !== 'dropping') await recordStep(retired, 'dropping', {})
  await requireDropping({ ...retired, name: retirement.name }, signal)
  await retirement.drop(identity, run.interrupt)
  await recordStep(retired, 'dropped', {})
  report(retired, 'dropped', 'done')
  return { totals: { ...totals, steps: '1' } }
}

/**
 * Last check before the drop, which relies on data of another database. Returns only if `dropping` is still the last
 * step in the ledger, and the target confirms that all of its commits are on disk.
 * @throws SluiceError PLAN_CHANGED if another program or a restored backup has changed the ledger; TARGET_DENIED if the
 * target does not confirm its commits
 */
export async function requireDropping({ to, steps, identity, name }: DropContext, signal: AbortSignal): Promise<void> {
  if ((await steps.of(identity)).at(-1)?.step !== 'dropping') throw ledgerChanged(name)
  await to.offers.durability?.flushed(signal)
}

/** Accepts connections again if sluice has refused them. Idempotent. */
async function reactivate(retired: RetirementContext): Promise<Ending> {
  const { operation, retirement, identity, steps, run } = retired
  const all = await steps.of(identity)
  const last = all.at(-1)
  const { isOpen = false, isHalfDropped = false } = (await retirement.state(run.interrupt.stop)) ?? {}
  if (isHalfDropped) throw halfDropped(retirement, hasBegunDrop(all))
  if (last === undefined || last.step === 'active') {
    if (!isOpen) throw alreadyClosed(retirement)
    report(retired, 'active', 'found')
    return NOTHING
  }
  if (operation.dryRun) {
    report(retired, 'active', 'planned')
    return NOTHING
  }
  await reopenDatabase(retired, run.interrupt.stop)
  report(retired, 'active', 'done')
  return ONE
}

/** Accepts connections again, with the previous connection limit. */
async function reopenDatabase(retired: RetirementContext, signal: AbortSignal): Promise<void> {
  const { retirement, identity, steps } = retired
  const all = await steps.of(identity)
  const limit = all.findLast(({ step }) => step === 'closing')?.detail.connectionLimit ?? -1
  if (all.at(-1)?.step !== 'opening') await recordStep(retired, 'opening', {})
  await retirement.reopen(identity, limit, signal)
  await recordStep(retired, 'active', {})
}

/** Ending if the server has no database of that name: the ledger shows whether sluice dropped the database. */
async function endingIfMissing(
  { retirement, steps, to }: Pick<RetirementContext, 'retirement' | 'steps' | 'to'>,
  operation: Operation,
  run: DatabaseRun,
): Promise<Ending> {
  const known = (await steps.named(retirement.server, retirement.name)).at(-1)
  const renamed = known === undefined ? null : await retirement.nameOf(known.identity, run.interrupt.stop)
  if (known === undefined || renamed !== null) throw databaseMissing(retirement, renamed)
  const reported = { retirement, to, run }
  if (operation.undo) {
    throw new SluiceError('SOURCE_GONE', `database ${retirement.name} is dropped: it cannot be restored`, {
      where: retirement.label,
    })
  }
  if (known.step !== 'dropping' && known.step !== 'dropped') {
    run.emit({ type: 'log', level: 'note', table: retirement.name, message: 'another program has dropped it' })
  }
  if (known.step === 'dropped' || operation.dryRun) {
    report(reported, 'dropped', 'found')
    return NOTHING
  }
  await steps.note(known.no, { identity: known.identity, name: known.name, step: 'dropped', detail: {} })
  report(reported, 'dropped', 'done')
  return ONE
}

async function withLedgers<T>(
  from: string,
  body: (inside: { readonly store: CopyStore; readonly archives: Ledgers }) => Promise<T>,
): Promise<T> {
  await using store = await openSourceStore(from)
  await using archives = await Ledgers.open(store, false)
  return await body({ store, archives })
}

async function recordStep(
  { steps, identity, retirement }: RetirementContext,
  step: DatabaseStepName,
  detail: DatabaseDetail,
) {
  const before = (await steps.of(identity)).at(-1)?.no ?? 0
  await steps.note(before, { identity, name: retirement.name, step, detail })
}

const refusedOf = (findings: readonly DecommissionFinding[]): readonly DecommissionFinding[] =>
  findings.filter(({ verdict }) => verdict === 'refused')

/** Tables and large objects that are removed without a complete copy. */
function leftOf(findings: readonly DecommissionFinding[]): readonly string[] {
  return findings.flatMap(({ verdict, about, object, detail }) =>
    verdict === 'look' && detail.endsWith('as --leave requests') ? [object ?? about] : [],
  )
}

function reportFindings(
  { retirement, run }: Pick<RetirementContext, 'retirement' | 'run'>,
  findings: readonly DecommissionFinding[],
): void {
  for (const finding of findings) {
    run.emit({ type: 'decommission.finding', table: retirement.name, of: 'database', ...finding })
  }
}

function report(
  { retirement, to, run }: Pick<RetirementContext, 'retirement' | 'to' | 'run'>,
  step: DecommissionStepEvent['step'],
  status: DecommissionStepEvent['status'],
): void {
  run.emit({
    type: 'decommission.step',
    table: retirement.name,
    of: 'database',
    public: to.label,
    step,
    status,
  })
}
