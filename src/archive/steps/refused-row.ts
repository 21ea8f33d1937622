/** Errors for archived rows that a table refuses. Unlike the errors of `copy`, they do not mention the source. */
import { MemberRefused } from '../../stores/common/refusals.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { otherTableCommand } from './refusals.ts'

/**
 * Replaces errors of rows that are restored into their own table.
 * @throws SluiceError PARTITION_CHANGED for a value that is no longer a member of its enum: if the member was renamed,
 * adding the old name would create a different member; ROW_REFUSED, VALUE_REFUSED
 */
export async function inOwnTable(
  { name }: Pick<ArchiveContext, 'name'>,
  partition: Pick<ArchivedPartition, 'label'>,
  rows: Promise<void>,
): Promise<void> {
  try {
    await rows
  } catch (thrown) {
    const into = otherTableCommand(name, partition)
    if (thrown instanceof MemberRefused) throw noMember(`${partition.label} of ${name}`, thrown, into)
    throw reworded(
      thrown,
      'change the conflicting row of the table, or alter the column or constraint that refuses the row, then run the same command again',
      `; or restore the rows into another table: ${into}`,
    )
  }
}

function noMember(what: string, thrown: MemberRefused, into: string): SluiceError {
  const { reason, rename, add } = thrown
  return new SluiceError('PARTITION_CHANGED', `${what} cannot be restored: ${thrown.what} now`, {
    where: what,
    reason,
    hint: `if the member was renamed, give it its archived name: ${rename}, run the same command again, then rename the member back; otherwise, create NEW_TABLE with a text type for that column, and restore the rows there: ${into}; ${add} adds another member instead of the renamed one`,
    cause: thrown,
  })
}

/** Replaces errors of rows that are written into another table. @throws SluiceError ROW_REFUSED, VALUE_REFUSED */
export async function inOtherTable<T>(rows: Promise<T>): Promise<T> {
  try {
    return await rows
  } catch (thrown) {
    throw reworded(
      thrown,
      'create the table with a column that can hold this value, such as text, without the refusing constraint, and name it with --into',
    )
  }
}

/** Hints of stores that are only for `copy`. */
const OF_COPIES = / (?:at its|in the) source|--on-existing|^compare the value/

/**
 * Replaces the hint for a refused row if it is missing or is for `copy`; other errors are returned unchanged.
 * @param behind appended to each hint, also to a hint of the store
 */
function reworded(thrown: unknown, hint: string, behind = ''): unknown {
  if (!(thrown instanceof SluiceError)) return thrown
  const { code, kind, message, where, reason } = thrown
  const isForCopies = thrown.hint === undefined || OF_COPIES.test(thrown.hint)
  if (code !== 'ROW_REFUSED' && code !== 'VALUE_REFUSED') return thrown
  const isOwn = isForCopies || thrown instanceof MemberRefused
  if (!isOwn && behind === '') return thrown
  return new SluiceError(code, thrown instanceof MemberRefused ? `${thrown.what} now` : message, {
    kind,
    where,
    reason,
    hint: `${isOwn ? hint : thrown.hint}${behind}`,
    cause: thrown,
  })
}
