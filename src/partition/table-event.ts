import { dec } from '../model/run/event.ts'
import type { PartitionedEvent } from '../model/partition/events.ts'
import { calendarText } from '../model/calendar/calendar-text.ts'
import { coveredTo, isEndless } from './coverage.ts'
import type { PartitionCoverage } from './partition-coverage.ts'
import { nowFor } from './state.ts'

/** Event of a table, sent before its partitions. */
export function partitionTableEvent(
  name: string,
  { table, kind, placed, calendar, zone }: PartitionCoverage,
  now: Date,
): PartitionedEvent {
  const last = coveredTo(placed, nowFor({ zone, kind, now }))
  return {
    type: 'partition.table',
    table: name,
    by: table.column.name,
    ...(calendar === null ? {} : { calendar: calendarText(calendar.spec), calendarFrom: calendar.from }),
    partitions: dec(table.partitions.length),
    hasDefault: table.partitions.some(({ isDefault }) => isDefault),
    ...(last?.partition.to == null ? {} : { coveredTo: last.partition.to }),
    ...(last !== null && isEndless(last) ? { isOpen: true } : {}),
    ...(table.keptBy === undefined ? {} : { keptBy: table.keptBy }),
  }
}
