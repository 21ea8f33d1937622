/** Joins another run of this machine over its socket: its state so far, then every event. */
import { createConnection, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Event, EventBody } from '../../model/run/event.ts'
import type { RunStatus } from '../../model/run/run-status.ts'
import type { RecordedEnd } from '../../model/run/run-history.ts'
import { isoTime, systemClock } from '../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { fromFolder } from '../../shared/working-folder.ts'
import { controlSocketPath } from '../../engine/copy/workers/control-socket.ts'
import type { TableRequest } from '../../model/run/table-request.ts'
import type { JoinedRun, RunAbout } from '../workbench.ts'
import { noSuchLocalRun, refuseOtherOwner } from '../../engine/run/socket-folder.ts'

const ANSWER_MS = 5_000
/** Maximum length of a line. The longest line is the snapshot, which is as large as a plan. */
const LONGEST = 256 * 1024 * 1024
/** Timeout of a request, ms: after it, the run ignores the request too. */
const REQUEST_TIMEOUT_MS = 5_000
/** Time between two tries to join a run again, ms. */
const RETRY_MS = 500

type Env = Readonly<Record<string, string | undefined>>

/** Reads the end of a run from the run history; null if there is none. */
export type EndOf = (runId: string) => Promise<RecordedEnd | null>

type Line = {
  readonly ok?: unknown
  readonly run?: RunAbout
  readonly error?: { readonly message?: unknown; readonly hint?: unknown }
  readonly live?: unknown
  readonly type?: undefined
}

/**
 * @param env determines the folder of the sockets
 * @param endOf asked if the run ended while the connection was lost
 * @returns the run, once its past events have arrived
 * @throws SluiceError NO_SUCH_PATH if no such run is active on this machine; CONNECT_FAILED if the run does not reply,
 * or runs a version that cannot be joined
 */
export async function joinRun(
  runId: string,
  env: Env = process.env,
  endOf: EndOf = async () => null,
): Promise<JoinedRun> {
  const path = controlSocketPath(runId, env)
  refuseOtherOwner(dirname(path))
  const joined = new Joined(path, runId, { again: () => joinRun(runId, env, endOf), endOf: () => endOf(runId) })
  return await joined.begun
}

/** Ways to continue after a lost connection: join the run again, or read its end from the run history. */
type Reconnection = { readonly again: () => Promise<JoinedRun>; readonly endOf: () => Promise<RecordedEnd | null> }

class Joined {
  readonly begun: Promise<JoinedRun>
  readonly #path: string
  readonly #runId: string
  readonly #lost: Reconnection
  readonly #socket: Socket
  readonly #snapshot: Event[] = []
  readonly #listeners = new Set<(event: Event) => void>()
  readonly #refused = new Set<(message: string) => void>()
  readonly #missed: Event[] = []
  #about: RunAbout | null = null
  #isLive = false
  #isHeard = false
  #last: Event | null = null
  #isLeft = false
  #again: JoinedRun | null = null
  #resolve: (run: JoinedRun) => void = () => undefined
  #reject: (error: SluiceError) => void = () => undefined
  #end: (exitCode: number) => void = () => undefined

  constructor(path: string, runId: string, lost: Reconnection) {
    this.#path = path
    this.#runId = runId
    this.#lost = lost
    this.begun = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#socket = createConnection(path)
    this.#listen()
  }

  #listen(): void {
    const socket = this.#socket
    let pieces: string[] = []
    let length = 0
    const silent = setTimeout(() => this.#fail('the run does not answer', SILENT_HINT), ANSWER_MS)
    socket.setEncoding('utf8')
    socket.once('connect', () => socket.write('{"watch":true}\n'))
    socket.on('data', (piece: string) => {
      clearTimeout(silent)
      const lines = piece.split('\n')
      const rest = lines.pop() ?? ''
      for (const line of lines) {
        this.#line(pieces.length === 0 ? line : pieces.join('') + line)
        pieces = []
        length = 0
      }
      pieces.push(rest)
      length += rest.length
      if (length > LONGEST) socket.destroy()
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(silent)
      // A socket without a listener was left by a killed run.
      const isGone = error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
      this.#reject(
        isGone ? noSuchLocalRun(this.#runId, this.#path) : unreachable('the run cannot be reached', this.#path, error),
      )
    })
    socket.once('close', () => {
      clearTimeout(silent)
      void this.#closed()
    })
  }

  #fail(message: string, hint?: string): void {
    this.#reject(new SluiceError('CONNECT_FAILED', message, { where: this.#path, hint }))
    this.#socket.destroy()
  }

  #line(text: string): void {
    let line: Line | Event
    try {
      line = JSON.parse(text) as Line | Event
    } catch {
      return this.#fail('the answer of the run cannot be read', 'use the sluice version that started the run')
    }
    if (line.type !== undefined) return this.#event(line)
    if (this.#about === null) return this.#hello(line)
    if (line.live !== true || this.#isLive) return
    this.#isLive = true
    this.#resolve(this.#running(this.#about))
  }

  #hello({ ok, run, error }: Line): void {
    if (ok === true && run !== undefined) {
      this.#about = run
      return
    }
    // A program of an older version refuses this request: it accepts only "get" and "set".
    const message = typeof error?.message === 'string' ? error.message : 'its program sent no reason'
    this.#fail(`the run cannot be watched: ${message}`, 'steer a run of an older sluice with sluice ctl')
  }

  #event(reported: Event): void {
    const event = resumedFrom(reported, this.#about?.folder ?? null)
    this.#last = event
    if (!this.#isLive) this.#snapshot.push(event)
    else if (this.#isHeard) for (const listener of this.#listeners) listener(event)
    else this.#missed.push(event)
  }

  async #closed(): Promise<void> {
    const about = this.#about
    if (about === null || !this.#isLive)
      return this.#reject(unreachable('the run ended before it reported anything', this.#path))
    const last = this.#last
    if (last?.type === 'run.finished') return this.#end(last.exitCode)
    // A run drops a viewer that reads too slowly or was suspended, and continues.
    this.#again = await this.#rejoin()
    if (this.#isLeft) this.#again?.leave()
    if (this.#isLeft || this.#again !== null) return this.#end(0)
    const end = await this.#lost.endOf().catch(() => null)
    const finished = end === null ? interruptedEnd(about) : ended(end)
    if (end?.error != null) this.#added({ type: 'log', level: 'error', message: end.error })
    this.#added(finished)
    this.#end(finished.exitCode)
  }

  /** Joins the run again. @returns null if it no longer runs, or this viewer has left */
  async #rejoin(): Promise<JoinedRun | null> {
    while (!this.#isLeft) {
      try {
        return await this.#lost.again()
      } catch (thrown) {
        // A suspended run does not answer, but continues later.
        if (asSluiceError(thrown).code !== 'CONNECT_FAILED') break
        await sleep(RETRY_MS)
      }
    }
    return null
  }

  /** Adds an event that the run did not send. */
  #added(body: EventBody): void {
    const seq = (this.#last?.seq ?? 0) + 1
    this.#event({ v: 1, seq, ts: isoTime(systemClock.now()), runId: this.#runId, ...body })
  }

  #running(about: RunAbout): JoinedRun {
    const done = new Promise<number>((resolve) => (this.#end = resolve))
    if (this.#last?.type === 'run.finished') this.#end(this.#last.exitCode)
    const steer = ({ act, table, chunk }: TableRequest): void =>
      this.#ask({ set: { [act]: chunk === undefined ? table : `${table}#${chunk}` } })
    return {
      about,
      operation: about.operation,
      snapshot: this.#snapshot,
      done,
      again: () => this.#again,
      subscribe: (listener) => {
        this.#listeners.add(listener)
        this.#isHeard = true
        for (const event of this.#missed.splice(0)) listener(event)
        return () => void this.#listeners.delete(listener)
      },
      onRefused: (listener) => void this.#refused.add(listener),
      leave: () => {
        this.#isLeft = true
        this.#again?.leave()
        this.#socket.destroy()
        this.#end(0)
      },
      stop: () => this.#ask({ set: { stop: true } }),
      abort: () => this.#ask({ abort: true }),
      pause: (paused) => this.#ask({ set: { paused } }),
      workers: (count) => this.#ask({ set: { workers: Math.max(1, count) } }),
      rate: (rows) => this.#ask({ set: { rate: Number.isFinite(rows) ? Math.max(1, Math.round(rows)) : null } }),
      steer,
    }
  }

  /** Sends a request over a separate connection, so that its reply does not get lost among the events. */
  #ask(request: Readonly<Record<string, unknown>>): void {
    const refuse = (message: string): void => {
      for (const listener of this.#refused) listener(message)
    }
    const socket = createConnection(this.#path)
    let text = ''
    socket.setEncoding('utf8')
    socket.setTimeout(REQUEST_TIMEOUT_MS, () => {
      socket.destroy()
      refuse('the run does not answer; the request was not carried out')
    })
    socket.once('connect', () =>
      socket.write(`${JSON.stringify({ ...request, until: Date.now() + REQUEST_TIMEOUT_MS })}\n`),
    )
    socket.on('data', (piece: string) => {
      text += piece
      if (!text.includes('\n')) return
      socket.destroy()
      const { ok, error } = JSON.parse(text) as Line
      if (ok !== true) refuse(typeof error?.message === 'string' ? error.message : 'the run refuses')
    })
    socket.once('error', () => refuse('the run no longer answers'))
  }
}

/** The event, with its resume command adapted to the viewer's folder. */
function resumedFrom(event: Event, folder: string | null): Event {
  if (event.type !== 'run.finished' || event.resumeCommand === undefined) return event
  return { ...event, resumeCommand: fromFolder(event.resumeCommand, folder) }
}

const INTERRUPTED = new SluiceError('RUN_BROKE_OFF', 'the run was interrupted: its program ended without a result', {
  hint: 'run the same command to resume',
})

type Finished = Extract<EventBody, { type: 'run.finished' }>

/** Final event of a run that ended while the connection was lost. */
function ended({ status, exitCode, totals, resumeCommand }: RecordedEnd): Finished {
  return {
    type: 'run.finished',
    status: status as RunStatus,
    exitCode,
    totals,
    ms: 0,
    ...(resumeCommand === null ? {} : { resumeCommand }),
  }
}

/** Final event for a run whose program ended without sending it. */
function interruptedEnd({ commandLine }: RunAbout): Finished {
  return {
    type: 'run.finished',
    status: 'stopped',
    exitCode: INTERRUPTED.exitCode,
    totals: {},
    ms: 0,
    resumeCommand: commandLine,
    error: INTERRUPTED.info(),
  }
}

function unreachable(message: string, where: string, cause?: Error): SluiceError {
  return new SluiceError('CONNECT_FAILED', message, {
    where,
    ...(cause === undefined ? {} : { reason: cause.message, cause }),
  })
}

const SILENT_HINT = 'it may be stopped (kill -STOP) or very busy; repeat the request when it continues'
