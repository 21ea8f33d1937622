/** A run that can be watched and steered while active: its journal, viewers and socket. */
import type { Socket } from 'node:net'
import type { Event, EventBody } from '../../model/run/event.ts'
import { Interrupter } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ProcessIdentity } from '../../shared/owner.ts'
import { redactUrl, redactValue, secretsOfUrl } from '../../shared/redact.ts'
import { workingFolder } from '../../shared/working-folder.ts'
import { openControlSocket } from '../../engine/copy/workers/control-socket.ts'
import type { OperationContext, RunControl } from '../../engine/run/operation.ts'
import { declarationOf, isPlanOnly, sourceAndTarget, subjectsOf, urlsOf, withUrls } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import { RunJournal } from '../journal/run-journal.ts'
import type { RunAbout } from '../workbench.ts'
import { RunRecorder } from './run-recorder.ts'
import { PlainSteering } from './plain-steering.ts'
import { steeredEvent, type Steered } from '../../engine/run/steered.ts'
import { Viewers } from './viewers.ts'

export type LiveOptions = Pick<
  OperationContext,
  'interrupt' | 'control' | 'commandLine' | 'tool' | 'host' | 'clock'
> & {
  /** Folder of the run history; if absent, the run is not recorded. */
  readonly book?: string
  readonly runId: string
  readonly startedAt: string
  readonly owner: ProcessIdentity
  /** Emits an event of the run. */
  readonly emit: (body: EventBody) => void
}

export class LiveRun implements AsyncDisposable {
  /** Fires when the interrupt in the options fires, and on a request over the socket. */
  readonly interrupt: Interrupter = new Interrupter()
  readonly control: RunControl
  readonly #journal = new RunJournal()
  readonly #viewers: Viewers
  readonly #plain: PlainSteering
  #own: Steered | null = null
  #socket: AsyncDisposable | null = null
  readonly #recorder: RunRecorder | null
  #isBroken = false
  /** Why the socket is unavailable. */
  #socketError: SluiceError | null = null
  readonly #emit: (body: EventBody) => void
  readonly #over = new AbortController()

  private constructor(operation: Operation, options: LiveOptions) {
    const { interrupt, control, emit } = options
    this.#emit = emit
    const secrets = urlsOf(operation).flatMap(secretsOfUrl)
    const { runId, commandLine, tool, host, startedAt } = options
    const about: RunAbout = redactValue(
      {
        runId,
        operation: withUrls(operation, redactUrl),
        commandLine,
        folder: workingFolder(),
        tool,
        host,
        pid: process.pid,
        startedAt,
      },
      secrets,
    )
    this.#viewers = new Viewers(this.#journal, about, secrets)
    this.#recorder = recorderOf(about, options)
    const over = this.#over.signal
    forwardAbort(interrupt.stop, over, (reason) => this.interrupt.requestStop(reason))
    forwardAbort(interrupt.abort, over, (reason) => this.interrupt.requestAbort(reason))
    this.#plain = new PlainSteering(this.interrupt, declarationOf(operation.kind))
    this.#plain.onOptions = (request) => emit(steeredEvent(request))
    this.control = this.#plain.control(control)
  }

  /** Opens the socket; the run continues without one if that fails. */
  static async open(operation: Operation, options: LiveOptions): Promise<LiveRun> {
    const live = new LiveRun(operation, options)
    const watched = {
      join: (socket: Socket) => live.#viewers.join(socket),
      abort: () => live.interrupt.requestAbort(),
    }
    live.#socket = await openControlSocket(options.runId, live.#steered(operation.kind), watched, (error) => {
      live.#socketError = error
    })
    return live
  }

  /** Takes every event of the run. An error ends the journal, the viewers and the run history, but not the run. */
  take(event: Event): void {
    if (this.#isBroken) return
    try {
      this.#journal.take(event)
      this.#viewers.report(event)
      this.#recorder?.take(event)
    } catch {
      this.#isBroken = true
    }
  }

  /** Warns if the socket is unavailable; call after the first event of the run. */
  reportUnreachable(): void {
    if (this.#socketError === null) return
    const { message, where = '', hint } = this.#socketError
    this.#socketError = null
    this.#emit({
      type: 'log',
      level: 'warn',
      message: `this run cannot be watched or steered: ${message}: ${where}`,
      ...(hint === undefined ? {} : { hint }),
    })
  }

  /** Uses the operation's own steering until the result is disposed. */
  steerBy(steered: Steered): Disposable {
    this.#own = steered
    if (this.#plain.held) {
      this.#plain.held = false
      steered.honour({ act: 'hold', held: true })
    }
    return { [Symbol.dispose]: () => void (this.#own = this.#own === steered ? null : this.#own) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort()
    await Promise.all([this.#viewers.end(), this.#recorder?.[Symbol.asyncDispose]()])
    await this.#socket?.[Symbol.asyncDispose]()
  }

  #steered(command: string): Steered {
    const now = (): Steered => this.#own ?? this.#plain
    return {
      state: () => ({ command, ...now().state() }),
      checked: (request) => now().checked(request),
      honour: (request) => now().honour(request),
    }
  }
}

function recorderOf(
  { runId, operation, commandLine, folder = null }: RunAbout,
  options: LiveOptions,
): RunRecorder | null {
  const { book, clock, owner } = options
  if (book === undefined) return null
  const { source = null, target = null } = sourceAndTarget(operation)
  const { kind } = operation
  const about = subjectsOf(operation)
    .map((name) => redactUrl(name))
    .join(', ')
  const begunAt = Math.round(clock.now())
  const run = { run: runId, kind, commandLine, folder, source, target, about, begunAt, owner }
  return new RunRecorder(book, run, clock, kind === 'archive-erase' && !isPlanOnly(operation))
}

/** Calls `to` with the abort reason when `signal` fires. @param over removes the listener when it fires */
function forwardAbort(signal: AbortSignal, over: AbortSignal, to: (reason: SluiceError | undefined) => void): void {
  const fire = (): void => to(signal.reason instanceof SluiceError ? signal.reason : undefined)
  if (signal.aborted) fire()
  else signal.addEventListener('abort', fire, { once: true, signal: over })
}
