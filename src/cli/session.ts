/** One command from its first event to its exit code: the faces that show it, what can stop it, what must not be shown. */
import { hostname, userInfo } from 'node:os'
import type { Operation, RowFormat, RunFinished } from '../engine/operation.ts'
import type { Event, EventBody } from '../model/event.ts'
import { Interrupter } from '../shared/abort.ts'
import { isoTime } from '../shared/clock.ts'
import { asSluiceError, SluiceError } from '../shared/errors.ts'
import { redactText, redactUrl, redactValue, secretsOfUrl } from '../shared/redact.ts'
import { CATALOG_VARIABLE } from './catalog-choice.ts'
import { secretOfProperty } from './command-line.ts'
import type { Face } from './face.ts'
import { durationText, oneLine } from './format.ts'
import { LISTING_KINDS } from './listing-kinds.ts'
import { isOn } from './mode.ts'
import { openOutput } from './output.ts'
import type { Output } from './output.ts'
import type { Surroundings } from './ports.ts'
import { EXIT_OF_SIGNAL, watchSignals } from './signals.ts'

/** Of a fresh Cassandra, and of a fresh YugabyteDB. */
const DEFAULT_PASSWORDS: ReadonlySet<string> = new Set(['cassandra', 'yugabyte'])

export type SessionOptions = {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly logFile?: string | undefined
  /** The story in lines with time and level, as the parallel script writes it. */
  readonly migratorLog?: string | undefined
  readonly maxRuntimeMs?: number | undefined
  readonly secrets: readonly string[]
  readonly tool: string
  /** How rows of a query are written. */
  readonly rowFormat?: RowFormat
  /** The plan is all that is asked for. */
  readonly dryRun?: boolean
}

export type RunSettings = {
  /** A step of something larger. As a `prelude` it is also the end of it when it fails, and says so. */
  readonly part?: boolean | 'prelude'
  /** Sees the events too. */
  readonly listen?: (event: Event) => void
  /** Said at the beginning of the run. */
  readonly notes?: readonly string[]
  readonly warnings?: readonly string[]
  /** What to run next, where that is another command than the run itself names. */
  readonly next?: (finished: RunFinished, runId: string) => string | undefined
}

export type Session = {
  readonly output: Output
  readonly interrupter: Interrupter
  readonly actor: string
  readonly host: string
  /** Shows an event of the command line itself, which belongs to no run of the engine. */
  emit(body: EventBody): void
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
 * The passwords in the words of a command line and in the variables that every command reads. One that stands in what is shown of its URL (`postgres`
 * for `postgres`) is left out: to replace it everywhere would hide nothing, and tell what it is.
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

async function openFaces(
  surroundings: Surroundings,
  output: Output,
  options: SessionOptions,
): Promise<readonly Face[]> {
  const redact = (text: string): string => redactText(text, options.secrets)
  const complain = (message: string): void => output.talk(`sluice: ${redact(oneLine(message))}\n`)
  const redactEvent = (event: Event): Event => redactValue(event, options.secrets)
  const github = isOn(surroundings.env['GITHUB_ACTIONS'])
  const faces: Face[] = []
  if (options.json) faces.push((await import('./render-json.ts')).jsonFace(output, redactEvent))
  else {
    const { textFace } = await import('./render-text.ts')
    const { quiet, verbose, rowFormat = 'table', dryRun = false } = options
    faces.push(textFace(output, { quiet, verbose, rowFormat, dryRun, color: surroundings.colorTalk, github, redact }))
  }
  if (github) {
    const summaryFile = surroundings.env['GITHUB_STEP_SUMMARY']
    faces.push((await import('./render-github.ts')).githubFace(output, { summaryFile, redact }))
  }
  if (options.logFile !== undefined)
    faces.push(await (await import('./log-file.ts')).logFileFace(options.logFile, redactEvent, complain))
  if (options.migratorLog !== undefined) {
    const { migratorLogFace } = await import('./settings/migrator-log.ts')
    faces.push(migratorLogFace(options.migratorLog, redactEvent, complain))
  }
  return faces
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
  const deadline = armDeadline(interrupter, options.maxRuntimeMs)
  const actor = actorName(env)
  const host = hostname()
  let seq = 0

  /** The exit code of a run that a signal ended is that of the signal; a list that nobody reads to its end has not failed. */
  const settle = <T extends EventBody>(body: T): T => {
    if (body.type !== 'run.finished' || body.status !== 'stopped') return body
    if (listing && output.gone) return { ...body, exitCode: 0 }
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
    status:
      error.kind === 'stopped'
        ? 'stopped'
        : ['usage', 'state', 'unsupported'].includes(error.kind)
          ? 'refused'
          : 'failed',
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
    redact: (text) => redactText(text, options.secrets),
    run: async (operation, commandLine, { part = false, listen, notes = [], warnings = [], next } = {}) => {
      listing = LISTING_KINDS.has(operation.kind)
      const began = clock.ticks()
      let started = false
      let last: RunFinished | null = null
      const onEvent = (event: Event): void => {
        started = true
        const settled = settle(next === undefined ? event : withNext(event, next))
        if (settled.type === 'run.finished') last = settled
        listen?.(settled)
        const theEnd = part === 'prelude' && settled.type === 'run.finished' && settled.exitCode !== 0
        show(settled, part !== false && !theEnd)
        if (settled.type !== 'run.started') return
        const { v, seq: number, ts, runId } = settled
        const say = (level: 'note' | 'warn', message: string): void =>
          show({ v, seq: number, ts, runId, type: 'log', level, message }, false)
        for (const message of notes) say('note', message)
        for (const message of warnings) say('warn', message)
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
          drained: () => output.flushed(),
        })
        return last ?? settle(finished)
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
      if (deadline !== null) clearTimeout(deadline)
      for (const face of faces) await face.close()
      watch.close()
      await output.flushed()
      const failure = output.failure()
      if (failure !== null) output.talk(`sluice: ${oneLine(failure.message)}: ${failure.reason ?? ''}\n`)
      await output.flushed()
    },
  }
}

function withNext(event: Event, next: NonNullable<RunSettings['next']>): Event {
  if (event.type !== 'run.finished' || event.runId === null) return event
  const resumeCommand = next(event, event.runId)
  return resumeCommand === undefined ? event : { ...event, resumeCommand }
}

/** setTimeout takes no more; 24 days are as good as none. */
const LONGEST_TIMER_MS = 2_147_483_647

function armDeadline(interrupter: Interrupter, ms: number | undefined): NodeJS.Timeout | null {
  if (ms === undefined || ms > LONGEST_TIMER_MS) return null
  const reason = new SluiceError('DEADLINE', `the time of --max-runtime (${durationText(ms)}) is over`)
  return setTimeout(() => interrupter.requestStop(reason), ms).unref()
}
