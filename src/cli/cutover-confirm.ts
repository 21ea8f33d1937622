/** Shows gates and findings of a switch, and asks for the public name before the tables change places. */
import type { CutoverOperation } from '../engine/follow/operations/cutover/declaration.ts'
import { SluiceError } from '../shared/errors.ts'
import { ask } from './confirm.ts'
import type { Surroundings } from './ports.ts'
import type { Session } from './session.ts'

/**
 * In a terminal the dry run is shown first; anywhere else there must be `--confirm`, which the operation itself looks for.
 * @throws SluiceError MISSING_CONFIRM
 */
export async function confirmCutover(
  operation: CutoverOperation,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<{ readonly operation: CutoverOperation } | { readonly exitCode: number }> {
  if (operation.dryRun || operation.confirm !== undefined || !interactive) return { operation }
  let name: string | null = null
  const trial = await session.run({ ...operation, dryRun: true }, line, {
    part: 'prelude',
    listen: (event) => {
      if (event.type === 'cutover.gate' && event.table !== undefined) name = event.table
    },
  })
  if (trial.exitCode !== 0) return { exitCode: trial.exitCode }
  // The last turn went there already: nothing changes places.
  if (name === null) return { operation }
  const answer = (
    await ask(`Type ${String(name)} to give this name to the other table: `, session, surroundings)
  ).trim()
  if (answer === name) return { operation: { ...operation, confirm: answer } }
  throw new SluiceError('MISSING_CONFIRM', 'the name does not match: nothing was changed', {
    hint: `type ${String(name)}`,
  })
}
