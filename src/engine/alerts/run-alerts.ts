/** The alerts of a run, from its events to the sinks: each is told when it begins and when it is over, also by runs that come again. */
import type { AlertEvent, AlertWish } from '../../model/alert.ts'
import type { AlertKey, AlertMemory } from '../../model/alert-memory.ts'
import type { EventBody } from '../../model/event.ts'
import { isoTime, type Clock } from '../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { redactText, secretsOfUrl } from '../../shared/redact.ts'
import { urlsOf } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import type { RunFinished } from '../operation.ts'
import type { Verdict } from './causes/cause.ts'
import { Causes } from './causes/watches.ts'
import { memoryOfProgram } from './memory.ts'
import { aboutInWords, alertScope, alertScopeBefore, subjectPlace } from './scope.ts'
import { isReached, send, sinksOf, type AlertSinks } from './sinks.ts'

/** How often time alone is looked at, ms. */
const LOOK_MS = 1000
/** So long a run that is over waits for its sinks, ms. What is not told by then, the next run tells. */
const LAST_MS = 60_000

type Parts = {
  /** That the operator has begun: of a slot the shared one. */
  readonly runId: string
  readonly host: string
  /** Whether a run that ends so is tried again by itself: then it has not failed. */
  readonly goesOn: ((finished: RunFinished) => boolean) | undefined
  readonly clock: Clock
  readonly emit: (body: EventBody) => void
  /** What earlier runs have told; of this program alone when absent. */
  readonly memory: ((say: (what: string) => void) => AlertMemory) | undefined
  /** Ends the run. @param now what runs is dropped: it would not come to its end */
  readonly stop: (reason: SluiceError, now: boolean) => void
}

export class RunAlerts {
  readonly #operation: Operation
  readonly #parts: Parts
  readonly #wish: AlertWish
  readonly #causes: Causes
  readonly #memory: AlertMemory
  readonly #sinks: AlertSinks
  readonly #secrets: readonly string[]
  /** What was found last of each. */
  readonly #said = new Map<string, Verdict>()
  readonly #timer: ReturnType<typeof setInterval> | null
  #queue: Promise<void> = Promise.resolve()
  /** Alerts that wait for their turn. */
  #waiting = 0
  #isOver = false
  /** The alert that has ended the run; what it was about may be over by then. */
  #stoppedBy: string | null = null
  #isBroken = false

  constructor(operation: Operation, wish: AlertWish, parts: Parts) {
    this.#operation = operation
    this.#parts = parts
    this.#wish = wish
    this.#causes = new Causes(wish.conditions)
    this.#memory = parts.memory?.((what) => this.#log('warn', what)) ?? memoryOfProgram()
    const { runId, host } = parts
    this.#sinks = sinksOf(wish, { run: runId, about: aboutInWords(operation), host })
    this.#secrets = urlsOf(operation).flatMap(secretsOfUrl)
    this.#timer = this.#causes.looks
      ? setInterval(() => this.#look(() => this.#causes.look(this.#now())), LOOK_MS).unref()
      : null
  }

  /** Every event of the run but its last. */
  take(event: EventBody): void {
    if (event.type !== 'run.finished') this.#look(() => this.#causes.take(event, this.#now()))
  }

  /**
   * Tells what the end of the run brings, and waits for the sinks. Never rejects.
   * @param finished before it is told
   * @returns the error by which an alert ends the run; null where none does
   */
  async ended(finished: RunFinished): Promise<SluiceError | null> {
    if (this.#timer !== null) clearInterval(this.#timer)
    if (this.#parts.goesOn?.(finished) !== true) this.#look(() => this.#causes.take(finished, this.#now()))
    const limit = setTimeout(() => void (this.#isOver = true), LAST_MS)
    await this.#queue
    clearTimeout(limit)
    if (this.#waiting > 0) this.#log('warn', `${this.#waiting} alerts were not told in time; the next run tells them`)
    await this.#memory[Symbol.asyncDispose]().then(undefined, () => undefined)
    if (this.#wish.exit !== true) return null
    const causes = [...new Set([...(this.#stoppedBy === null ? [] : [this.#stoppedBy]), ...this.#holding()])]
    if (causes.length === 0) return null
    // What it failed by is its own end, and was found after it.
    const hasStopped = this.#stoppedBy !== null && this.#stoppedBy !== 'failed'
    const isItsEnd = finished.status === 'ok' || (finished.status === 'stopped' && hasStopped)
    return isItsEnd ? alerted(causes) : null
  }

  #now(): number {
    return this.#parts.clock.ticks()
  }

  #holding(): readonly string[] {
    return [...this.#said.values()].filter(({ holds }) => holds).map(({ cause }) => cause)
  }

  /** What only tells of a run must not be what it fails by. */
  #look(causes: () => readonly Verdict[]): void {
    if (this.#isBroken) return
    try {
      this.#note(causes())
    } catch (error) {
      this.#isBroken = true
      this.#log('error', `no alert of this run comes any more: ${asSluiceError(error).message}`)
    }
  }

  #note(verdicts: readonly Verdict[]): void {
    for (const verdict of verdicts) {
      const key = `${verdict.cause}\0${verdict.table}`
      if (this.#said.get(key)?.holds === verdict.holds) continue
      this.#said.set(key, verdict)
      this.#waiting++
      this.#queue = this.#queue.then(async () => await this.#settle(verdict))
      if (verdict.holds && this.#wish.exit === true && this.#stoppedBy === null) {
        this.#stoppedBy = verdict.cause
        this.#parts.stop(
          new SluiceError('STOPPED', `an alert ended the run: ${verdict.cause}`),
          verdict.cause === 'stuck',
        )
      }
    }
  }

  /** One after the other, so that no end is told before its beginning. */
  async #settle({ cause, table, holds, value, limit, stoodMs = 0 }: Verdict): Promise<void> {
    if (this.#isOver) return
    this.#waiting--
    const memory = this.#memory
    const about = subjectPlace(this.#operation, table)
    const key: AlertKey = { scope: alertScope(this.#operation, table === ''), cause, table: about }
    const now = this.#parts.clock.now()
    const event = { type: 'alert', cause, ...(table === '' ? {} : { table }) } as const
    const words = redactText(value, this.#secrets)
    if (holds) {
      const { is, since } = await this.#remembered(memory.begin(key, now - stoodMs), {
        is: 'new',
        since: now - stoodMs,
      })
      if (is === 'stands')
        return this.#log('note', `alert ${cause} stands since ${isoTime(since)}, and was told then`, table)
      const told = { ...event, state: 'raised', value: words, ...(limit === undefined ? {} : { limit }) } as const
      const isTold = await this.#tell(told, about)
      // Nobody has heard of it.
      if (!isTold) await this.#remembered(memory.end(key), null)
      return
    }
    await this.#clear(key, event, about, words)
    const scope = alertScopeBefore(this.#operation, table === '')
    await this.#clear({ ...key, scope, isBefore: true }, event, about, words)
  }

  async #clear(
    key: AlertKey,
    event: Pick<AlertEvent, 'type' | 'cause' | 'table'>,
    about: string,
    words: string,
  ): Promise<void> {
    const end = await this.#remembered(this.#memory.end(key), { is: 'none' })
    if (end.is === 'none') return
    const isTold = await this.#tell(
      { ...event, state: 'cleared', value: `${words}; it stood since ${isoTime(end.since)}` },
      about,
    )
    if (!isTold) await this.#remembered(this.#memory.begin(key, end.since), null)
  }

  /** An alert that is told twice is better than one that nobody hears of. */
  async #remembered<T>(asked: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await asked
    } catch (error) {
      this.#log('warn', `the memory of alerts does not answer: ${asSluiceError(error).message}`)
      return otherwise
    }
  }

  /** @returns whether somebody has heard of it */
  async #tell(event: AlertEvent, about: string): Promise<boolean> {
    this.#parts.emit(event)
    // Who reads it elsewhere knows no folder of ours.
    const failures = await send({ ...event, ...(about === '' ? {} : { table: about }) }, this.#sinks)
    const isTold = isReached(failures, this.#sinks)
    const again = isTold ? '' : '; the next run tells it again'
    for (const message of failures) this.#log('warn', `${message}${again}`)
    return isTold
  }

  #log(level: 'note' | 'warn' | 'error', message: string, table = ''): void {
    this.#parts.emit({ type: 'log', level, message, ...(table === '' ? {} : { table }) })
  }
}

function alerted(causes: readonly string[]): SluiceError {
  return new SluiceError('ALERTED', `an alert ended the run: ${causes.join(', ')}`, {
    hint: 'nothing is lost: look at the cause, then run the same command again',
  })
}
