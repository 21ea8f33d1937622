/** How long a run of an archive takes, foretold from what was archived before. */
import { expect, test } from 'vitest'
import { foretoldMs } from '../../src/archive/plan/forecast.ts'

test('partitions of few rows say nothing of a row', () => {
  // One row that had to wait for a lock: 97 s.
  expect(foretoldMs([{ rows: 1n, ms: 97_000 }], [1n])).toBeNull()
  expect(foretoldMs([{ rows: 5n, ms: 2000 }], [1_000_000n])).toBeNull()
  expect(foretoldMs([], [1n])).toBeNull()
})

test('one late row takes what a partition takes at least', () => {
  const samples = [
    { rows: 1_000_000n, ms: 5000 },
    { rows: 2_000_000n, ms: 9000 },
    { rows: 1n, ms: 1000 },
  ]
  expect(foretoldMs(samples, [1n])).toBeCloseTo(1000, 0)
  expect(foretoldMs(samples, [1_000_000n, 1n])).toBeCloseTo(6000, 0)
  expect(foretoldMs(samples, [30_000_000n])).toBeNull()
})
