/** Archived rows that a table does not take, in the words of a restore: those of a copy speak of a source that may have no such row any more. */
import { MemberRefused } from '../../stores/common/refusals.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { elsewhereCommand } from './refusals.ts'

/**
 * Rows on their way back into their table.
 * @throws SluiceError PARTITION_CHANGED for a value that is no member of its enum now: as a further member it would be another value than that of the rows that have
 * stayed; ROW_REFUSED, VALUE_REFUSED
 */
export async function inOwnTable(
  { name }: Pick<ArchiveContext, 'name'>,
  partition: Pick<ArchivedPartition, 'label'>,
  rows: Promise<void>,
): Promise<void> {
  try {
    await rows
  } catch (thrown) {
    const into = elsewhereCommand(name, partition)
    if (thrown instanceof MemberRefused) throw noMember(`${partition.label} of ${name}`, thrown, into)
    throw reworded(
      thrown,
      'change the row of the table that is in its way, or alter the column or the constraint that refuses it, then run the same command again',
      `; or bring the rows into another table: ${into}`,
    )
  }
}

function noMember(what: string, thrown: MemberRefused, into: string): SluiceError {
  const { reason, rename, add } = thrown
  return new SluiceError('PARTITION_CHANGED', `${what} cannot come back: ${thrown.what} now`, {
    where: what,
    ...(reason === undefined ? {} : { reason }),
    hint: `where the member was renamed: ${rename}, run the same command again, and rename it as before; or make NEW_TABLE with a text for that column, and bring the rows there: ${into}; ${add} makes a further member, which is not the renamed one`,
    cause: thrown,
  })
}

/** Rows on their way into another table. @throws SluiceError ROW_REFUSED, VALUE_REFUSED */
export async function inOtherTable<T>(rows: Promise<T>): Promise<T> {
  try {
    return await rows
  } catch (thrown) {
    throw reworded(
      thrown,
      'make the table with a column that holds this value, a text for instance, and without what refuses it, and name it with --into',
    )
  }
}

/**
 * A hint for a row that a store refuses, where it has none or speaks of copies; anything else stays as it is.
 * @param behind stands behind the hint of the store, too
 */
function reworded(thrown: unknown, hint: string, behind = ''): unknown {
  if (!(thrown instanceof SluiceError)) return thrown
  const { code, kind, message, where, reason } = thrown
  const isForCopies = thrown.hint === undefined || / at its source|--on-existing|^compare the value/.test(thrown.hint)
  if (code !== 'ROW_REFUSED' && code !== 'VALUE_REFUSED') return thrown
  const isOwn = isForCopies || thrown instanceof MemberRefused
  if (!isOwn && behind === '') return thrown
  return new SluiceError(code, thrown instanceof MemberRefused ? `${thrown.what} now` : message, {
    kind,
    ...(where === undefined ? {} : { where }),
    ...(reason === undefined ? {} : { reason }),
    hint: `${isOwn ? hint : thrown.hint}${behind}`,
    cause: thrown,
  })
}
