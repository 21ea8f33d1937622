/** All that is looked at before and within a switch. */
import type { SwitchFinding } from '../../switch-port.ts'
import { namesOf } from './names.ts'
import { sequencesOf } from './sequences.ts'
import type { Look, Sides, Step } from './sides.ts'

const LOOKS: readonly Look[] = [sequencesOf, namesOf]

/** In the order in which their statements are to run. */
export async function stepsOf(sides: Sides): Promise<readonly Step[]> {
  const steps: Step[] = []
  for (const look of LOOKS) steps.push(...(await look(sides)))
  return steps
}

/** Without the statements, which are the store's own. */
export function findingOf({ before: _, after: __, ...finding }: Step): SwitchFinding {
  return finding
}
