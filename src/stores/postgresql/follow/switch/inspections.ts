/** All that is looked at before and within a switch. */
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
 * In the order in which their statements are to run: sequences belong to the owner of their table, and have their names before they are exchanged.
 * @param codeOf looks at triggers and rules: what becomes of those of the old table depends on whether anything is applied to it
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

const LOOKS = inspections(ownCodeOf)
/** These have no statements, and nobody waits for them. */
const ONLY_TOLD: readonly CutoverInspection[] = [cutoverLeftFindings, cutoverHolderFindings]

/** @param within the switch: without what is only told */
export async function stepsOf(sides: CutoverTables, within: boolean): Promise<readonly CutoverStep[]> {
  const steps: CutoverStep[] = []
  for (const look of [...LOOKS, ...(within ? [] : ONLY_TOLD)]) steps.push(...(await look(sides)))
  return steps
}

/** Without the statements, which are the store's own. */
export function findingOf({ before: _, after: __, ...finding }: CutoverStep): SwitchFinding {
  return finding
}
