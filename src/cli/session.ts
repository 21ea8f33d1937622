/** Session of one command, from its first event to its exit code: frontends, signals and secrets. */
import type { TaskListener } from '../engine/run/run-context.ts'
import { hostname, userInfo } from 'node:os'
import type { RunFinished } from '../engine/run/operation.ts'
import type { ReadWords } from '../model/share/work-port.ts'
import { declarationOf } from '../app/operations/facts.ts'
import type { Event, EventBody } from '../model/run/event.ts'
import { statusOf } from '../model/run/run-status.ts'
import { Interrupter } from '../shared/abort.ts'
import { isoTime } from '../shared/clock.ts'
import { armDeadline, type Deadline } from '../shared/deadline.ts'
import { asSluiceError, SluiceError } from '../shared/errors.ts'
import { redactUrl, secretsOfUrl } from '../shared/redact.ts'
import { given } from './parse/arguments.ts'
import { historyFolder } from './config/history-folder.ts'
import { CATALOG_VARIABLE } from './flags/catalog-choice.ts'
import { secretOfProperty } from './parse/command-line.ts'
import { openFrontends, type FrontendOptions } from './output/frontends.ts'
import { noteEvents, withNext, type StartTexts } from './output/start-texts.ts'
import { durationText } from '../shared/figures.ts'
import { oneLine } from '../shared/visible.ts'
import { pauseOutside, type Hours } from './flags/hours.ts'
import { openOutput, type Output } from './output/output.ts'
import type { CliContext } from './ports.ts'
import { EXIT_OF_SIGNAL, watchSignals } from './signals.ts'
import type { Operation } from '../app/operations/list.ts'

/** Default passwords of Cassandra and YugabyteDB. */
const DEFAULT_PASSWORDS: ReadonlySet<string> = new Set(['cassandra', 'yugabyte'])

export type SessionOptions = FrontendOptions & {
  readonly json: boolean
  readonly maxRuntimeMs?: number | undefined
  readonly tool: string
  /** Parses a stored command line. */
  readonly readCommand?: ReadWords
}

export type RunSettings = StartTexts & {
  /** True: a step of a larger command. `prelude`: a step; if it fails, its end is the end of the larger command. */
  readonly part?: boolean | 'prelude'
  /** Hours of the day in which the run works. */
  readonly hours?: Hours | undefined
  /** Called with every event, in addition to the frontends. */
  readonly listen?: (event: Event) => void
  /** For a worker: called with events of its tasks. */
  readonly slots?: TaskListener | undefined
}

export type CliSession = {
  readonly output: Output
  readonly interrupter: Interrupter
  /** Shows an event of the command line itself, outside of any run. */
  emit(body: EventBody): void
  /** Shows an event of a run in another program. */
  show(event: Event): void
  /** Runs an operation and shows it. Resolves with its result; never rejects. */
  run(operation: Operation, commandLine: string, options?: RunSettings): Promise<RunFinished>
  /** Records ctrl-c pressed as a key, for the exit code. */
  interrupted(): void
  /** Shows that a command could not start. @returns its exit code */
  refuse(command: string, error: SluiceError): number
  close(): Promise<void>
}

/**
 * Passwords in the words of a command line and in variables that every command reads. A password that is part of its
 * redacted URL (`postgres` for user `postgres`) is left out: the URL shows it anyway. Redacting it in other texts would
 * only reveal that it is the password.
 */
export function secretsOf(
  argv: readonly string[],
  env: CliContext['env'],
  more: readonly string[] = [],
): readonly string[] {
  const urls = [...argv.map((word) => word.replace(/^--[\w-]+=/, '')), env[CATALOG_VARIABLE] ?? '', ...more]
  const passwords = urls.flatMap((url) => secretsOfUrl(url).filter((secret) => !redactUrl(url).includes(secret)))
  for (const word of argv) {
    const secret = secretOfProperty(word.replace(/^--conf=/, ''))
    // A default password is no secret; redacting it would damage other words.
    if (secret !== null && !DEFAULT_PASSWORDS.has(secret)) passwords.push(secret)
  }
  const token = env['CLOUDFLARE_API_TOKEN']?.trim() ?? ''
  return [...new Set([...passwords, ...(token === '' ? [] : [token])])]
}

/** User name for the audit of the catalog. */
export function actorName(env: CliContext['env']): string {
  try {
    return userInfo().username
  } catch {
    // A container may run under a user id without a name.
    return env['USER'] ?? 'unknown'
  }
}

/** @throws SluiceError BAD_FLAG if the log file cannot be opened */
export async function openCliSession(context: CliContext, options: SessionOptions): Promise<CliSession> {
  const { clock, env, signals, die } = context
  const interrupter = new Interrupter()
  let listing = false
  const output = openOutput(context.stdout, context.stderr, () => {
    // The reader has left (`| head`): end a listing. A run that changes something continues; its work is more important
    // than its output.
    if (listing) interrupter.requestAbort(new SluiceError('ABORTED', 'the output is no longer read'))
  })
  const faces = await openFrontends(context, output, options)
  const watch = watchSignals({
    source: signals,
    interrupter,
    ticks: () => clock.ticks(),
    say: (message) => output.talk(`sluice: ${message}\n`),
    die,
  })
  const disarm = armDeadline(interrupter, deadlineOf(options.maxRuntimeMs))
  const actor = actorName(env)
  const host = hostname()
  let seq = 0

  /** Gives a stopped listing the exit code 0 if its reader left early, because this is no failure. */
  const read = <T extends EventBody>(body: T): T =>
    body.type === 'run.finished' && body.status === 'stopped' && listing && output.gone
      ? { ...body, exitCode: 0 }
      : body
  /** Gives a command that a signal stopped the exit code of the signal; for a run the engine sets it. */
  const settle = <T extends EventBody>(body: T): T => {
    if (body.type !== 'run.finished' || body.status !== 'stopped') return body
    const signal = watch.received()
    return signal === null ? body : { ...body, exitCode: EXIT_OF_SIGNAL[signal] }
  }
  const show = (event: Event, part: boolean): void => {
    for (const face of faces) face.event(event, part)
  }
  const emit = (body: EventBody): void => {
    seq += 1
    show({ v: 1, seq, ts: isoTime(clock.now()), runId: null, ...settle(body) }, false)
  }
  const failed = (error: SluiceError, ms: number): RunFinished => ({
    type: 'run.finished',
    status: statusOf(error.kind),
    exitCode: error.exitCode,
    totals: {},
    ms,
    error: error.info(),
  })

  return {
    output,
    interrupter,
    emit,
    show: (event) => show(event, false),
    run: async (operation, commandLine, settings = {}) => {
      const { part = false, listen, slots, hours, notes = [], warnings = [], next } = settings
      listing = declarationOf(operation.kind).display === 'listing'
      const began = clock.ticks()
      let started = false
      let last: RunFinished | null = null
      let newest: Event | null = null
      const onEvent = (event: Event): void => {
        started = true
        newest = event
        const said = read(withNext(event, next))
        if (said.type === 'run.finished') last = said
        listen?.(said)
        const theEnd = part === 'prelude' && said.type === 'run.finished' && said.exitCode !== 0
        show(said, part !== false && !theEnd)
        for (const saying of noteEvents(said, { notes, warnings })) show(saying, false)
      }
      const say = (message: string): void => {
        if (newest === null) return
        const { v, runId } = newest
        show(
          { v, seq: newest.seq, runId, ts: isoTime(clock.now()), type: 'log', level: 'note', message },
          part !== false,
        )
      }
      try {
        const engine = await context.loadEngine()
        const { tool } = options
        const finished = await engine.runOperation(operation, {
          interrupt: interrupter,
          clock,
          tool,
          actor,
          host,
          commandLine,
          onEvent,
          ...given('readCommand', options.readCommand),
          ...given('book', historyFolder(env)),
          ...given('next', next),
          ...given('slots', slots),
          ...(hours === undefined ? {} : { control: pauseOutside(hours, clock, say) }),
          drained: () => output.flushed(),
        })
        return last ?? read(finished)
      } catch (error) {
        if (last !== null) return last
        if (!started) emit({ type: 'run.started', command: operation.kind, tool: options.tool })
        const finished = settle(failed(asSluiceError(error), clock.ticks() - began))
        emit(finished)
        return finished
      }
    },
    interrupted: () => watch.record('SIGINT'),
    refuse: (command, error) => {
      emit({ type: 'run.started', command, tool: options.tool })
      const finished = settle(failed(error, 0))
      emit(finished)
      return finished.exitCode
    },
    close: async () => {
      disarm()
      for (const face of faces) await face.close()
      watch.close()
      await output.flushed()
      const failure = output.failure()
      if (failure !== null) output.talk(`sluice: ${oneLine(failure.message)}: ${failure.reason ?? ''}\n`)
      await output.flushed()
    },
  }
}

/** Time limit of `--max-runtime`. */
export function deadlineOf(ms: number | undefined): Deadline | undefined {
  return ms === undefined ? undefined : { ms, shown: durationText(ms) }
}
