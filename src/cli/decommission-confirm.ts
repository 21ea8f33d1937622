/** Shows what `partition decommission` would do, and asks for the name of the parked table, or of the database, where that is to drop it. */
import type { PartitionDecommissionDatabaseOperation } from '../partition/operations/partition-decommission-database/declaration.ts'
import type { PartitionDecommissionOperation } from '../partition/operations/partition-decommission/declaration.ts'
import { SluiceError } from '../shared/errors.ts'
import { ask } from './confirm.ts'
import type { Surroundings } from './ports.ts'
import type { Session } from './session.ts'

/**
 * In a terminal the dry run is shown first; a step that can be undone is not asked for. Anywhere else there must be `--confirm`, which the operation itself looks
 * for when it is about to drop.
 * @throws SluiceError MISSING_CONFIRM
 */
export async function confirmDecommission<
  O extends PartitionDecommissionOperation | PartitionDecommissionDatabaseOperation,
>(
  operation: O,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<{ readonly operation: O } | { readonly exitCode: number }> {
  const { dryRun, undo, inactive, confirm } = operation
  if (dryRun || undo || inactive || confirm !== undefined || !interactive) return { operation }
  let name: string | null = null
  const trial = await session.run({ ...operation, dryRun: true }, line, {
    part: 'prelude',
    listen: (event) => {
      if (event.type === 'decommission.step' && event.step === 'dropped' && event.status === 'planned')
        name = event.table
    },
  })
  if (trial.exitCode !== 0) return { exitCode: trial.exitCode }
  if (name === null) return { operation }
  const answer = (await ask(`Type ${String(name)} to drop it for good: `, session, surroundings)).trim()
  if (answer === name) return { operation: { ...operation, confirm: answer } }
  throw new SluiceError('MISSING_CONFIRM', 'the name does not match: nothing was changed', {
    hint: `type ${String(name)}`,
  })
}
