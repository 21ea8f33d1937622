/** Reports the findings of a partition plan. */
import type { Run } from '../engine/run/run-context.ts'
import type { PlanFinding } from '../model/partition/plan-port.ts'
import { SluiceError } from '../shared/errors.ts'

const ORDER: readonly PlanFinding['verdict'][] = ['refused', 'changes', 'not looked', 'made', 'fine']

/** Reports findings, refusals first. @returns them in this order */
export function reportFindings(
  table: string,
  found: readonly PlanFinding[],
  { emit }: Pick<Run<'partition.finding'>, 'emit'>,
): readonly PlanFinding[] {
  const sorted = found.toSorted((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict))
  for (const finding of sorted) emit({ type: 'partition.finding', table, ...finding })
  return sorted
}

/** Error for a refused plan. @param done the refused operation as a participle, such as `partitioned in place` */
export function refusedError(table: string, done: string, refused: readonly PlanFinding[], hint: string): SluiceError {
  const blocks = `${refused.length} ${refused.length === 1 ? 'finding blocks' : 'findings block'} it`
  return new SluiceError('PARTITION_REFUSED', `${table} cannot be ${done}: ${blocks}`, {
    where: table,
    reason: [...new Set(refused.map(({ about }) => about))].join(', '),
    hint,
  })
}
