/** The partitions that a restore is about. */
import type { ArchivedPartition, ArchiveRecord } from '../../../archive/ledger/record.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { labelNamed } from '../../archiving/label-named.ts'
import { parseCalendar } from '../../calendar/calendar-text.ts'
import type { RestoreOperation } from './declaration.ts'

/** @throws SluiceError PARTITION_STATE for one that is not archived */
export function chosenOf(
  { partitions: named }: Pick<RestoreOperation, 'partitions'>,
  { table }: Pick<TableSpec, 'table'>,
  { calendar, partitions }: ArchiveRecord,
): readonly ArchivedPartition[] {
  const spec = parseCalendar(calendar)
  return named.map((text) => {
    const known = partitions.find((one) => one.label === text)
    const label = known === undefined ? labelNamed(spec, text) : text
    const partition = known ?? partitions.find((one) => one.label === label)
    if (partition !== undefined) return partition
    throw new SluiceError('PARTITION_STATE', `${label} of ${tableText(table)} is not archived`, {
      hint: `sluice archive list --table ${shellQuote(tableText(table))} shows what is`,
    })
  })
}
