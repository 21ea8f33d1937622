/** Lag while a source is silent, and when the remaining time is estimated. */
import { expect, test } from 'vitest'
import { streamProgressText } from '../../src/render/follow-lines.ts'
import { LagMeter, type StreamLag } from '../../src/engine/follow/progress/stream-lag.ts'
import { Progress } from '../../src/engine/follow/progress/progress.ts'
import type { SourceLag } from '../../src/model/follow/port.ts'

const HOUR_MS = 3_600_000
/** By the clock of the source. */
const NOON = Date.UTC(2026, 10, 22, 12)

const lagTo = (now: bigint, readerWaits?: boolean): SourceLag => ({
  now,
  heldBytes: now,
  safeBytes: null,
  status: 'reserved',
  ...(readerWaits === undefined ? {} : { readerWaits }),
})

/** @param last commit time of the last applied transaction, in seconds before noon; null if there is none */
function silence(last: number | null): (seconds: number, idleAt: bigint, lag: SourceLag) => StreamLag {
  const one = new LagMeter()
  const commitMs = last === null ? null : NOON - last * 1000
  return (seconds, idleAt, lag) =>
    one.measure({ applied: idleAt, idleAt, commitMs, lag, clockMs: NOON + seconds * 1000 })
}

test('while the source decodes, a reopened stream has the lag of the last applied transaction', () => {
  const look = silence(3600)
  expect(look(0, 10n, lagTo(9000n, false))).toEqual({
    lagMs: HOUR_MS,
    lagIs: 'at most',
    isCaughtUp: false,
    isEarly: true,
  })
  expect(look(7, 10n, lagTo(9000n, false))).toMatchObject({ lagMs: HOUR_MS + 7000, isEarly: false })
  // The source has reported that the stream was at the end of its log, so what waits is younger than that.
  expect(look(8, 9000n, lagTo(9900n, false))).toMatchObject({ lagMs: 0, isCaughtUp: true })
  expect(look(20, 9000n, lagTo(9990n, false))).toEqual({
    lagMs: 13_000,
    lagIs: 'at most',
    isCaughtUp: false,
    isEarly: false,
  })
  expect(look(21, 9990n, lagTo(9990n, false))).toMatchObject({ lagMs: 0, isCaughtUp: true })
  const first = silence(null)
  expect(first(0, 10n, lagTo(9000n, false))).toMatchObject({ lagMs: 0, lagIs: 'at least', isCaughtUp: false })
  expect(first(9, 10n, lagTo(9000n, false))).toMatchObject({ lagMs: 9000, lagIs: 'at least', isEarly: false })
})

test('a source at rest has no lag, even if other sessions write tables that are not replicated', () => {
  const rest = silence(3600)
  // A reader cannot see what other sessions have not flushed to disk.
  for (const seconds of [0, 1, 60, 3600]) expect(rest(seconds, 10n, lagTo(9000n, true)).lagMs).toBe(0)
  const busy = silence(3600)
  expect(busy(0, 10n, lagTo(10n, false)).lagMs).toBe(0)
  for (let second = 1; second < 60; second++) {
    const reported = BigInt(1000 * (second - (second % 5)))
    expect(busy(second, reported, lagTo(BigInt(1000 * second), false))).toMatchObject({ lagMs: 0, isCaughtUp: true })
  }
})

test('waiting notes are no older than the last time at which there were none', () => {
  const one = new LagMeter()
  /**
   * @param durable start of the last applied batch of notes, and empty the last time without notes: seconds after noon
   */
  const look = (seconds: number, isNoted: boolean, durable: number | null, empty: number | null): StreamLag =>
    one.measure({
      applied: 10n,
      idleAt: null,
      // A batch that is reported now contains older notes.
      commitMs: NOON + seconds * 1000,
      durableMs: durable === null ? null : NOON + durable * 1000,
      lag: { ...lagTo(10n), isNoted },
      emptyForMs: empty === null ? null : (seconds - empty) * 1000,
      clockMs: NOON + seconds * 1000,
    })
  const behind = { lagIs: 'at most', isCaughtUp: false }
  // An earlier run applied a batch nine minutes ago; whether the source was at rest since then is not known yet.
  expect(look(0, true, -540, null)).toEqual({ ...behind, lagMs: 540_000, isEarly: true })
  expect(look(7, true, -540, null)).toEqual({ ...behind, lagMs: 547_000, isEarly: false })
  expect(look(8, true, 1, null)).toEqual({ ...behind, lagMs: 7000, isEarly: false })
  expect(look(9, false, 1, null)).toEqual({ lagMs: 0, isCaughtUp: true, isEarly: false })
  expect(look(60, true, 1, 59)).toEqual({ ...behind, lagMs: 1000, isEarly: false })
  // During a pause the notes are not inspected.
  expect(look(68, true, 1, 59)).toEqual({ ...behind, lagMs: 9000, isEarly: false })
  const first = new LagMeter()
  const lag = { ...lagTo(10n), isNoted: true }
  for (const [seconds, lagMs] of [
    [0, 0],
    [8, 8000],
  ] as const)
    expect(
      first.measure({ applied: 10n, idleAt: 10n, commitMs: null, lag, clockMs: NOON + seconds * 1000 }),
    ).toMatchObject({ lagMs, lagIs: 'at least', isCaughtUp: false })
})

test('the remaining time is estimated while the position moves, and not while a lock blocks the stream', () => {
  let now = 0
  const progress = new Progress({ now: () => NOON + now, ticks: () => now })
  const behind: StreamLag = { lagMs: 60_000, isCaughtUp: false, isEarly: false }
  const reported = (applied: bigint, transactions: number): ReturnType<Progress['event']> => {
    now += 1000
    const counts = { t: { inserts: transactions, updates: 0, deletes: 0, truncates: 0 } }
    return progress.event(applied, { transactions, counts }, behind, lagTo(1_000_000_000n), ['live'], String)
  }
  // One small step gives no rate.
  expect(reported(1000n, 0).remainingMs).toBeUndefined()
  expect(reported(1500n, 1).remainingMs).toBeUndefined()
  for (let i = 2; i < 10; i++) reported(BigInt(i) * 1_000_000n, i)
  expect(reported(10_000_000n, 10).remainingMs).toBeGreaterThan(900_000)
  const held = Array.from({ length: 20 }, () => reported(10_000_000n, 10))
  expect(held.slice(3).map(({ remainingMs }) => remainingMs)).toEqual(Array(17).fill(undefined))
  const line = { v: 1, seq: 1, ts: '2026-11-22T12:00:00.000Z', runId: '1' } as const
  expect(streamProgressText({ ...line, ...reported(10_000_000n, 10), lagIs: 'at most' })).toMatch(
    / lag at most 1:00, 9/,
  )
})

test('a source that does not answer, or that is not read, does not count as at rest', () => {
  const one = new LagMeter()
  const look = (seconds: number, more: { isOld?: boolean; isUnread?: boolean }, lag = lagTo(10n, true)): StreamLag =>
    one.measure({ applied: 10n, idleAt: 10n, commitMs: NOON, lag, clockMs: NOON + seconds * 1000, ...more })
  expect(look(1, {})).toMatchObject({ lagMs: 0, isCaughtUp: true })
  expect(look(3, { isOld: true, isUnread: true })).toMatchObject({ lagMs: 0 })
  const mute = { lagMs: 11_000, lagIs: 'at most', isCaughtUp: false, isEarly: false }
  expect(look(12, { isOld: true, isUnread: true })).toEqual(mute)
  expect(look(13, {})).toMatchObject({ lagMs: 0, isCaughtUp: true })
  // The source has sent everything, but this side has not read it yet.
  expect(look(30, { isUnread: true }, lagTo(9000n, true))).toMatchObject({ lagMs: 17_000, isEarly: false })
})

test('a paused stream has the rate 0', () => {
  let ticks = 0
  const progress = new Progress({ now: () => NOON, ticks: () => ticks })
  const rate = (changes: number, isHeld: boolean): string => {
    ticks += 1000
    const counts = { t: { inserts: changes, updates: 0, deletes: 0, truncates: 0 } }
    const behind = { lagMs: 0, isCaughtUp: true, isEarly: false }
    return progress.event(10n, { transactions: 1, counts }, behind, lagTo(10n, true), ['live'], String, isHeld).rate
  }
  expect([rate(0, false), rate(500, false), rate(1000, false)]).toEqual(['0', '500', '500'])
  // Transactions that were open when the pause began are still applied.
  expect([rate(1500, true), rate(1500, true), rate(1500, true)]).toEqual(['500', '0', '0'])
  expect([rate(1600, false), rate(1700, false)]).toEqual(['100', '100'])
})
