/** Refuses archives by value whose values have other names in the table now. */
import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { otherMeaning } from '../types/index.ts'
import { isPublished } from '../../model/archive/state.ts'
import type { DeclaredSourceType, StoredColumn } from '../../model/archive/stored-column.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

/**
 * Refuses an archive by the values of an enum if a copied value has another name now, because its rows would be found
 * under the new name and archived again. After the rows were removed, only another member of the same name is refused.
 * @param record the archive with the present columns of the table
 * @throws SluiceError PLAN_CHANGED
 */
export function refuseRenamedMembers({ table }: TableSpec, record: ArchiveRecord): void {
  const { partitions, stored, timeColumn } = record
  const now = stored.columns.find(({ name }) => name === timeColumn)
  if (now === undefined || !isByValue(record)) return
  for (const { label, state, from, columns } of partitions) {
    const then = columns.find(({ physical }) => physical === now.physical)
    if (from === null || then === undefined || !isPublished(state)) continue
    const other = otherMeaning(then, now) ?? (state === 'DROPPED' ? null : renamedText(from, then, now))
    if (other !== null) throw renamedError(tableText(table), timeColumn, { label, from }, other)
  }
}

/** Text about a value that the present type no longer has under its recorded name; null if it has it. */
function renamedText(value: string, then: StoredColumn, now: StoredColumn): string | null {
  const [before, members] = [enumParts(then), enumParts(now)]
  if (members === undefined || members.some(({ name }) => name === value)) return null
  const number = before?.find(({ name }) => name === value)?.number
  const renamed = members.find((one) => one.number === number)
  return renamed === undefined ? `the type has no member '${value}' now` : `'${value}' is called '${renamed.name}' now`
}

/** Members of an enum; undefined for other types, and for MySQL, where another list of members is another type. */
function enumParts({ declared }: StoredColumn): DeclaredSourceType['parts'] | undefined {
  return declared?.find(({ kind }) => kind === 'enum')?.parts
}

function renamedError(
  name: string,
  column: string | null,
  { label, from }: Pick<ArchivedPartition, 'label'> & { readonly from: string },
  other: string,
): SluiceError {
  return new SluiceError(
    'PLAN_CHANGED',
    `${label} of ${name} was archived by ${column}, whose members changed: ${other}`,
    {
      where: name,
      reason: 'rows with the other name would be archived again, or be taken for other rows',
      hint: `give the member of ${label} its recorded name '${from}' again, then run the same command`,
    },
  )
}
