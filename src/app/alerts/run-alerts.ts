/** Sends each alert of a run to the sinks: once when it begins and once when it ends, even in a later run. */
import type { AlertCause, AlertEvent, AlertKey, AlertOptions, StreamVerdict } from '../../model/run/alert.ts'
import type { AlertMemory } from '../../model/run/alert-memory.ts'
import type { EventBody } from '../../model/run/event.ts'
import { isoTime, type Clock } from '../../shared/clock.ts'
import { asSluiceError, errorFromInfo, SluiceError, type ErrorInfo } from '../../shared/errors.ts'
import { redactText, redactUrl, secretsOfUrl } from '../../shared/redact.ts'
import { endlessField, subjectsOf, urlsOf } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import type { RunFinished } from '../../engine/run/operation.ts'
import type { CauseVerdict } from './causes/cause.ts'
import { AlertCauses } from './causes/watches.ts'
import { confirm } from './confirm.ts'
import { AlertQueue } from './in-turn.ts'
import { memoryOfProgram } from './memory.ts'
import { operationText, alertKey, alertKeyBefore, subjectPlace } from './scope.ts'
import { alertIdOf, isReached, send, sinksOf, type AlertSinks } from '../../engine/run/alerts/sinks.ts'

/** Interval of `poll`, ms. */
const POLL_MS = 1000
/** Longest wait for sinks after the run, ms. The next run sends alerts that are still unsent. */
const LAST_MS = 60_000

type Parts = {
  /** Id of the user's run; for a task, the id of the shared run. */
  readonly runId: string
  readonly host: string
  /** True if a run with this end is retried automatically: then it has not failed. */
  readonly goesOn: ((finished: Pick<RunFinished, 'exitCode' | 'error'>) => boolean) | undefined
  readonly clock: Clock
  readonly emit: (body: EventBody) => void
  /** Memory shared with earlier runs. If absent, the memory ends with this program. */
  readonly memory: ((say: (what: string) => void) => AlertMemory) | undefined
  /** The operation as queued, with store names, because URLs differ between hosts. Absent outside of a queue. */
  readonly queued?: Operation
  /** Ends the run. @param now true: abort running work that would not end by itself */
  readonly stop: (reason: SluiceError, now: boolean) => void
}

/** Verdict about a cause that was found in events, or about a cause of a stream. */
type Verdict = Omit<CauseVerdict, 'cause'> & { readonly cause: AlertCause }

/** Subject of a verdict. @property about text for sinks, independent of this program's folder */
type Subject = {
  readonly key: AlertKey
  readonly event: Pick<AlertEvent, 'type' | 'table'> & { readonly cause: AlertCause }
  readonly about: string
}

export class RunAlerts {
  readonly #operation: Operation
  readonly #parts: Parts
  readonly request: AlertOptions
  readonly #causes: AlertCauses
  readonly #memory: AlertMemory
  readonly #sinks: AlertSinks
  readonly #secrets: readonly string[]
  /** Latest verdict of each subject. */
  readonly #verdicts = new Map<string, CauseVerdict>()
  readonly #timer: ReturnType<typeof setInterval> | null
  readonly #sending = new AlertQueue()
  /** The alert that ended the run; its cause may have ended since. */
  #stoppedBy: string | null = null
  #isBroken = false

  constructor(operation: Operation, options: AlertOptions, parts: Parts) {
    this.#operation = operation
    this.#parts = parts
    this.request = options
    this.#causes = new AlertCauses(options.conditions, (error) => this.#isRetried(error))
    this.#memory = parts.memory?.((what) => this.#log('warn', what)) ?? memoryOfProgram()
    const { runId, host } = parts
    this.#sinks = sinksOf(options, { run: runId, about: operationText(operation), host })
    this.#secrets = urlsOf(operation).flatMap(secretsOfUrl)
    this.#timer = this.#causes.isWatching
      ? setInterval(() => this.#handle(() => this.#causes.poll(this.#now())), POLL_MS).unref()
      : null
  }

  /** Handles an event of the run. The last event is passed to `ended` instead. */
  take(event: EventBody): void {
    if (event.type !== 'run.finished') this.#handle(() => this.#causes.take(event, this.#now()))
  }

  /** True if the end of the run with this error starts the task again. A watch does not end by it. */
  #isRetried(error: ErrorInfo): boolean {
    if (endlessField(this.#operation) !== null) return false
    return this.#parts.goesOn?.({ exitCode: errorFromInfo(error).exitCode, error }) === true
  }

  /**
   * Handles a verdict about the run's stream. The verdict does not end the run: the stream ends itself between batches.
   * @param tables tables of the stream, in the form of `--tables`
   */
  takeStream(verdict: StreamVerdict, tables: string): void {
    this.#sending.append(async () => await this.#settle({ ...verdict, table: '', named: tables }))
  }

  /**
   * Handles the end of the run, and waits for the sinks. Never rejects.
   * @param finished the last event, before it is emitted
   * @returns the error by which an alert ends the run; null if none does
   */
  async ended(finished: RunFinished): Promise<SluiceError | null> {
    if (this.#timer !== null) clearInterval(this.#timer)
    if (this.#parts.goesOn?.(finished) !== true) this.#handle(() => this.#causes.take(finished, this.#now()))
    const left = await this.#sending.done(LAST_MS)
    if (left > 0) this.#log('warn', `${left} alerts were not sent in time; the next run sends them`)
    await this.#memory[Symbol.asyncDispose]().then(undefined, () => undefined)
    if (this.request.exit !== true) return null
    const causes = [...new Set([...(this.#stoppedBy === null ? [] : [this.#stoppedBy]), ...this.#activeCauses()])]
    if (causes.length === 0) return null
    // `failed` is derived from the run's own end, so it did not stop the run.
    const hasStopped = this.#stoppedBy !== null && this.#stoppedBy !== 'failed'
    const isItsEnd = finished.status === 'ok' || (finished.status === 'stopped' && hasStopped)
    return isItsEnd ? alertError(causes) : null
  }

  #now(): number {
    return this.#parts.clock.ticks()
  }

  #activeCauses(): readonly string[] {
    return [...this.#verdicts.values()].filter(({ holds }) => holds).map(({ cause }) => cause)
  }

  /** An error in the alerts must not fail the run. */
  #handle(causes: () => readonly CauseVerdict[]): void {
    if (this.#isBroken) return
    try {
      this.#note(causes())
    } catch (error) {
      this.#isBroken = true
      this.#log('error', `this run sends no more alerts: ${asSluiceError(error).message}`)
    }
  }

  #note(verdicts: readonly CauseVerdict[]): void {
    for (const verdict of verdicts) {
      const key = `${verdict.cause}\0${verdict.table}`
      const said = this.#verdicts.get(key)
      if (said?.holds === verdict.holds && said.notBefore === verdict.notBefore) continue
      this.#verdicts.set(key, verdict)
      this.#sending.append(async () => await this.#settle(verdict))
      if (verdict.holds && this.request.exit === true && this.#stoppedBy === null) {
        this.#stoppedBy = verdict.cause
        this.#parts.stop(
          new SluiceError('STOPPED', `an alert ended the run: ${verdict.cause}`),
          verdict.cause === 'stuck',
        )
      }
    }
  }

  async #settle(verdict: Verdict): Promise<void> {
    const subject = this.#subjectOf(verdict)
    if (verdict.holds) await this.#raise(verdict, subject)
    else {
      await this.#clear(subject, verdict.value)
      const before = alertKeyBefore(this.#parts.queued ?? this.#operation, verdict.cause, verdict.table)
      await this.#clear({ ...subject, key: before }, verdict.value)
    }
  }

  async #raise({ value, limit, stoodMs = 0, notBefore = -Infinity }: Verdict, subject: Subject): Promise<void> {
    const { key, event } = subject
    const at = this.#parts.clock.now() - stoodMs
    const noted = async (): ReturnType<AlertMemory['begin']> =>
      await this.#remembered(this.#memory.begin(key, at), { is: 'new', since: at })
    let found = await noted()
    if (found.is === 'stands' && found.since < notBefore) {
      await this.#clear(subject, 'the table was removed from the catalog and imported again')
      found = await noted()
    }
    const { is, since } = found
    if (is === 'stands') {
      const message = `alert ${event.cause} is open since ${isoTime(since)} and was sent then`
      const { cause, table } = event
      return this.#parts.emit({
        type: 'log',
        level: 'note',
        message,
        alert: cause,
        ...(table === undefined ? {} : { table }),
      })
    }
    const words = redactText(value, this.#secrets)
    const reported = { ...event, state: 'raised', value: words, ...(limit === undefined ? {} : { limit }) } as const
    await this.report(reported, subject, since)
  }

  async #clear(subject: Subject, value: string): Promise<void> {
    const { key, event } = subject
    const end = await this.#remembered(this.#memory.end(key), { is: 'none' })
    if (end.is === 'none') return
    const words = `${redactText(value, this.#secrets)}; it was open since ${isoTime(end.since)}`
    await this.report({ ...event, state: 'cleared', value: words }, subject, end.since)
  }

  #subjectOf({ cause, table, named }: Verdict): Subject {
    const { queued } = this.#parts
    const place = subjectPlace(this.#operation, table)
    return {
      key: alertKey(queued ?? this.#operation, cause, table, queued !== undefined),
      event: { type: 'alert', cause, ...(table === '' ? {} : { table }) },
      about: place === '' ? this.#namedBy(named) : place,
    }
  }

  #namedBy(named: string | undefined): string {
    const tables = named === undefined ? subjectsOf(this.#operation) : [named]
    return tables.map((name) => redactUrl(subjectPlace(this.#operation, name))).join(',')
  }

  /** Reply of the memory; `otherwise` if it fails: sending an alert twice is better than not at all. */
  async #remembered<T>(asked: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await asked
    } catch (error) {
      this.#log('warn', `the list of open alerts cannot be used: ${asSluiceError(error).message}`)
      return otherwise
    }
  }

  /** Sends the alert. Records it as sent if a sink accepted it or there is no sink. @param since its recorded start */
  async report(event: AlertEvent, { key, about }: Subject, since: number): Promise<void> {
    this.#parts.emit(event)
    const sent = { ...event, id: alertIdOf(key, since), ...(about === '' ? {} : { table: about }) }
    const failures = await send(sent, this.#sinks)
    const isReported = isReached(failures, this.#sinks)
    const again = isReported ? '' : '; the next run sends it again'
    for (const message of failures) this.#log('warn', `${message}${again}`)
    const begin = async (): Promise<unknown> => await this.#memory.begin(key, since)
    await this.#remembered(confirm(this.#memory, key, event.state, isReported, begin), undefined)
  }

  #log(level: 'note' | 'warn' | 'error', message: string): void {
    this.#parts.emit({ type: 'log', level, message })
  }
}

function alertError(causes: readonly string[]): SluiceError {
  return new SluiceError('ALERTED', `an alert ended the run: ${causes.join(', ')}`, {
    hint: 'nothing is lost: find the cause, then run the same command again',
  })
}
