/** Archived values that are no members of their enum now: a member was renamed, or the type was made anew. */
import { MemberRefused } from '../../stores/refusals.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { restoreCommand } from './refusals.ts'

/**
 * Rows on their way back into their table.
 * @throws SluiceError PARTITION_CHANGED for a value that is no member now: as a further member it would be another value than that of the rows that have stayed
 */
export async function withMembers(
  { name }: Pick<ArchiveContext, 'name'>,
  partition: Pick<ArchivedPartition, 'label'>,
  rows: Promise<void>,
): Promise<void> {
  try {
    await rows
  } catch (thrown) {
    if (!(thrown instanceof MemberRefused)) throw thrown
    const { label } = partition
    const { what, rename, add, reason } = thrown
    const into = restoreCommand(name, partition, '--into', 'NEW_TABLE')
    throw new SluiceError('PARTITION_CHANGED', `${label} of ${name} cannot come back: ${what} now`, {
      where: `${name}, ${label}`,
      ...(reason === undefined ? {} : { reason }),
      hint: `where the member was renamed: ${rename}, run the same command again, and rename it as before; or make NEW_TABLE with a text for that column, and bring the rows there: ${into}; ${add} makes a further member, which is not the renamed one`,
      cause: thrown,
    })
  }
}

/** Rows on their way into another table. @throws SluiceError ROW_REFUSED for a value that is no member now */
export async function withMembersElsewhere<T>(rows: Promise<T>): Promise<T> {
  try {
    return await rows
  } catch (thrown) {
    if (!(thrown instanceof MemberRefused)) throw thrown
    const { what, reason, where } = thrown
    throw new SluiceError('ROW_REFUSED', `${what} now`, {
      ...(where === undefined ? {} : { where }),
      ...(reason === undefined ? {} : { reason }),
      hint: 'make the table with a text for this column, and name it with --into',
      cause: thrown,
    })
  }
}
