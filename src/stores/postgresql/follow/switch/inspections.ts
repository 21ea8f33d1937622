/** All that is looked at before and within a switch. */
import type { SwitchFinding } from '../../../../model/follow/switch-port.ts'
import { boundOf } from './bound.ts'
import { columnsOf } from './columns.ts'
import { holdersOf } from './holders.ts'
import { leftOf } from './left.ts'
import { namesOf } from './names.ts'
import { ownCodeOf } from './own-code.ts'
import { publicationsOf } from './publications.ts'
import { referencesOf } from './references.ts'
import { securityOf } from './security.ts'
import { sequencesOf } from './sequences.ts'
import { shapeOf } from './shape.ts'
import type { Look, Sides, Step } from './sides.ts'

/**
 * In the order in which their statements are to run: sequences belong to the owner of their table, and have their names before they are exchanged.
 * @param codeOf looks at triggers and rules: what becomes of those of the old table depends on whether anything is applied to it
 */
export function inspections(codeOf: Look): readonly Look[] {
  return [shapeOf, columnsOf, securityOf, sequencesOf, namesOf, referencesOf, codeOf, boundOf, publicationsOf]
}

const LOOKS = inspections(ownCodeOf)
/** These have no statements, and nobody waits for them. */
const ONLY_TOLD: readonly Look[] = [leftOf, holdersOf]

/** @param within the switch: without what is only told */
export async function stepsOf(sides: Sides, within: boolean): Promise<readonly Step[]> {
  const steps: Step[] = []
  for (const look of [...LOOKS, ...(within ? [] : ONLY_TOLD)]) steps.push(...(await look(sides)))
  return steps
}

/** Without the statements, which are the store's own. */
export function findingOf({ before: _, after: __, ...finding }: Step): SwitchFinding {
  return finding
}
