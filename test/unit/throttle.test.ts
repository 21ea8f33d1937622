/** Row rate of the throttle, with a clock of the test. */
import { expect, test } from 'vitest'
import { Throttle, type Slowdown } from '../../src/engine/copy/workers/throttle.ts'

function throttleOf(asked: number | null, stop?: AbortSignal) {
  let now = 0
  const changes: (Slowdown | null)[] = []
  const throttle = new Throttle({
    clock: { now: () => now, ticks: () => now },
    requestedRate: () => asked,
    onChange: (change) => changes.push(change),
    ...(stop === undefined ? {} : { stop }),
    sleep: async (ms) => void (now += ms),
  })
  return { throttle, changes, pass: (ms: number) => (now += ms), now: () => now }
}

const NEVER = new AbortController().signal

test('a rate holds over many batches, whatever their size', async () => {
  const { throttle, now } = throttleOf(1000)
  for (let i = 0; i < 20; i++) await throttle.take(500, NEVER)
  // Rows of the first second pass at once; a larger batch is compensated by later waits.
  expect(now()).toBeGreaterThanOrEqual(8500)
  expect(now()).toBeLessThanOrEqual(10_500)
  const large = throttleOf(100)
  await large.throttle.take(1000, NEVER)
  await large.throttle.take(1000, NEVER)
  expect(large.now()).toBeGreaterThanOrEqual(10_000)
})

test('rows that were estimated too low are compensated by later waits', async () => {
  const { throttle, now } = throttleOf(1000)
  for (let i = 0; i < 10; i++) {
    await throttle.take(100, NEVER)
    throttle.correct(900)
  }
  await throttle.take(100, NEVER)
  expect(now()).toBeGreaterThanOrEqual(9000)
  expect(now()).toBeLessThanOrEqual(10_500)
})

test('without a limit nothing waits', async () => {
  const { throttle, now } = throttleOf(null)
  for (let i = 0; i < 100; i++) await throttle.take(1_000_000, NEVER)
  expect(now()).toBe(0)
})

test('pressure halves the rate at intervals, and later the limit is removed', async () => {
  const { throttle, changes, pass } = throttleOf(null)
  for (let i = 0; i < 10; i++) {
    throttle.countRows(10_000)
    await throttle.take(10_000, NEVER)
    pass(1000)
  }
  throttle.slowDown('the target answers 429')
  throttle.slowDown('the target answers 429')
  expect(changes).toHaveLength(1)
  const halved = changes[0]?.rate ?? 0
  expect(halved).toBeGreaterThan(4000)
  expect(halved).toBeLessThan(6000)
  pass(11_000)
  throttle.slowDown('the target answers 429')
  expect(changes[1]?.rate).toBe(Math.floor(halved / 2))
  for (let i = 0; i < 200 && changes.at(-1) !== null; i++) {
    pass(11_000)
    await throttle.take(1, NEVER)
  }
  expect(changes.at(-1)).toBeNull()
  expect(throttle.limit).toBeNull()
})

test('an abort ends the wait', async () => {
  const { throttle } = throttleOf(1)
  const aborted = AbortSignal.abort()
  await throttle.take(1, NEVER)
  await throttle.take(1_000_000, aborted)
})

test('a slow batch is split into parts of a second, and ends within seconds of a stop', async () => {
  const stop = new AbortController()
  const { throttle, now } = throttleOf(100, stop.signal)
  const left: (readonly [number, number])[] = []
  await throttle.paced(500, NEVER, (rows) => left.push([rows, Math.round(now() / 1000)]))
  expect(left.map(([rows]) => rows)).toEqual([400, 300, 200, 100, 0])
  expect(left.at(-1)?.[1]).toBe(5)
  stop.abort()
  const from = now()
  await expect(throttle.paced(10_000, NEVER, () => undefined)).rejects.toMatchObject({ code: 'STOPPED' })
  expect(now() - from).toBeLessThan(5000)
})

test('each of many chunks shows progress within four seconds, at a rate that they share', async () => {
  const { throttle, now } = throttleOf(100)
  const longest = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const seen = [now()]
      await throttle.paced(100, NEVER, () => seen.push(now()))
      return Math.max(...seen.slice(1).map((at, i) => at - (seen[i] ?? 0)))
    }),
  )
  expect(Math.max(...longest)).toBeLessThan(4000)
  expect(now()).toBeGreaterThan(14_000)
})
