/**
 * One command from its first event to its exit code: the faces that show it, what can stop it, what must not be shown.
 */
import type { SlotListener } from '../engine/run/run-context.ts'
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
import { redactText, redactUrl, secretsOfUrl } from '../shared/redact.ts'
import { given } from './arguments.ts'
import { bookFolder } from './book-folder.ts'
import { CATALOG_VARIABLE } from './catalog-choice.ts'
import { secretOfProperty } from './command-line.ts'
import { openFaces } from './faces.ts'
import type { FaceOptions } from './faces.ts'
import { sayings, withNext } from './beginning.ts'
import type { Beginning } from './beginning.ts'
import { durationText } from '../shared/figures.ts'
import { oneLine } from '../shared/visible.ts'
import { holdOutside, type Hours } from './hours.ts'
import { openOutput } from './output.ts'
import type { Output } from './output.ts'
import type { Surroundings } from './ports.ts'
import { EXIT_OF_SIGNAL, watchSignals } from './signals.ts'
import type { Operation } from '../app/operations/list.ts'

/** Of a fresh Cassandra, and of a fresh YugabyteDB. */
const DEFAULT_PASSWORDS: ReadonlySet<string> = new Set(['cassandra', 'yugabyte'])

export type SessionOptions = FaceOptions & {
  readonly json: boolean
  readonly maxRuntimeMs?: number | undefined
  readonly tool: string
  /** Reads words of a command line that were kept. */
  readonly readCommand?: ReadWords
}

export type RunSettings = Beginning & {
  /** A step of something larger. As a `prelude` it is also the end of it when it fails, and says so. */
  readonly part?: boolean | 'prelude'
  /** Hours of the day that it works in. */
  readonly hours?: Hours | undefined
  /** Sees the events too. */
  readonly listen?: (event: Event) => void
  /** Of a worker: hears its slots. */
  readonly slots?: SlotListener | undefined
}

export type Session = {
  readonly output: Output
  readonly interrupter: Interrupter
  readonly actor: string
  readonly host: string
  /** Shows an event of the command line itself, which belongs to no run of the engine. */
  emit(body: EventBody): void
  /** Shows an event of a run that goes on elsewhere. */
  show(event: Event): void
  /** Runs an operation and shows it. Resolves with what it came to, never rejects. */
  run(operation: Operation, commandLine: string, options?: RunSettings): Promise<RunFinished>
  /** Ctrl-c was pressed where it is a key: the exit code says so. */
  interrupted(): void
  /** Shows that a command could not start. Resolves with its exit code. */
  refuse(command: string, error: SluiceError): number
  redact(text: string): string
  close(): Promise<void>
}

/**
 * The passwords in the words of a command line and in the variables that every command reads. One that stands in what
 * is shown of its URL (`postgres` for `postgres`) is left out: to replace it everywhere would hide nothing, and tell
 * what it is.
 */
export function secretsOf(
  argv: readonly string[],
  env: Surroundings['env'],
  more: readonly string[] = [],
): readonly string[] {
  const urls = [...argv.map((word) => word.replace(/^--[\w-]+=/, '')), env[CATALOG_VARIABLE] ?? '', ...more]
  const passwords = urls.flatMap((url) => secretsOfUrl(url).filter((secret) => !redactUrl(url).includes(secret)))
  for (const word of argv) {
    const secret = secretOfProperty(word.replace(/^--conf=/, ''))
    // What everybody writes is no secret, and would be taken out of every other word.
    if (secret !== null && !DEFAULT_PASSWORDS.has(secret)) passwords.push(secret)
  }
  const token = env['CLOUDFLARE_API_TOKEN']?.trim() ?? ''
  return [...new Set([...passwords, ...(token === '' ? [] : [token])])]
}

/** Who runs this, for the audit of the catalog. */
export function actorName(env: Surroundings['env']): string {
  try {
    return userInfo().username
  } catch {
    // A container may run under a user id without a name.
    return env['USER'] ?? 'unknown'
  }
}

/** @throws SluiceError BAD_FLAG when the log file cannot be opened */
export async function openSession(surroundings: Surroundings, options: SessionOptions): Promise<Session> {
  const { clock, env, signals, die } = surroundings
  const interrupter = new Interrupter()
  let listing = false
  const output = openOutput(surroundings.stdout, surroundings.stderr, () => {
    // `| head` has enough. A run that changes something goes on: its work matters more than its talk.
    if (listing) interrupter.requestAbort(new SluiceError('ABORTED', 'nobody reads the output any more'))
  })
  const faces = await openFaces(surroundings, output, options)
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

  /** A list that nobody reads to its end has not failed. */
  const read = <T extends EventBody>(body: T): T =>
    body.type === 'run.finished' && body.status === 'stopped' && listing && output.gone
      ? { ...body, exitCode: 0 }
      : body
  /** The exit code of what a signal ended is that of the signal; of a run the engine says it. */
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
    actor,
    host,
    emit,
    show: (event) => show(event, false),
    redact: (text) => redactText(text, options.secrets),
    run: async (operation, commandLine, settings = {}) => {
      const { part = false, listen, slots, hours, notes = [], warnings = [], next } = settings
      listing = declarationOf(operation.kind).shape === 'listing'
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
        for (const saying of sayings(said, { notes, warnings })) show(saying, false)
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
        const engine = await surroundings.loadEngine()
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
          ...given('book', bookFolder(env)),
          ...given('next', next),
          ...given('slots', slots),
          ...(hours === undefined ? {} : { control: holdOutside(hours, clock, say) }),
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
    interrupted: () => watch.assume('SIGINT'),
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

/** `--max-runtime`. */
export function deadlineOf(ms: number | undefined): Deadline | undefined {
  return ms === undefined ? undefined : { ms, shown: durationText(ms) }
}
