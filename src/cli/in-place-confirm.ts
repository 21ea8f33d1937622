/** Shows what `partition in-place` would do, and asks for the name of the table before another one gets it. */
import type { PartitionInPlaceOperation } from '../partition/operations/partition-in-place/declaration.ts'
import { SluiceError } from '../shared/errors.ts'
import { ask } from './confirm.ts'
import type { Surroundings } from './ports.ts'
import type { Session } from './session.ts'

/**
 * In a terminal the dry run is shown first; anywhere else there must be `--confirm`, which the operation itself looks for.
 * @throws SluiceError MISSING_CONFIRM
 */
export async function confirmInPlace(
  operation: PartitionInPlaceOperation,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<{ readonly operation: PartitionInPlaceOperation } | { readonly exitCode: number }> {
  if (operation.dryRun || operation.confirm !== undefined || !interactive) return { operation }
  let name: string | null = null
  const trial = await session.run({ ...operation, dryRun: true }, line, {
    part: 'prelude',
    listen: (event) => {
      if (event.type === 'partition.step' && event.status === 'planned' && /^(?:switch|slice|revert)$/.test(event.step))
        name = event.table
    },
  })
  if (trial.exitCode !== 0) return { exitCode: trial.exitCode }
  // It is partitioned already, or only what was prepared is removed.
  if (name === null) return { operation }
  const answer = (await ask(`Type ${String(name)} to go on: `, session, surroundings)).trim()
  if (answer === name) return { operation: { ...operation, confirm: answer } }
  throw new SluiceError('MISSING_CONFIRM', 'the name does not match: nothing was changed', {
    hint: `type ${String(name)}`,
  })
}
