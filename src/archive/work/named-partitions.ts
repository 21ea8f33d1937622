/** Partitions named by the user: a period means all its parts, a part only itself. */
import { partLabel } from '../ledger/parts.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { CalendarSpec } from '../../model/calendar/calendar.ts'
import { labelNamed } from '../plan/label-named.ts'

/** `whole`: true if the name means all parts of the period. */
export type NamedPartition = { readonly label: string; readonly period: string; readonly whole: boolean }

type Part = Pick<ArchivedPartition, 'label' | 'period' | 'part'>

/**
 * @param calendar null if partitions are values of a column
 * @param known partitions of the ledger; their labels are matched exactly
 * @throws SluiceError BAD_FLAG for a name that may mean two periods
 */
export function askedFor(calendar: CalendarSpec | null, text: string, known: readonly Part[]): NamedPartition {
  const labels = known.map(({ label }) => label)
  const [, base, number] = /^(.+)\.part(\d{1,9})$/is.exec(text.trim()) ?? []
  const meant = labelNamed(calendar, base === undefined || labels.includes(text) ? text : base, labels)
  const named = known.find(({ label }) => label === meant)
  if (named !== undefined && (base === undefined || meant === text)) {
    return { label: meant, period: named.period, whole: named.part === 1 }
  }
  const period = meant
  if (base !== undefined && known.some((one) => one.period === period)) {
    return { label: partLabel(period, Number(number)), period, whole: false }
  }
  const label = base === undefined ? meant : labelNamed(calendar, text, labels)
  return { label, period: label, whole: true }
}

/** True if the part or its period was named, or nothing was named. */
export function isNamedPart(asked: readonly NamedPartition[], part: Pick<Part, 'label' | 'period'>): boolean {
  return asked.length === 0 || isAsked(asked, part)
}

/** True if the part or its period was named. */
export function isAsked(asked: readonly NamedPartition[], { label, period }: Pick<Part, 'label' | 'period'>): boolean {
  return asked.some((one) => one.label === label || (one.whole && one.label === period))
}
