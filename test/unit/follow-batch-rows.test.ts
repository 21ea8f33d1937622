/** How many rows share a transaction of the target. */
import { expect, test } from 'vitest'
import { BatchRows } from '../../src/engine/follow/apply/waiting-changes.ts'

test('more rows share a transaction of a slow target, and fewer again once it is quick', () => {
  const batch = new BatchRows()
  const after = (ms: number): number => {
    batch.took(ms)
    return batch.most
  }
  expect(batch.most).toBe(10_000)
  expect([90, 501, 600, 2000, 300, 49, 10, 1].map(after)).toEqual([
    10_000, 20_000, 20_000, 20_000, 20_000, 10_000, 10_000, 10_000,
  ])
})

test('many small transactions wait longer for each other than a few, or a large one', () => {
  const batch = new BatchRows()
  expect(batch.lingerMs(399, 399, 20)).toBe(20)
  expect(batch.lingerMs(9_999, 19, 20)).toBe(20)
  expect(batch.lingerMs(400, 20, 40)).toBe(150)
  expect(batch.lingerMs(400, 20, 41)).toBe(20)
})
