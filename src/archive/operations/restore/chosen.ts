/** Selects the partitions of a restore; for a period, its parts that have rows to restore. */
import type { ArchivedPartition, ArchiveRecord } from '../../ledger/record.ts'
import { isPublished } from '../../../model/archive/state.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { askedFor, isAsked } from '../../work/named-partitions.ts'
import { nearestText } from '../../plan/label-named.ts'
import { recordCalendar } from '../../plan/record-calendar.ts'
import type { RestoreOperation } from './declaration.ts'

/** @throws SluiceError PARTITION_STATE for a partition that is not archived */
export function chosenOf(
  { partitions: named }: Pick<RestoreOperation, 'partitions'>,
  { table }: Pick<TableSpec, 'table'>,
  { calendar, partitions }: ArchiveRecord,
): readonly ArchivedPartition[] {
  const spec = recordCalendar({ calendar })
  const chosen = new Set<ArchivedPartition>()
  for (const text of named) {
    const asked = askedFor(spec, text, partitions)
    const found = partitions.filter((one) => isAsked([asked], one))
    // Of several parts, choose only those with rows to restore.
    const some = found.filter(
      ({ state, away, retracted }) => isPublished(state) || away || (state === 'RESTORED' && !retracted),
    )
    for (const one of some.length === 0 ? found : some) chosen.add(one)
    if (found.length > 0) continue
    const near = nearestText(
      asked.label,
      partitions.map((one) => one.label),
    )
    throw new SluiceError('PARTITION_STATE', `${asked.label} of ${tableText(table)} is not archived${near}`, {
      hint: `sluice archive list --table ${shellQuote(tableText(table))} shows the archived partitions`,
    })
  }
  return [...chosen]
}
