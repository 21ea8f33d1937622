import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedTable } from '../ledger/record.ts'
import { parseCalendar } from '../../model/calendar/calendar-text.ts'
import type { CalendarSpec } from '../../model/calendar/calendar.ts'

/** The calendar of an archive; null if it is partitioned by the values of a column. */
export function recordCalendar(record: Pick<ArchivedTable, 'calendar'>): CalendarSpec | null {
  return isByValue(record) ? null : parseCalendar(record.calendar)
}
