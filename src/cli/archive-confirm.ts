/** Shows what `archive run --drop` is going to remove, and asks for the name of the table before it does. */
import type { ArchiveAdoptOperation } from '../archive/operations/archive-adopt/declaration.ts'
import type { ArchiveEraseOperation } from '../archive/operations/archive-erase/declaration.ts'
import type { ArchiveExpireOperation } from '../archive/operations/archive-expire/declaration.ts'
import type { ArchiveOperation } from '../archive/operations/archive-run/declaration.ts'
import { SluiceError } from '../shared/errors.ts'
import { shellQuote } from '../shared/shell.ts'
import { typedAfterTrial } from './confirm.ts'
import type { Surroundings } from './ports.ts'
import type { Session } from './session.ts'

export type DropConfirmation = { readonly operation: ArchiveOperation } | { readonly exitCode: number }

/**
 * The operation with its confirmation, or the exit code when it may not be. What drops nothing needs none; in a terminal the plan is
 * shown first; anywhere else there must be `--confirm`.
 * @throws SluiceError MISSING_CONFIRM
 */
export async function confirmDrop(
  operation: ArchiveOperation,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<DropConfirmation> {
  const [table = ''] = operation.tables
  if (!operation.drop || operation.dryRun || operation.confirm === table) return { operation }
  if (operation.confirm !== undefined) {
    throw new SluiceError('MISSING_CONFIRM', `--confirm names ${operation.confirm}, and --table ${table}`, {
      hint: `write --confirm=${shellQuote(table)} if that is what is meant`,
    })
  }
  if (!interactive) {
    throw new SluiceError(
      'MISSING_CONFIRM',
      `--drop removes rows of ${table} for good and wants its name as confirmation`,
      {
        hint: `add --confirm=${shellQuote(table)}, or --dry-run to see what would go`,
      },
    )
  }
  return typedAfterTrial(operation, { name: table, so: 'to drop what is past its grace' }, line, session, surroundings)
}

/** The same for `archive adopt`: in a terminal the comparison is shown first. @throws SluiceError MISSING_CONFIRM */
export const confirmAdopt = typedOnce<ArchiveAdoptOperation>('to take its archive over')

/** The same for `archive erase`: in a terminal the rows are counted first. @throws SluiceError MISSING_CONFIRM */
export const confirmErase = typedOnce<ArchiveEraseOperation>(
  'to erase these rows for good, with every older version of the archive',
)

/** The same for `archive expire`: in a terminal the partitions are shown first. @throws SluiceError MISSING_CONFIRM */
export const confirmExpire = typedOnce<ArchiveExpireOperation>('to let these partitions expire')

type OfOneTable = ArchiveAdoptOperation | ArchiveEraseOperation | ArchiveExpireOperation

/** Without a terminal the operation itself looks for `--confirm`. @param so what the name is typed for */
function typedOnce<O extends OfOneTable>(so: string) {
  return async (
    operation: O,
    line: string,
    interactive: boolean,
    session: Session,
    surroundings: Surroundings,
  ): Promise<{ readonly operation: O } | { readonly exitCode: number }> => {
    const { table, confirm, dryRun } = operation
    if (dryRun || confirm !== undefined || !interactive) return { operation }
    return typedAfterTrial(operation, { name: table, so }, line, session, surroundings)
  }
}
