/** Compares the digest of rows read with the digest of the target. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'

/** @throws SluiceError PROOF_FAILED naming what differs */
export function compareDigests(plan: TablePlan, source: Digest, target: Digest): void {
  if (equalDigests(source, target)) return
  const what =
    source.rows === target.rows
      ? `the ${source.rows} rows have different values`
      : `${source.rows} rows were read, ${target.rows} are in the target`
  throw new SluiceError(
    'PROOF_FAILED',
    `the target does not hold the rows that were read from ${plan.source.table.name}: ${what}`,
    {
      reason: 'a trigger or another writer changed rows of the target, or the target stores some value in another way',
      hint: 'sluice diff names the rows that differ',
    },
  )
}
