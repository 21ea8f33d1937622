import { afterEach, expect, test, vi } from 'vitest'
import { SharedCount } from '../../src/engine/copy/workers/shared-count.ts'
import type { SharedTables } from '../../src/engine/copy/ledger/shared-tables.ts'

afterEach(() => void vi.useRealTimers())

test('a ledger that was away is read again at the usual interval, and a slow one less often', async () => {
  vi.useFakeTimers()
  let ticks = 0
  const readAt: number[] = []
  const reported: number[] = []
  let isAway = true
  const totals = async () => {
    readAt.push(ticks)
    ticks += 2000
    if (isAway) throw new Error('away')
    return { rows: 1n, chunks: 1, at: ticks }
  }
  const count = new SharedCount(
    { totals } as Partial<SharedTables> as SharedTables,
    ({ at }) => void reported.push(at),
    {
      now: () => ticks,
      ticks: () => ticks,
    },
  )
  const pass = async (ms: number): Promise<void> => {
    ticks += ms
    await vi.advanceTimersByTimeAsync(ms)
  }
  // The first read is immediate, so that a task that is killed within seconds has left a count.
  await pass(0)
  expect(readAt).toHaveLength(1)
  isAway = false
  await pass(5000)
  expect([readAt.length, reported.length]).toEqual([2, 1])
  await pass(5000)
  expect(readAt).toHaveLength(3)
  await pass(50_000)
  expect(readAt).toHaveLength(3)
  await pass(50_000)
  expect(readAt).toHaveLength(4)
  await count.end()
})

test('a read that waited for a server that was away delays no later read', async () => {
  vi.useFakeTimers()
  let [ticks, takesMs, reads] = [0, 20, 0]
  const totals = async () => {
    reads++
    ticks += takesMs
    return { rows: 1n, chunks: 1, at: ticks }
  }
  const clock = { now: () => ticks, ticks: () => ticks }
  const count = new SharedCount({ totals } as Partial<SharedTables> as SharedTables, () => undefined, clock)
  const pass = async (ms: number): Promise<void> => {
    ticks += ms
    await vi.advanceTimersByTimeAsync(ms)
  }
  await pass(0)
  takesMs = 30_000
  await pass(5000)
  takesMs = 20
  await pass(5000)
  await pass(5000)
  expect(reads).toBe(4)
  await count.end()
})
