/** Estimated rows of a part of a token ring. */
import { expect, test } from 'vitest'
import { extentOfPart, type RingPlan } from '../../src/engine/copy/plan/ring-plan.ts'

const RING = { low: 0n, high: 999n }
const plan = (part: string | null, ...wanted: RingPlan['wanted']): RingPlan => ({
  ring: RING,
  splits: wanted.length,
  isRequested: true,
  wanted,
  part,
})
const EXTENT = { rows: 130_129n, exact: true, low: null, high: null, nullKeys: false }

test.each([
  ['all of it as it was counted', plan(null, RING), 130_129n, true],
  ['a tiny range is at least a row', plan('a part', { low: 5n, high: 5n }), 131n, false],
  ['half of it', plan('a part', { low: 0n, high: 249n }, { low: 500n, high: 749n }), 65_065n, false],
  ['a part of no rows', plan('a part'), 0n, false],
] as const)('%s', (_name, ring, rows, exact) => {
  expect(extentOfPart(EXTENT, ring)).toMatchObject({ rows, exact })
})
