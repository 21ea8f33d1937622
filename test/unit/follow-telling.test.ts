/**
 * Alerts of a stream from its progress: the rate counts only while the stream is behind, and the lag of notes is an
 * upper bound.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Alerts } from '../../src/engine/run/alerts/alerts.ts'
import type { ApplyWorkerRow } from '../../src/engine/copy/ledger/stream-row.ts'
import { ProgressReporter } from '../../src/engine/follow/progress/reporter.ts'
import type { AlertCondition, StreamVerdict } from '../../src/model/run/alert.ts'
import type { FollowProgressEvent } from '../../src/model/follow/events.ts'
import type { SourceLag, StreamStart } from '../../src/model/follow/port.ts'

const NOON = Date.UTC(2026, 10, 22, 12)
const BIRTH = { slot: 'nobody' } as StreamStart

type Moment = {
  /** Changed rows so far. */
  readonly changes: number
  /** Age of the oldest change that waits, in ms; null if none waits. */
  readonly waitsMs?: number | null
  readonly applied?: bigint
  readonly lag?: Partial<SourceLag>
  /** Commit time of the last applied transaction. */
  readonly commitMs?: number | null
  readonly isShut?: boolean
  /** Time since an inspection last found no notes, in ms. */
  readonly emptyMs?: number | null
}

/** A stream whose progress is reported every second. */
function stream(...conditions: AlertCondition[]): {
  tell: (moment: Moment) => Promise<FollowProgressEvent>
  readonly alerts: readonly string[]
} {
  let ticks = 0
  let moment: Moment = { changes: 0 }
  const reported: FollowProgressEvent[] = []
  const alerted: string[] = []
  const clock = { now: () => NOON + ticks, ticks: () => ticks }
  const lag = (): SourceLag => ({
    now: (moment.applied ?? 10n) + (moment.waitsMs == null ? 0n : 1000n),
    heldBytes: 0n,
    safeBytes: null,
    status: 'reserved',
    readerWaits: false,
    ...moment.lag,
  })
  const telling = new ProgressReporter(
    {
      changes: { lag: () => Promise.resolve(lag()), text: String },
      states: { list: ['live'] },
      run: {
        emit: (event: FollowProgressEvent) => {
          if (event.type === 'follow.progress') reported.push(event)
        },
        interrupt: { abort: new AbortController().signal },
      },
      tables: [{ name: 't' }],
      clock,
      from: { label: 'here' },
      to: { label: 'there', can: { writers: 8 } },
      steering: { isPaused: false, stop: new AbortController().signal },
      alerts: new Alerts({ conditions }, ({ cause, holds, value }: StreamVerdict) => {
        // An alert that was never raised is not cleared in this run.
        if (!holds && !alerted.some((one) => one.startsWith(cause))) return
        const state = holds ? 'raised' : 'cleared'
        alerted.push(cause === 'lag' ? `${cause} ${state} ${value}` : `${cause} ${state}`)
      }),
    } as unknown as ConstructorParameters<typeof ProgressReporter>[0],
    BIRTH,
  )
  return {
    alerts: alerted,
    tell: async (next) => {
      ticks += 1000
      moment = next
      const { changes, waitsMs = null, applied = 10n, commitMs = null, isShut = false, emptyMs = null } = next
      const row: ApplyWorkerRow = {
        worker: 0,
        position: '',
        batches: 0,
        commitMs,
        transactions: 0,
        counts: { t: { inserts: changes, updates: 0, deletes: 0, truncates: 0 } },
      }
      const lanes = {
        applied,
        taken: applied,
        hasNothing: waitsMs === null,
        oldestMs: waitsMs === null ? null : clock.now() - waitsMs,
        row,
      }
      const source = {
        isHolding: false,
        isReadingPaused: isShut,
        heldMs: null,
        emptyForMs: emptyMs,
        ask: () => undefined,
      }
      // The source is queried in one round, and answers before the next.
      await telling.round(lanes as never, source as never, BIRTH)
      await nextTurn()
      await telling.round(lanes as never, source as never, BIRTH)
      return reported.at(-1) as FollowProgressEvent
    },
  }
}

test('the rate is not checked while a stream keeps up, even if some change always waits', async () => {
  const { tell: report, alerts } = stream({ cause: 'rate', limit: 1000 })
  for (let second = 0; second < 60; second++)
    await report({ changes: second * 7, applied: BigInt(second), waitsMs: second % 3 === 0 ? null : 20 })
  expect(alerts).toEqual([])
})

test('the rate is checked after seconds of being behind, over that time, and cleared after catching up', async () => {
  const { tell: report, alerts } = stream({ cause: 'rate', limit: 1000 })
  let changes = 0
  // Time without changes does not count as slow.
  for (let second = 0; second < 20; second++) await report({ changes })
  for (let second = 1; second <= 20; second++)
    await report({ changes: (changes += 2000), waitsMs: second * 1000, applied: BigInt(changes) })
  expect(alerts).toEqual([])
  for (let second = 0; second < 12; second++)
    await report({ changes: (changes += 10), waitsMs: 20_000 + second * 1000, applied: BigInt(changes) })
  expect(alerts).toEqual(['rate raised'])
  await report({ changes: (changes += 10), waitsMs: 40, applied: BigInt(changes) })
  expect(alerts).toEqual(['rate raised', 'rate cleared'])
})

test('a run that starts far behind has some seconds before the rate is checked', async () => {
  const { tell: report, alerts } = stream({ cause: 'rate', limit: 1000 })
  for (let second = 0; second < 5; second++) await report({ changes: 0, waitsMs: 600_000 })
  expect(alerts).toEqual([])
  for (let second = 0; second < 3; second++) await report({ changes: 0, waitsMs: 606_000 })
  expect(alerts).toEqual(['rate raised'])
})

test('notes during a pause raise a lag alert with an upper bound, and no stalled alert', async () => {
  const { tell: report, alerts } = stream({ cause: 'lag', limit: 2000 }, { cause: 'stalled', limit: 2000 })
  await report({ changes: 0, lag: { isNoted: false }, emptyMs: 10 })
  for (let second = 0; second < 8; second++)
    await report({ changes: 0, lag: { isNoted: true, waiting: 5n }, isShut: true, emptyMs: second * 1000 })
  expect(alerts).toEqual(['lag raised at most 3.0 s'])
  await report({ changes: 5, lag: { isNoted: false } })
  expect(alerts).toEqual(['lag raised at most 3.0 s', 'lag cleared 0.0 ms'])
})
