/** Estimates how long an archive run takes, from earlier runs. */
import { expect, test } from 'vitest'
import { plannedMs } from '../../src/archive/plan/forecast.ts'

test('partitions of few rows give no estimate of the time per row', () => {
  // One row that had to wait for a lock: 97 s.
  expect(plannedMs([{ rows: 1n, ms: 97_000 }], [1n])).toBeNull()
  expect(plannedMs([{ rows: 5n, ms: 2000 }], [1_000_000n])).toBeNull()
  expect(plannedMs([], [1n])).toBeNull()
})

test('a partition of one late row takes the shortest time that was measured', () => {
  const samples = [
    { rows: 1_000_000n, ms: 5000 },
    { rows: 2_000_000n, ms: 9000 },
    { rows: 1n, ms: 1000 },
  ]
  expect(plannedMs(samples, [1n])).toBeCloseTo(1000, 0)
  expect(plannedMs(samples, [1_000_000n, 1n])).toBeCloseTo(6000, 0)
  expect(plannedMs(samples, [30_000_000n])).toBeNull()
})
