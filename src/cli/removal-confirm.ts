/** Shows what `prune` and `archive sweep` would remove, and asks a person for the name of the table before it goes. */
import type { ArchiveSweepOperation } from '../archive/operations/archive-sweep/declaration.ts'
import type { PruneOperation } from '../engine/lake/operations/prune/declaration.ts'
import { SluiceError } from '../shared/errors.ts'
import { shellQuote } from '../shared/shell.ts'
import { ask } from './confirm.ts'
import type { Surroundings } from './ports.ts'
import type { Session } from './session.ts'

/** The operation with its confirmation, or the exit code when it may not be. */
type RemovalConfirmation<O> = { readonly operation: O } | { readonly exitCode: number }

/** What is typed where it is not one table. */
const SEVERAL = 'all'

/** Versions that a catalog gives up. @throws SluiceError MISSING_CONFIRM */
export async function confirmPrune(
  operation: PruneOperation,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<RemovalConfirmation<PruneOperation>> {
  return await confirmRemoval(operation, 'give these versions up', line, interactive, session, surroundings)
}

/** Files that no version of an archive names. @throws SluiceError MISSING_CONFIRM */
export async function confirmSweep(
  operation: ArchiveSweepOperation,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<RemovalConfirmation<ArchiveSweepOperation>> {
  return await confirmRemoval(operation, 'remove these files', line, interactive, session, surroundings)
}

/**
 * In a terminal the dry run is shown first, and where it removes nothing nobody is asked. A job goes on as it is written: its flags say what may go; but
 * a name that is given has to be the right one.
 */
async function confirmRemoval<O extends PruneOperation | ArchiveSweepOperation>(
  operation: O,
  what: string,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<RemovalConfirmation<O>> {
  const { tables, confirm, dryRun } = operation
  const [only = SEVERAL, ...more] = tables
  const name = more.length === 0 ? only : SEVERAL
  if (dryRun || confirm === name) return { operation }
  if (confirm !== undefined) {
    throw new SluiceError('MISSING_CONFIRM', `--confirm names ${confirm}, and what may go is ${name}`, {
      hint: `write --confirm=${shellQuote(name)} if that is what is meant`,
    })
  }
  if (!interactive) return { operation }
  const trial = await session.run({ ...operation, dryRun: true }, line, { part: 'prelude' })
  if (trial.exitCode !== 0) return { exitCode: trial.exitCode }
  if (removesNothing(trial.totals)) return { operation }
  const answer = (await ask(`Type ${name} to ${what}: `, session, surroundings)).trim()
  if (answer === name) return { operation: { ...operation, confirm: answer } }
  throw new SluiceError('MISSING_CONFIRM', 'the name does not match: nothing was changed', { hint: `type ${name}` })
}

/** The totals of a plan count what would go, beside the tables that were looked at. */
function removesNothing(totals: Readonly<Record<string, string>>): boolean {
  return Object.entries(totals).every(([count, amount]) => count === 'tables' || amount === '0')
}
