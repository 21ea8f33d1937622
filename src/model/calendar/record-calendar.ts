import { isByValue } from '../../archive/ledger/by-value.ts'
import type { ArchivedTable } from '../../archive/ledger/record.ts'
import { parseCalendar } from './calendar-text.ts'
import type { CalendarSpec } from './calendar.ts'

/** The calendar by which an archive is cut; null where it is cut by the values of a column. */
export function recordCalendar(record: Pick<ArchivedTable, 'calendar'>): CalendarSpec | null {
  return isByValue(record) ? null : parseCalendar(record.calendar)
}
