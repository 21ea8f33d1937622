/** Finds the partition that a user named, such as `q2-fy2025` for Q2-FY25; native partitions may have any name. */
import { closest } from '../../shared/closest.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CalendarSpec } from '../../model/calendar/calendar.ts'
import { daysText, periodReadings } from '../../model/calendar/readings.ts'
import { isQuotedLabel, jsonLabel, valueLabel } from './value-label.ts'

/**
 * The label of a named partition; a name that is not a period is returned as it is.
 * @param known labels in the ledger or the table: they take precedence over the calendar
 * @param calendar null if partitions are values: then the text must match exactly
 * @throws SluiceError BAD_FLAG if a name may mean two periods
 */
export function labelNamed(calendar: CalendarSpec | null, text: string, known: readonly string[] = []): string {
  const trimmed = text.trim()
  if (known.includes(text)) return text
  if (calendar === null) {
    const written = jsonLabel(text)
    if (written !== null && known.includes(written)) return written
    return isQuotedLabel(text) ? text : valueLabel(text)
  }
  const [alike, ...others] = known.filter((label) => label.toLowerCase() === trimmed.toLowerCase())
  if (alike !== undefined && others.length === 0) return alike
  const readings = periodReadings(calendar, trimmed)
  const [reading, other] = readings
  if (reading === undefined) return text
  if (other === undefined) return reading.label
  const both = readings.map((period) => `${period.label} (${daysText(period)})`).join(' or ')
  throw new SluiceError('BAD_FLAG', `${JSON.stringify(text)} is ambiguous: it may be ${both}`, {
    hint: `write ${readings.map(({ label }) => label).join(' or ')}`,
  })
}

/** A suggestion for the end of a sentence: ` (Q2-FY25?)`; empty if no label is similar. */
export function nearestText(label: string, known: readonly string[]): string {
  const lower = new Map(known.map((one) => [one.toLowerCase(), one]))
  const near = closest(label.toLowerCase(), [...lower.keys()])
  return near === null ? '' : ` (${lower.get(near) ?? near}?)`
}
