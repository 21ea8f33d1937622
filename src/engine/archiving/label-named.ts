import type { CalendarSpec } from '../calendar/calendar.ts'
import { periodAt } from '../calendar/period.ts'

/** The label of what somebody named: people write `q2-fy2025`. A partition that is a table may have any name. */
export function labelNamed(calendar: CalendarSpec, text: string): string {
  try {
    return periodAt(calendar, text).label
  } catch {
    return text
  }
}
