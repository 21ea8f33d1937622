/** Positions are ordered in either text form, and streams with counters report notes in place of bytes. */
import { expect, test } from 'vitest'
import { positionOf } from '../../src/model/copy/position.ts'
import { counterFault, counterOf, counterText } from '../../src/stores/common/trigger-stream/counter.ts'
import { LagMeter } from '../../src/engine/follow/progress/stream-lag.ts'
import { Progress } from '../../src/engine/follow/progress/progress.ts'
import { streamProgressText } from '../../src/render/follow-lines.ts'
import { systemClock } from '../../src/shared/clock.ts'

const said = <T>(body: T): T & { v: 1; seq: number; ts: string; runId: string } => ({
  v: 1,
  seq: 1,
  ts: '2026-11-21T00:00:00.000Z',
  runId: '1',
  ...body,
})

test('log positions and counters are ordered by value', () => {
  expect(positionOf('0/9')).toBeLessThan(positionOf('0/10'))
  expect(positionOf('1/0')).toBe(1n << 32n)
  expect(positionOf('9')).toBeLessThan(positionOf('10'))
  expect(counterOf(counterText(2n ** 62n))).toBe(2n ** 62n)
  for (const text of ['', 'x', '0/', '-1', '1.5']) expect(() => positionOf(text)).toThrow('not a position')
  expect(() => counterOf('0/1')).toThrow('not a number of a counter')
})

test('a counter that decreased is OTHER_SERVER, and notes that the target missed are SLOT_LOST', () => {
  expect(counterFault(5n, 4n, 5n)).toBeNull()
  expect(counterFault(5n, null, 0n)).toBeNull()
  expect(counterFault(4n, 4n, 5n)).toMatchObject({ code: 'OTHER_SERVER' })
  expect(counterFault(9n, 6n, 5n)).toMatchObject({ code: 'SLOT_LOST' })
})

test('waiting changes are reported as notes if positions are not bytes', () => {
  const lane = { worker: 0, position: '5', batches: 1, commitMs: systemClock.now() - 3000, transactions: 1, counts: {} }
  const reported = (waiting: bigint): ReturnType<Progress['event']> => {
    const lag = { now: 900n, waiting, isNoted: waiting > 0n, heldBytes: 4096n, safeBytes: null, status: 'reserved' }
    const behind = new LagMeter().measure({
      applied: 5n,
      idleAt: null,
      commitMs: lane.commitMs,
      durableMs: lane.commitMs,
      lag,
      clockMs: systemClock.now(),
    })
    return new Progress(systemClock).event(5n, lane, behind, lag, ['live'], counterText)
  }
  expect(reported(31n)).toMatchObject({ position: '5', end: '900', lagBytes: '0', waiting: '31' })
  expect(reported(31n).lagMs).toBeGreaterThan(2000)
  expect(reported(31n).remainingMs).toBeUndefined()
  expect(streamProgressText(said(reported(31n)))).toMatch(/^5 {2}lag at most 3.*, 31 notes, 0 changes\/s/)
  // A counter that has advanced without notes is no lag.
  expect(reported(0n)).toMatchObject({ lagMs: 0, waiting: '0' })
  expect(streamProgressText(said(reported(0n)))).toContain('no lag')
})
