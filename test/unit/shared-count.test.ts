import { afterEach, expect, test, vi } from 'vitest'
import { SharedCount } from '../../src/engine/copy/workers/shared-count.ts'
import type { SharedTables } from '../../src/engine/copy/ledger/shared-tables.ts'

afterEach(() => void vi.useRealTimers())

test('a ledger that was away for long is read again as soon as before, and one that takes long to add up is not', async () => {
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
  // At once, so that a task that is killed within seconds leaves a reading.
  await pass(0)
  expect(readAt).toHaveLength(1)
  isAway = false
  await pass(5000)
  expect([readAt.length, reported.length]).toEqual([2, 1])
  await pass(50_000)
  expect(readAt).toHaveLength(2)
  await pass(50_000)
  expect(readAt).toHaveLength(3)
  await count.end()
})
