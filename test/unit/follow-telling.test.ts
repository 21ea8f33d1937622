/** Who is alarmed by what a stream tells of itself: a rate is judged while the stream is behind, and what notes have waited for as a bound that is true. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Alerts } from '../../src/engine/run/alerts/alerts.ts'
import type { LaneRow } from '../../src/engine/copy/ledger/stream-row.ts'
import { ProgressReporter } from '../../src/engine/follow/progress/events.ts'
import type { AlertCondition, StreamVerdict } from '../../src/model/run/alert.ts'
import type { FollowProgressEvent } from '../../src/model/follow/events.ts'
import type { SourceLag, StreamBirth } from '../../src/model/follow/port.ts'

const NOON = Date.UTC(2026, 10, 22, 12)
const BIRTH = { slot: 'nobody' } as StreamBirth

type Moment = {
  /** Changed rows so far. */
  readonly changes: number
  /** What waits first was committed so long ago; null where nothing waits. */
  readonly waitsMs?: number | null
  readonly applied?: bigint
  readonly lag?: Partial<SourceLag>
  /** When the last applied transaction was committed. */
  readonly commitMs?: number | null
  readonly isShut?: boolean
  /** Since the notes were looked at last and there were none. */
  readonly emptyMs?: number | null
}

/** A stream that is told every second. */
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
        // What never held has nothing to end in this run.
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
      const row: LaneRow = {
        lane: 0,
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
      const source = { isHolding: false, isShut, heldMs: null, emptyForMs: emptyMs, ask: () => undefined }
      // The source is asked in one round, and answers before the next.
      await telling.round(lanes as never, source as never, BIRTH)
      await nextTurn()
      await telling.round(lanes as never, source as never, BIRTH)
      return reported.at(-1) as FollowProgressEvent
    },
  }
}

test('a rate is no matter while a stream keeps up, though something is always on its way', async () => {
  const { tell: report, alerts } = stream({ cause: 'rate', limit: 1000 })
  for (let second = 0; second < 60; second++)
    await report({ changes: second * 7, applied: BigInt(second), waitsMs: second % 3 === 0 ? null : 20 })
  expect(alerts).toEqual([])
})

test('a rate is judged once a stream has been behind for seconds, over that time, and is over once it has caught up', async () => {
  const { tell: report, alerts } = stream({ cause: 'rate', limit: 1000 })
  let changes = 0
  // A rest is no time in which it was slow.
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

test('a run that begins far behind is given seconds before it is judged', async () => {
  const { tell: report, alerts } = stream({ cause: 'rate', limit: 1000 })
  for (let second = 0; second < 5; second++) await report({ changes: 0, waitsMs: 600_000 })
  expect(alerts).toEqual([])
  for (let second = 0; second < 3; second++) await report({ changes: 0, waitsMs: 606_000 })
  expect(alerts).toEqual(['rate raised'])
})

test('notes that a pause holds back raise an alert of lag, of a bound that is said, and none of standing still', async () => {
  const { tell: report, alerts } = stream({ cause: 'lag', limit: 2000 }, { cause: 'stalled', limit: 2000 })
  await report({ changes: 0, lag: { isNoted: false }, emptyMs: 10 })
  for (let second = 0; second < 8; second++)
    await report({ changes: 0, lag: { isNoted: true, waiting: 5n }, isShut: true, emptyMs: second * 1000 })
  expect(alerts).toEqual(['lag raised at most 3.0 s'])
  await report({ changes: 5, lag: { isNoted: false } })
  expect(alerts).toEqual(['lag raised at most 3.0 s', 'lag cleared 0.0 ms'])
})
