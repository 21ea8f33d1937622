/** How many rows one transaction of the target contains. */
import { expect, test } from 'vitest'
import { BatchRows } from '../../src/engine/follow/apply/waiting-changes.ts'

test('more rows share a transaction if the target is slow, and fewer again if it is fast', () => {
  const batch = new BatchRows()
  const after = (ms: number): number => {
    batch.adapt(ms)
    return batch.most
  }
  expect(batch.most).toBe(10_000)
  expect([90, 501, 600, 2000, 300, 49, 10, 1].map(after)).toEqual([
    10_000, 20_000, 20_000, 20_000, 20_000, 10_000, 10_000, 10_000,
  ])
})

test('many small transactions wait longer for a common batch than a few, or a large one', () => {
  const batch = new BatchRows()
  expect(batch.lingerMs(399, 399, 20)).toBe(20)
  expect(batch.lingerMs(9_999, 19, 20)).toBe(20)
  expect(batch.lingerMs(400, 20, 40)).toBe(150)
  expect(batch.lingerMs(400, 20, 41)).toBe(20)
})
