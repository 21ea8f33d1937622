import type { TableName } from '../model/copy/column-type.ts'
import type { Period } from '../model/calendar/period.ts'
import { nameIn, plainStyle } from './name-style.ts'
import { DEFAULT_CALENDAR } from '../model/calendar/calendar.ts'
import type { PartitionCoverage } from './partition-coverage.ts'

/** Name of the partition for a period: same style and schema as its neighbours. */
export function newNameFor(
  { table, calendar }: Pick<PartitionCoverage, 'table' | 'calendar'>,
  period: Period,
): TableName {
  const neighbour = table.partitions.findLast(({ isDefault }) => !isDefault)
  const name = nameIn(calendar?.style ?? plainStyle(table.table.name, DEFAULT_CALENDAR), period)
  // Partitions may be in another schema than their table.
  const schema = neighbour === undefined ? table.table.schema : neighbour.name.schema
  return schema === undefined ? { name } : { schema, name }
}
