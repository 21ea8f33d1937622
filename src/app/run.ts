/** Runs an operation: numbers and timestamps its events, records it in the catalog, always ends with `run.finished`. */
import { isoTime } from '../shared/clock.ts'
import { exitOfStop, type Interrupt } from '../shared/abort.ts'
import { asSluiceError, EXIT_OF_KIND, SluiceError } from '../shared/errors.ts'
import { newOwner, type Owner } from '../shared/owner.ts'
import type { Dec, Event, EventBody, EventType, RunStatus } from '../model/run/event.ts'
import { statusOf } from '../model/run/run-status.ts'
import type { OperationContext, RunFinished } from '../engine/run/operation.ts'
import type { Ending, Run, TaskListener } from '../engine/run/run-context.ts'
import type { AlertMemory } from '../model/run/alert-memory.ts'
import type { LedgerTotals } from '../model/share/distributed.ts'
import type { RunAlerts } from './alerts/run-alerts.ts'
import { alertOptionsOf } from './alerts/options.ts'
import type { LiveRun } from './live/live-run.ts'
import { isWatched } from './live/watched.ts'
import { newRunId, operatorRun } from '../engine/run/run-id.ts'
import { declarationOf, sourceAndTarget, isPlanOnly, urlsByFlag } from './operations/facts.ts'
import { OPERATIONS, type Operation } from './operations/list.ts'
import { reported } from './whole-commands/reported.ts'
import { wholeCommands } from './whole-commands/whole.ts'

/** Options of a run that are passed to the operation unchanged. */
type PassedOptions = Omit<OperationContext, 'emit' | 'workOf'>

export type RunOptions = PassedOptions & {
  readonly onEvent: (event: Event) => void
  /** Worker only: receives events of its tasks. */
  readonly slots?: TaskListener
  /** Folder of this machine's run history; if absent, the run is not recorded. */
  readonly book?: string
  /** Task only: id of the shared run, the same for all turns of all its tasks. */
  readonly sharedRun?: string
  /** Task with a stream only: requests that other workers help to copy and compare. */
  readonly callOthers?: () => void
  /** Copy task only: receives the ledger totals of the shared run. */
  readonly ledgerTotals?: (totals: LedgerTotals) => void
  /**
   * True: do not run the operation's stream; copy and compare for the worker that runs the stream, while work is left.
   */
  readonly onCall?: true
  /** Memory of alerts of earlier runs; default: the memory of this machine. @param say called with problems, as text */
  readonly alertMemory?: (say: (what: string) => void) => AlertMemory
  /** Task only: the operation as queued, which identifies its alerts on every host. */
  readonly queued?: Operation
  /** Task only: true if a run with this end is retried automatically. */
  readonly goesOn?: (finished: Pick<RunFinished, 'exitCode' | 'error'>) => boolean
  /** Follow-up command, if it differs from the one of the operation. */
  readonly next?: (finished: RunFinished, runId: string) => string | undefined
}

/** @returns the last event; never rejects */
export async function runOperation(operation: Operation, options: RunOptions): Promise<RunFinished> {
  const { clock, onEvent } = options
  const runId = newRunId(clock)
  const begun = clock.ticks()
  const begunAt = clock.now()
  let seq = 0
  let live: LiveRun | null = null
  let alerts: RunAlerts | null = null
  const whole = wholeCommands(options.commandLine, urlsByFlag(operation))
  const emit = (body: EventBody): void => {
    // The run begins with the call, before the live view and the alerts are loaded; its `ms` begins then too.
    const at = body.type === 'run.started' ? begunAt : clock.now()
    const event: Event = { v: 1, seq: ++seq, ts: isoTime(at), runId, ...reported(body, whole) }
    live?.take(event)
    onEvent(event)
    alerts?.take(body)
    if (event.type === 'run.started') live?.reportUnreachable()
  }
  const owner = newOwner(options.host)
  live = await liveRun(operation, options, owner, runId, emit)
  const interrupt = live?.interrupt ?? options.interrupt
  alerts = await runAlerts(operation, options, { runId, emit, live })
  const run: Run<EventType> = {
    ...options,
    ...(live === null ? {} : { interrupt, control: live.control, steerBy: (steered) => live.steerBy(steered) }),
    emit,
    runId,
    owner,
    watchRuns: async (parts) => new (await import('./share/run-watch.ts')).RunWatch(parts, whole),
    checkTableFolders: async (task, known) => (await import('./share/table-folders.ts')).checkTableFolders(task, known),
    wholeBy: wholeCommands,
    ...(alerts === null ? {} : { streamAlert: (found, tables) => alerts.takeStream(found, tables) }),
    waitForArchives: async (stream) => (await import('../archive/work/wait-for-archives.ts')).waitForArchives(stream),
    workOf: async (scheduled, known) => {
      const { scheduledWork: workOf } = await import('./share/schedules/work.ts')
      return workOf(
        scheduled as Operation,
        known,
        async (plan, heard) => await runOperation(plan, trialOptions(options, heard)),
      )
    },
  }
  const finish = async (ending: Partial<Ending>, error: SluiceError | null): Promise<RunFinished> => {
    const ended = endedAs(ending, error, {
      interrupt,
      commandLine: options.commandLine,
      ms: Math.round(clock.ticks() - begun),
    })
    const alerted = (await alerts?.ended(ended)) ?? null
    const last = alerted === null ? ended : endedBy(alerted, ended)
    const next = options.next?.(last, runId)
    const finished = reported(
      withoutItself(next === undefined ? last : { ...last, resumeCommand: next }, options),
      whole,
    )
    emit(finished)
    return finished
  }
  emit({
    type: 'run.started',
    command: declarationOf(operation.kind).event ?? operation.kind,
    tool: options.tool,
    ...sourceAndTarget(operation),
    ...(await resumedImports(operation)),
  })
  try {
    const work = options.onCall === true ? forStream(operation, run) : perform(operation, run)
    const ending = await unlessStuck(work, interrupt.abort)
    return await finish(ending, ending.error ?? null)
  } catch (error) {
    return await finish({}, asSluiceError(error))
  } finally {
    // Errors of the live view must not fail the run.
    await live?.[Symbol.asyncDispose]().catch(() => undefined)
  }
}

function endedAs(
  ending: Partial<Ending>,
  error: SluiceError | null,
  { interrupt, commandLine, ms }: Pick<RunOptions, 'interrupt' | 'commandLine'> & { readonly ms: number },
): RunFinished {
  const { status, exitCode } = verdict(ending, error, interrupt)
  const why = error ?? (status === 'stopped' ? deadlineError(interrupt) : null)
  const resume = ending.next ?? (status === 'stopped' ? commandLine : undefined)
  return {
    type: 'run.finished',
    status,
    exitCode,
    totals: ending.totals ?? {},
    ms,
    ...(ending.proof === undefined ? {} : { proof: ending.proof }),
    ...(ending.notChecked === undefined ? {} : { notChecked: ending.notChecked }),
    ...(ending.asideRuns === undefined ? {} : { asideRuns: ending.asideRuns }),
    ...(ending.leftBehind === undefined ? {} : { leftBehind: ending.leftBehind }),
    ...(resume === undefined ? {} : { resumeCommand: resume }),
    ...(ending.wrote === undefined ? {} : { wrote: ending.wrote }),
    ...(why === null ? {} : { error: why.info() }),
  }
}

/** Removes the resume command if it equals the run's own command, and this command would be refused again. */
function withoutItself(ended: RunFinished, { commandLine }: RunOptions): RunFinished {
  const { resumeCommand, ...rest } = ended
  const isRefused =
    ended.exitCode === EXIT_OF_KIND.usage ||
    ended.exitCode === EXIT_OF_KIND.unsupported ||
    ended.error?.code === 'PLAN_CHANGED'
  return isRefused && resumeCommand === commandLine ? rest : ended
}

/** Returns the end of a run with an alert's error, and with this error's status and exit code. */
function endedBy(error: SluiceError, ended: RunFinished): RunFinished {
  return { ...ended, status: statusOf(error.kind), exitCode: error.exitCode, error: error.info() }
}

/** Alerts of the run; null without alert options. */
async function runAlerts(
  operation: Operation,
  { clock, book, alertMemory, queued, onCall, sharedRun, host, goesOn }: RunOptions,
  {
    runId,
    emit,
    live,
  }: { readonly runId: string; readonly emit: (body: EventBody) => void; readonly live: LiveRun | null },
): Promise<RunAlerts | null> {
  // A plan must not begin or end an alert; with `onCall` the worker of the stream raises them.
  const options = isPlanOnly(operation) || onCall === true ? undefined : alertOptionsOf(operation)
  if (options === undefined) return null
  const [{ RunAlerts: Alerts }, { memoryOfMachine }] = await Promise.all([
    import('./alerts/run-alerts.ts'),
    import('./alerts/memory.ts'),
  ])
  const memory =
    alertMemory ?? (book === undefined ? undefined : (say: (what: string) => void) => memoryOfMachine(book, say))
  const stop = (reason: SluiceError, now: boolean): void => {
    live?.interrupt[now ? 'requestAbort' : 'requestStop'](reason)
  }
  const asQueued = queued === undefined ? {} : { queued }
  const parts = { runId: operatorRun(runId, sharedRun), host, goesOn, clock, emit, memory, stop, ...asQueued }
  return new Alerts(operation, options, parts)
}

/** Options of a dry run within a run: not watched, not steered, without alerts. */
function trialOptions(
  { interrupt, clock, tool, actor, host, commandLine }: RunOptions,
  onEvent: (event: Event) => void,
): RunOptions {
  return { interrupt, clock, tool, actor, host, commandLine, onEvent }
}

/** Error of a run that its deadline stopped: the user may have forgotten the deadline. Null for other stop requests. */
function deadlineError({ stop }: Interrupt): SluiceError | null {
  const reason: unknown = stop.reason
  return reason instanceof SluiceError && reason.code === 'DEADLINE' ? reason : null
}

/** Live view of the run; null if the run cannot be watched. */
async function liveRun(
  operation: Operation,
  { interrupt, control, commandLine, tool, host, clock, book }: RunOptions,
  owner: Owner,
  runId: string,
  emit: (body: EventBody) => void,
): Promise<LiveRun | null> {
  if (!isWatched(operation)) return null
  const { LiveRun: Live } = await import('./live/live-run.ts')
  const startedAt = isoTime(clock.now())
  return await Live.open(operation, {
    runId,
    interrupt,
    ...(control === undefined ? {} : { control }),
    commandLine,
    tool,
    host,
    startedAt,
    clock,
    owner,
    ...(book === undefined ? {} : { book }),
    emit,
  })
}

function verdict(
  ending: Partial<Ending>,
  error: SluiceError | null,
  interrupt: Interrupt,
): { status: RunStatus; exitCode: number } {
  const stopped = ending.stopped === true || error?.kind === 'stopped'
  if (stopped || (error !== null && interrupt.abort.aborted))
    return { status: 'stopped', exitCode: exitOfStop(interrupt) }
  if (error === null) return { status: 'ok', exitCode: 0 }
  return { status: statusOf(error.kind), exitCode: error.exitCode }
}

/** The unfinished imports that this operation resumes. Errors are ignored here: they occur again in the operation. */
async function resumedImports(operation: Operation): Promise<{ resumes?: Dec; baseline?: { done: Dec } }> {
  if ((operation.kind !== 'import' && operation.kind !== 'batch-import') || operation.dryRun) return {}
  try {
    const { unfinishedImports } = await import('../engine/lake/import/unfinished.ts')
    return await unfinishedImports(operation)
  } catch {
    return {}
  }
}

/** @throws SluiceError CONNECT_FAILED … */
async function forStream(operation: Operation, run: Run<EventType>): Promise<Ending> {
  const { onCall } = await import('./on-call.ts')
  return await onCall(operation, run)
}

/** Each operation loads its code when it runs. @throws any error of the operation */
async function perform(operation: Operation, run: Run<EventType>): Promise<Ending> {
  const { load } = OPERATIONS[operation.kind] as {
    load: () => Promise<(operation: Operation, run: Run<EventType>) => Promise<Ending>>
  }
  return (await load())(operation, run)
}

/** Longest wait for aborted work, ms. Ten seconds after the abort the program is killed, and reports nothing. */
const DROPPED_MS = 7000

/**
 * Waits for the work; after an abort only for a limited time: a hanging server must not prevent the final event.
 * @param abort abort signal of the run
 * @throws the error of the work, or the abort's reason if the work has not ended `endLimitMs` after the abort
 */
export async function unlessStuck<T>(work: Promise<T>, abort: AbortSignal, endLimitMs = DROPPED_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let begin = (): void => undefined
  const late = new Promise<never>((_, reject) => {
    begin = () => {
      timer = setTimeout(() => reject(abort.reason as Error), endLimitMs)
    }
  })
  if (abort.aborted) begin()
  else abort.addEventListener('abort', begin, { once: true })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    abort.removeEventListener('abort', begin)
  }
}
