/** All inspections before and within a cutover. */
import type { SwitchFinding } from '../../../../model/follow/switch-port.ts'
import { cutoverBoundFindings } from './bound.ts'
import { cutoverColumnFindings } from './columns.ts'
import { cutoverHolderFindings } from './holders.ts'
import { cutoverLeftFindings } from './left.ts'
import { namesOf } from './names.ts'
import { ownCodeOf } from './own-code.ts'
import { cutoverPublicationFindings } from './publications.ts'
import { cutoverReferenceFindings } from './references.ts'
import { securityOf } from './security.ts'
import { cutoverSequenceFindings } from './sequences.ts'
import { cutoverShapeFindings } from './shape.ts'
import type { CutoverInspection, CutoverTables, CutoverStep } from './sides.ts'

/**
 * The inspections, in the order in which their statements must run. Sequences come after `securityOf`, because they
 * need the owner of their table, and before `namesOf`, because they use the names from before the exchange.
 * @param codeOf inspects triggers and rules: its findings depend on whether changes are applied to the old table
 */
export function inspections(codeOf: CutoverInspection): readonly CutoverInspection[] {
  return [
    cutoverShapeFindings,
    cutoverColumnFindings,
    securityOf,
    cutoverSequenceFindings,
    namesOf,
    cutoverReferenceFindings,
    codeOf,
    cutoverBoundFindings,
    cutoverPublicationFindings,
  ]
}

const INSPECTIONS = inspections(ownCodeOf)
/** Inspections that only report: they have no statements, and no session should wait for them. */
const ONLY_REPORTED: readonly CutoverInspection[] = [cutoverLeftFindings, cutoverHolderFindings]

/** @param within true within the cutover: leaves out inspections that are only reported */
export async function stepsOf(sides: CutoverTables, within: boolean): Promise<readonly CutoverStep[]> {
  const steps: CutoverStep[] = []
  for (const inspect of [...INSPECTIONS, ...(within ? [] : ONLY_REPORTED)]) steps.push(...(await inspect(sides)))
  return steps
}

/** Leaves out the statements, which only the store uses. */
export function findingOf({ before: _, after: __, ...finding }: CutoverStep): SwitchFinding {
  return finding
}
