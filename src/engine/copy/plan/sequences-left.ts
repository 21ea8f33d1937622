/** Columns whose sequences a target cannot have, or not as the source has them. */
import { tableText, type Column } from '../../../model/copy/column-type.ts'
import { leftBehind, type LeftBehind, type LeftKind } from '../../../model/copy/left-behind.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { StoreAbilities } from '../../../model/copy/port.ts'

type Numbering = Pick<StoreAbilities, 'numbering'>

/** Whether the target gives numbers to one of its columns, as far as a plan tells. */
export function isNumbered({ target, create }: TablePlan, column: string, { numbering }: Numbering): boolean {
  if (numbering === undefined || !create) return true
  return target.key[0] === column && (numbering === 'first of key' || target.key.length === 1)
}

/** @param sameSystem whether both sides keep sequences in the same way */
export function sequencesLeft(plan: TablePlan, can: Numbering, sameSystem: boolean): readonly LeftBehind[] {
  const found = new Map<LeftKind, string[]>()
  for (const { from, to, source, target } of plan.columns) {
    const kind = lostOf(source, target, isNumbered(plan, to, can), can.numbering !== undefined && !sameSystem)
    if (kind !== null) found.set(kind, [...(found.get(kind) ?? []), from])
  }
  return [...found].map(([kind, names]) => leftBehind(kind, names, tableText(plan.source.table)))
}

/** @param plain whether the target numbers rows without a sequence */
function lostOf({ sequence }: Column, target: Column, isOwn: boolean, plain: boolean): LeftKind | null {
  if (sequence === undefined) return null
  if (target.sequence === undefined || !isOwn) return 'sequence'
  if (!plain) return null
  if (sequence.named !== undefined) return 'shared sequence'
  return sequence.options?.cycle === true ? 'cyclic sequence' : null
}
