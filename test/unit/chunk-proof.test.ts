/** The error of a chunk whose rows differ names the causes that its target can have. */
import { expect, test } from 'vitest'
import { compareDigests } from '../../src/engine/copy/chunk/chunk-proof.ts'
import type { TablePlan } from '../../src/model/copy/plan.ts'

const PLAN = { source: { table: { name: 't' } } } as TablePlan
const BY_ROW = { isByRow: true, isResumed: false }
const [ten, nine] = [
  { rows: 10n, sum: 'a' },
  { rows: 9n, sum: 'b' },
]

test('a target that stores each row at once may have lost rows with a killed server, and the way out is a new run', () => {
  expect(() => compareDigests(PLAN, ten, nine, BY_ROW)).toThrow(
    expect.objectContaining({
      reason: expect.stringContaining('a server of the target was killed') as unknown,
      hint: expect.stringContaining('run the same command again') as unknown,
    }) as Error,
  )
})

test('too many rows, and a chunk that is one transaction, have no such cause', () => {
  for (const fails of [() => compareDigests(PLAN, nine, ten, BY_ROW), () => compareDigests(PLAN, ten, nine)])
    expect(fails).toThrow(
      expect.objectContaining({ reason: expect.stringMatching(/^a trigger or another writer/) as unknown }) as Error,
    )
})
