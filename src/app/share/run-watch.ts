/**
 * Alerts of shared runs that no task can raise: a killed, hung or disconnected worker reports nothing, so every live
 * worker reads the queue for all runs. The queue stores active alerts, so that each alert is reported by one host.
 * Times are from the clock of the queue's database.
 */
import type { AlertEvent, AlertKey, AlertOptions } from '../../model/run/alert.ts'
import type { AlertState } from '../../model/run/alert-memory.ts'
import type { RecordedAlert, ActiveChunk, WatchedRun } from '../../model/share/distributed.ts'
import { tookText } from '../../shared/figures.ts'
import { isoTime, systemClock } from '../../shared/clock.ts'
import { errorLine } from '../../shared/errors.ts'
import type { AlertNote } from '../../model/share/queue-port.ts'
import { openChunkKey } from '../alerts/causes/standing-chunks.ts'
import { byTable, chunksText, movedText, alertDurationText, stuckText } from '../alerts/causes/stuck.ts'
import { AlertQueue } from '../alerts/in-turn.ts'
import { operationText, alertKey, subjectPlace } from '../alerts/scope.ts'
import {
  alertId,
  alertIdOf,
  isReached,
  send,
  sinksOf,
  type AlertSinks,
  type SentAlert,
} from '../../engine/run/alerts/sinks.ts'
import { alertOptionsOf } from '../alerts/options.ts'
import { subjectsOf } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import type { Whole } from '../whole-commands/whole.ts'
import { EndCounts } from './end-counts.ts'
import { FinishedChunks } from './finished-chunks.ts'
import { knownOperation } from './known-operation.ts'
import type { AlertRun, AdvancedChunk, OwnTask, QueueWatch, WatchParts } from '../../engine/run/watch-port.ts'

/** Operation of a run, with its alert options and sinks. */
type AlertedRun = { readonly operation: Operation; readonly wish: AlertOptions; readonly sinks: AlertSinks }
/** A run with its alert options. */
type KnownRun = AlertedRun & { readonly run: WatchedRun }
/** A chunk without progress. @property host null if unknown */
type StalledChunk = ActiveChunk & { readonly host: string | null }
/**
 * @property moves returns new progress of a chunk since an alert named it
 * @property finished keys of finished chunks
 */
type ChunkProgress = {
  readonly moves: (key: string) => readonly AdvancedChunk[]
  readonly finished: ReadonlySet<string>
  readonly limit: string
}
type AlertWords = Omit<AlertEvent, 'type' | 'run' | 'state'>
type OnSent = (isReported: boolean) => Promise<void>
/** @property run id of the alert's run @property since start of the alert, ms since the epoch */
type EndedAlert = { readonly run: string; readonly since: number; readonly words: AlertWords }
/** An alert that waits to be sent. */
type UnsentAlert = { readonly state: AlertState; settled: OnSent }

export class RunWatch implements QueueWatch {
  readonly #parts: WatchParts
  readonly #whole: Whole
  readonly #finished: FinishedChunks
  readonly #counts: EndCounts
  /** Chunks of active alerts by run, and when this worker first read each, ms of a monotonic clock. */
  readonly #named = new Map<string, ReadonlyMap<string, number>>()
  /** Chunks at the start of each `stuck` alert, by run and table; `since` distinguishes alerts of one table. */
  readonly #raised = new Map<string, Pick<RecordedAlert, 'since' | 'chunks'>>()
  readonly #sending = new AlertQueue()
  /** The latest unsent alert, by id. */
  readonly #waiting = new Map<string, UnsentAlert>()

  /** @param whole completes the commands in the text of an alert */
  constructor(parts: WatchParts, whole: Whole = (text) => text) {
    this.#parts = parts
    this.#whole = whole
    this.#finished = new FinishedChunks(parts.known)
    this.#counts = new EndCounts(parts.queue, parts.known)
  }

  async evaluate(own: readonly OwnTask[]): Promise<void> {
    for (const run of await this.#parts.queue.watch()) {
      const asked = this.alertedRun(run)
      if (asked === null) continue
      const known = { ...asked, run }
      await this.#reportFailures(known)
      await this.#reportLosses(known)
      await this.#checkNoWorker(known)
      await this.#checkStuck(
        known,
        own.filter(({ runId }) => runId === run.runId),
      )
    }
  }

  async countEnds(): Promise<void> {
    await this.#counts.read()
  }

  cleared(run: AlertRun, key: AlertKey, since: number): void {
    const { cause, table } = key
    const asked = this.alertedRun(run)
    if (asked === null) return
    const value = 'it ended while the queue could not be reached'
    const words = { cause, value, ...(table === '' ? {} : { table }) }
    const sent = this.#confirmation(key, 'cleared')
    // If no sink accepted the end, record the alert as active: the next check finds it, and ends it again.
    const settled: OnSent = async (isReported) =>
      await (isReported
        ? sent(true)
        : this.#parts.alerts.begin(key, { run: run.runId, at: since }).then(() => undefined))
    this.#sendEnd(asked, key, { run: run.runId, since, words }, settled)
  }

  async sent(ms: number): Promise<number> {
    return await this.#sending.done(ms)
  }

  /** A run with its alert options; null if it has none, or this program version does not have its operation. */
  alertedRun({ runId, operation: read }: AlertRun): AlertedRun | null {
    const operation = knownOperation(read)
    const options = operation === null ? undefined : alertOptionsOf(operation)
    if (operation === null || options === undefined) return null
    const sinks = sinksOf(options, { run: runId, about: operationText(operation), host: this.#parts.host })
    return { operation, wish: options, sinks }
  }

  /**
   * Raises failures that no task program reported, independent of the worker that recorded the end. The alerts have the
   * keys of a task's alerts, so that a later successful run clears them.
   */
  async #reportFailures({ run }: KnownRun): Promise<void> {
    const { queue, alerts } = this.#parts
    for (const { no, operation, error } of run.unreported) {
      const slot = { runId: run.runId, no }
      const taken = await queue.takeFailure(slot)
      if (taken === null) continue
      const reported = async (): Promise<void> => await queue.reported(slot, taken.at)
      const asked = this.alertedRun({ runId: run.runId, operation })
      if (asked === null || !asked.wish.conditions.some(({ cause }) => cause === 'failed')) {
        await reported()
        continue
      }
      const key = alertKey(asked.operation, 'failed', '', true)
      const { is, since } = await alerts.begin(key)
      // The alert has been active since an earlier run, unless a worker recorded it and was killed before sending it.
      if (is === 'stands' && !taken.isAgain) {
        await reported()
        continue
      }
      const where = error.where === undefined ? '' : ` (${error.where})`
      const value = `${errorLine(error)}${where}`
      const table = subjectsOf(asked.operation).map((name) => subjectPlace(asked.operation, name))
      const event: AlertEvent = { type: 'alert', cause: 'failed', state: 'raised', run: run.runId, value }
      this.#send(
        asked,
        { ...event, id: alertIdOf(key, since) },
        this.#confirmation(key, 'raised', reported),
        table.join(','),
      )
    }
  }

  /** Reports tasks of lost workers, each once. An alert ends when a worker has the task again, or the run is over. */
  async #reportLosses(known: KnownRun): Promise<void> {
    const { runId, status, lost } = known.run
    const { queue } = this.#parts
    for (const loss of lost) {
      const { no, host, at, state, beatAt, isBack } = loss
      const key = { runId, no }
      const id = alertId(runId, no, at)
      const reported = { type: 'alert', cause: 'worker-lost', run: runId, id, ...hostOf(host) } as const
      // Workers read the same data concurrently: noteLoss returns true for one of them, which reports the task.
      if (await queue.noteLoss(key, at, 'reported'))
        this.#send(known, { ...reported, state: 'raised', value: lossText(loss) }, async (isReported) => {
          if (isReported) await queue.noteLoss(key, at, 'sent')
        })
      if (state === 'queued' && status === 'running') continue
      if (!(await queue.noteLoss(key, at, 'over'))) continue
      const isOver =
        status === 'running' ? `task ${no} has ended, and the run continues without it` : 'the run has ended'
      const how = state === 'working' ? `${isBack === true ? 'the same' : 'another'} worker has task ${no}` : isOver
      const value = `${how}; the last heartbeat was at ${isoTime(beatAt)}`
      this.#send(known, { ...reported, state: 'cleared', value }, async (isReported) => {
        if (isReported) await queue.noteLoss(key, at, 'forgotten')
      })
    }
  }

  /**
   * Raises `no-worker` while no live worker has the run's program version. Ends the alert when such a worker exists, or
   * when the run has ended.
   */
  async #checkNoWorker(known: KnownRun): Promise<void> {
    const { runId, waitsFor, alerts, status } = known.run
    const key: AlertKey = { scope: `run ${runId}`, cause: 'no-worker', table: '' }
    if (waitsFor !== null) {
      const command = this.#whole(`sluice runs --distributed --run ${runId}`)
      const value = `no live worker of version ${waitsFor} takes the run; ${command} shows how to continue`
      await this.#begin(known, key, { cause: 'no-worker', value }, { run: runId })
    } else if (alerts.some(({ cause }) => cause === 'no-worker')) {
      const value = status === 'running' ? 'a live worker takes the run' : 'the run has ended'
      await this.#end(known, key, { cause: 'no-worker', value })
    }
  }

  async #checkStuck(known: KnownRun, own: readonly OwnTask[]): Promise<void> {
    const { run, operation, wish } = known
    const condition = wish.conditions.find(({ cause }) => cause === 'stuck')
    if (condition === undefined || !('limit' in condition)) return
    const limit = alertDurationText(condition.limit)
    const isRunning = run.status === 'running' && !run.isHeld
    const all = !isRunning
      ? []
      : stalledChunksOf(run, own, this.#parts.host).filter(({ stoodMs }) => stoodMs > condition.limit)
    const standing = run.alerts.filter(({ cause }) => cause === 'stuck')
    const finished = await this.#finishedOf(known, all, standing)
    for (const [table, chunks] of byTable(all.filter((chunk) => !finished.has(openChunkKey(chunk))))) {
      const key = alertKey(operation, 'stuck', table, true)
      const at = run.now - Math.max(...chunks.map(({ stoodMs }) => stoodMs))
      const hosts = [...new Set(chunks.flatMap(({ host }) => host ?? []))].join(', ')
      const words: AlertWords = {
        cause: 'stuck',
        table,
        ...hostOf(hosts === '' ? null : hosts),
        value: stuckText(chunks),
        limit,
      }
      const note = { at, run: run.runId, chunks: chunks.map(({ chunk }) => chunk) }
      const since = await this.#begin(known, key, words, note)
      if (since !== null) this.#raised.set(raisedKey(run.runId, key), { since, chunks: note.chunks })
    }
    for (const alert of standing) this.#noteRaised(run.runId, alert)
    const now = systemClock.ticks()
    const named = this.#namedSince(run.runId, standing, now)
    // An alert names a chunk only after the limit without progress, so progress in this window is newer than the alert.
    const moves = (key: string): readonly AdvancedChunk[] =>
      own.flatMap((slot) => slot.moved(now - (named.get(key) ?? now) + condition.limit))
    for (const alert of standing) await this.#endIfUnstuck(known, alert, { moves, finished, limit })
  }

  /** Chunks that were finished by another host, for example by a silent host after its last heartbeat. */
  async #finishedOf(
    { run, operation }: KnownRun,
    stood: readonly StalledChunk[],
    standing: readonly RecordedAlert[],
  ): Promise<ReadonlySet<string>> {
    const named = standing.flatMap(({ table, chunks }) => chunks.map((chunk) => ({ table, chunk })))
    const keys = new Set(named.map(openChunkKey))
    const fresh = stood.filter((chunk) => !keys.has(openChunkKey(chunk)))
    return await this.#finished.finishedKeys(run, operation, fresh, named)
  }

  /**
   * Ends the alert when each of its chunks has made progress, when the run was stopped, or when this run or a later run
   * of the same command succeeded. A failed run does not end the alert.
   */
  async #endIfUnstuck(known: KnownRun, alert: RecordedAlert, { moves, finished, limit }: ChunkProgress): Promise<void> {
    const { run, operation } = known
    const { table, chunks } = alert
    const over = async (value: string): Promise<void> =>
      await this.#end(known, alert, { cause: 'stuck', table, value, limit })
    if (run.status === 'ok' || run.status === 'stopped') return await over('the run has ended')
    if (run.isMended) return await over('a later run of the same command has ended well')
    const goesOn = (chunk: string): boolean =>
      moves(openChunkKey({ table, chunk })).some(
        (move) =>
          alertKey(operation, 'stuck', move.table, true).table === table &&
          (move.chunk === null || move.chunk === chunk),
      )
    const moved = [...new Set(chunks)].filter((chunk) => goesOn(chunk) || finished.has(openChunkKey({ table, chunk })))
    if (chunks.length > 0 && (moved.length === 0 || !(await this.#parts.alerts.moved(alert, moved)))) return
    const raised = this.#raised.get(raisedKey(run.runId, alert))?.chunks ?? chunks
    if (raised.length === 0) return await over('its chunks continue or are done')
    // Some chunks of the alert made progress in an earlier check, on this host or another one.
    if (raised.some((chunk) => !moved.includes(chunk)))
      return await over(movedText(raised, new Set(['further', 'done'])))
    const [isOne, isDone] = [raised.length === 1, !moved.some(goesOn)]
    const how = isDone ? (isOne ? 'is done' : 'are done') : `${isOne ? 'continues' : 'continue'} on ${this.#parts.host}`
    await over(`${chunksText(raised.map((chunk) => ({ chunk })))} ${how}`)
  }

  /** Stores the chunks of an alert, once per alert. For an alert of another host, these are the chunks first read. */
  #noteRaised(runId: string, alert: RecordedAlert): void {
    const key = raisedKey(runId, alert)
    if (this.#raised.get(key)?.since === alert.since) return
    this.#raised.set(key, alert)
  }

  /** When this worker first read each chunk of the active alerts; drops chunks that no active alert names. */
  #namedSince(runId: string, standing: readonly RecordedAlert[], now: number): ReadonlyMap<string, number> {
    const before = this.#named.get(runId)
    const keys = standing.flatMap(({ table, chunks }) => chunks.map((chunk) => openChunkKey({ table, chunk })))
    const named = new Map(keys.map((key) => [key, before?.get(key) ?? now]))
    if (named.size === 0) this.#named.delete(runId)
    else this.#named.set(runId, named)
    return named
  }

  /** @returns start of the alert, ms since the epoch by the clock of the queue; null if it was active before */
  async #begin(known: KnownRun, key: AlertKey, words: AlertWords, note: AlertNote): Promise<number | null> {
    const { alerts } = this.#parts
    const { is, since } = await alerts.begin(key, note)
    if (is === 'stands') return null
    const event: AlertEvent = { type: 'alert', state: 'raised', run: known.run.runId, ...words }
    this.#send(known, { ...event, id: alertIdOf(key, since) }, this.#confirmation(key, 'raised'))
    return since
  }

  async #end(known: KnownRun, key: AlertKey, words: AlertWords): Promise<void> {
    const { runId } = known.run
    const end = await this.#parts.alerts.end(key)
    this.#raised.delete(raisedKey(runId, key))
    if (end.is === 'cleared') this.#sendEnd(known, key, { run: runId, since: end.since, words })
  }

  #sendEnd(
    asked: AlertedRun,
    key: AlertKey,
    { run, since, words: { value, ...words } }: EndedAlert,
    settled = this.#confirmation(key, 'cleared'),
  ): void {
    const reported = `${value}; it was open since ${isoTime(since)}`
    const event: AlertEvent = { type: 'alert', state: 'cleared', run, ...words, value: reported }
    this.#send(asked, { ...event, id: alertIdOf(key, since) }, settled)
  }

  /**
   * The returned function records in the queue that a sink accepted the alert. If no sink did, a check after
   * `CONFIRM_MS` finds the alert unconfirmed and sends it again.
   * @param reached called if a sink accepted the alert
   */
  #confirmation(key: AlertKey, state: AlertState, reached?: () => Promise<void>): OnSent {
    return async (isReported) => {
      if (!isReported) return
      await this.#parts.alerts.sent(key, state)
      await reached?.()
    }
  }

  /**
   * Sends an alert after the waiting ones. A duplicate of a waiting alert only replaces its `settled`: the queue
   * returns an alert again if it is not confirmed within a minute.
   * @param settled called with true if a sink accepted the alert @param table for sinks, if the alert has no table
   */
  #send({ sinks }: Pick<AlertedRun, 'sinks'>, { id, ...event }: SentAlert, settled: OnSent, table = ''): void {
    const { emit } = this.#parts
    const known = this.#waiting.get(id)
    if (known?.state === event.state) {
      known.settled = settled
      return
    }
    const waiting: UnsentAlert = { state: event.state, settled }
    this.#waiting.set(id, waiting)
    this.#sending.append(async () => {
      emit(event)
      const failures = await send({ id, ...(table === '' ? {} : { table }), ...event }, sinks)
      for (const message of failures) emit({ type: 'log', level: 'warn', message })
      if (this.#waiting.get(id) === waiting) this.#waiting.delete(id)
      await waiting.settled(isReached(failures, sinks)).catch(() => undefined)
    })
  }
}

function raisedKey(runId: string, { scope, table }: Pick<AlertKey, 'scope' | 'table'>): string {
  return `${runId}\0${scope}\0${table}`
}

/** Chunks without progress, of silent tasks and own tasks. For a chunk in both, the entry of the own task is used. */
function stalledChunksOf({ now, silent }: WatchedRun, own: readonly OwnTask[], host: string): readonly StalledChunk[] {
  const all = [
    ...silent.flatMap(({ chunks, beatAt, host: other }) =>
      chunks.map((chunk) => ({ ...chunk, stoodMs: now - beatAt + chunk.stoodMs, host: other })),
    ),
    ...own.flatMap(({ standing }) => standing.map((chunk) => ({ ...chunk, host }))),
  ]
  return [...new Map(all.map((chunk) => [openChunkKey(chunk), chunk])).values()]
}

function lossText({ no, host, beatAt, at, chunks, isKilled }: WatchedRun['lost'][number]): string {
  const had = [...byTable(chunks)].map(([table, some]) => `${chunksText(some)} of ${table}`).join(', ')
  const what = had === '' ? '' : `; it worked on ${had}`
  if (isKilled === true)
    return `the program of task ${no} did not respond on ${host ?? 'a worker'} and was killed, and the task waits for a worker${what}`
  return `${host ?? 'a worker'} sent no heartbeat for ${tookText(at - beatAt)}, and task ${no} waits for another worker${what}`
}

function hostOf(host: string | null): { readonly host?: string } {
  return host === null ? {} : { host }
}
