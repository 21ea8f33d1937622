/** A target that becomes slower slows the copy down, as far as that helps; with a clock of the test. */
import { expect, test } from 'vitest'
import { SlowTarget } from '../../src/engine/copy/workers/slow-target.ts'
import { Throttle, type Slowdown } from '../../src/engine/copy/workers/throttle.ts'
import type { TargetLatency } from '../../src/model/run/event.ts'

const NEVER = new AbortController().signal
const MEBIBYTE = 1024 * 1024

function stage() {
  let now = 0
  const clock = { now: () => now, ticks: () => now }
  const changes: (Slowdown | null)[] = []
  const reported: TargetLatency[] = []
  const throttle = new Throttle({
    clock,
    requestedRate: () => null,
    onChange: (change) => changes.push(change),
    sleep: async (ms) => void (now += ms),
  })
  const pulse = new SlowTarget(clock, throttle, (latency) => reported.push(latency))
  /** Seconds in which batches of 1 MiB with 1000 rows take this many ms each. */
  const seconds = async (count: number, cost: (second: number) => number, batches = 10): Promise<void> => {
    const begun = now
    for (let second = 0; now < begun + count * 1000; second++) {
      const end = now + 1000
      for (let i = 0; i < batches; i++) {
        throttle.countRows(1000)
        if (throttle.limit !== null) await throttle.take(1000, NEVER)
        pulse.wrote(cost(second), MEBIBYTE)
        pulse.check()
      }
      now = Math.max(now, end)
      pulse.check()
    }
  }
  return {
    throttle,
    pulse,
    changes,
    told: reported,
    seconds,
    rates: () => changes.map((change) => change?.rate ?? null),
  }
}

test('the baseline is learned and reported, and a healthy target is not throttled', async () => {
  const { seconds, changes, told: reported } = stage()
  // Waves, single spikes, and a slow increase.
  await seconds(300, (second) => 40 + 30 * Math.sin(second) + (second % 17 === 0 ? 0 : second / 5))
  expect(changes).toEqual([])
  expect(reported).toHaveLength(60)
  expect(reported[0]).toMatchObject({ baselineMs: null })
  expect(reported.at(-1)?.baselineMs).toBeGreaterThan(60)
})

test('a single stall is not slow, and a multiple of a very short time is not either', async () => {
  const { seconds, changes } = stage()
  await seconds(20, () => 10)
  await seconds(2, () => 3000, 1)
  await seconds(20, () => 10)
  await seconds(30, () => 400)
  expect(changes).toEqual([])
})

test('a slow target gets half the rate, then a quarter and an eighth, and the full rate when it recovers', async () => {
  const { seconds, changes, rates, throttle } = stage()
  await seconds(30, () => 150)
  await seconds(12, () => 900)
  expect(changes).toHaveLength(1)
  expect(changes[0]).toMatchObject({
    rate: 5000,
    reason: 'the target takes 900 ms for a megabyte of rows, and usually 150 ms',
    latency: { p95Ms: 900, baselineMs: 150 },
  })
  await seconds(25, () => 900)
  expect(rates()).toEqual([5000, 2500, 1250])
  // The lowest rate is reported once.
  await seconds(15, () => 900)
  expect(rates()).toEqual([5000, 2500, 1250])
  // Latency is better, but not normal: the rate stays.
  await seconds(20, () => 550)
  expect(throttle.limit).toBe(1250)
  await seconds(200, () => 150)
  expect(rates()).toEqual([5000, 2500, 1250, null])
})

test('if a lower rate does not help, the throttling ends', async () => {
  const { seconds, rates, throttle } = stage()
  await seconds(30, () => 150)
  await seconds(120, () => 900)
  expect(rates().at(-1)).toBeNull()
  expect(throttle.limit).toBeNull()
  const before = rates().length
  await seconds(60, () => 900)
  expect(rates()).toHaveLength(before)
  // From the new baseline it can become slow again.
  await seconds(8, () => 5000)
  expect(rates()).toHaveLength(before + 1)
})

test('a stream is measured by the bytes that the target accepted, and small frames are added up', async () => {
  const { pulse, told: reported, seconds } = stage()
  for (let i = 0; i < 16 * 50; i++) pulse.streamed(i % 16 === 0 ? 32 : 0, MEBIBYTE / 16)
  await seconds(6, () => 32, 0)
  expect(reported[0]).toEqual({ p95Ms: 32, baselineMs: null })
})

test('the commit of a chunk can become slow while rows do not', async () => {
  const { pulse, seconds, changes } = stage()
  const chunks = async (count: number, ms: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      pulse.committed(ms)
      pulse.committed(ms)
      await seconds(1, () => 20)
    }
  }
  await chunks(30, 100)
  await chunks(12, 4000)
  expect(changes[0]?.reason).toBe('the target takes 4.0 s for the end of a chunk, and usually 100 ms')
})
