/** Naming style of a table's partitions, derived from existing names, so that new ones match their neighbours. */
import type { CalendarSpec } from '../model/calendar/calendar.ts'
import { periodOf, type Period } from '../model/calendar/period.ts'
import { formsOf, type NameForm } from './name-forms.ts'
import type { FoundCalendar } from './table-calendar.ts'

export type NameStyle = {
  readonly prefix: string
  readonly suffix: string
  readonly form: NameForm
  /** Calendar of the bounds, but with the first month and the year numbering that the partition names use. */
  readonly spec: CalendarSpec
}

/** Possible offsets between a fiscal year's number and the calendar year in which it begins. */
const OFFSETS = [1, 0, -1] as const
/** Longest partition name in bytes: the limit of PostgreSQL; MySQL allows one more. */
const MOST_BYTES = 63

/**
 * Derives the style from the newest partitions of a calendar: from all of them, or else from fewer, down to one.
 * @returns null if the newest name does not contain its period, or has an unknown part
 */
export function styleOf({ spec, of }: FoundCalendar): NameStyle | null {
  for (let size = of.length; size > 0; size = size > 2 ? Math.ceil(size / 2) : size - 1) {
    // The two newest names are similar, but no form fits both: they have a part of unknown meaning. A style derived
    // from the newest name alone would repeat that part.
    if (size === 1 && shapeOf(of.at(-1)) === shapeOf(of.at(-2))) return null
    const style = styleOfAll(spec, of.slice(-size))
    if (style !== null) return style
  }
  return null
}

function shapeOf(one: FoundCalendar['of'][number] | undefined): string | null {
  return one?.partition.name.name.replaceAll(/\d/g, '0') ?? null
}

/** Name of the partition of a period. */
export function nameIn({ prefix, suffix, form, spec }: NameStyle, period: Period): string {
  return `${prefix}${form(period, labelFor(period, spec)) ?? plainLabel(period, spec)}${suffix}`
}

/** Default style: the table's name, shortened if needed, and the label of the period. */
export function plainStyle(table: string, spec: CalendarSpec): NameStyle {
  const most = MOST_BYTES - '_2024_04_01'.length
  let kept = ''
  for (const letter of table) {
    if (Buffer.byteLength(kept + letter) > most) break
    kept += letter
  }
  return { prefix: `${kept}_`, suffix: '', spec, form: (period) => plainLabel(period, spec) }
}

/** Label of a period with the year numbering of the names. */
export function labelFor({ from }: Period, spec: CalendarSpec): string {
  return periodOf(spec, from).label
}

function plainLabel(period: Period, spec: CalendarSpec): string {
  return labelFor(period, spec).toLowerCase().replaceAll('-', '_')
}

function styleOfAll(spec: CalendarSpec, of: FoundCalendar['of']): NameStyle | null {
  for (const labelled of labelledSpecs(spec)) {
    const labels = of.map(({ period }) => labelFor(period, labelled))
    for (const form of formsOf(spec.unit)) {
      const parts = partsOf(of, labels, form)
      if (parts !== null) return { ...parts, form, spec: labelled }
    }
  }
  return null
}

/** Calendars for the labels: first with the requested year numbering (default: calendar years), then with others. */
function labelledSpecs(spec: CalendarSpec): readonly CalendarSpec[] {
  if (spec.unit !== 'quarter' && spec.unit !== 'year') return [spec]
  const months = spec.unit === 'year' ? [0] : [0, 3, 6, 9]
  const fiscal = OFFSETS.flatMap((yearOffset) =>
    months.map((more) => ({ ...spec, firstMonth: ((spec.firstMonth - 1 + more) % 12) + 1, yearOffset })),
  )
  return [spec, ...fiscal]
}

/** Common text before and after the period in all names; null if it differs, or if a name lacks the period. */
function partsOf(
  of: FoundCalendar['of'],
  labels: readonly string[],
  form: NameForm,
): { readonly prefix: string; readonly suffix: string } | null {
  let parts: { prefix: string; suffix: string } | null = null
  for (const [n, { partition, period }] of of.entries()) {
    const { name } = partition.name
    const text = form(period, labels[n] ?? '')
    const at = text === null ? -1 : name.lastIndexOf(text)
    if (text === null || at === -1) return null
    const found = { prefix: name.slice(0, at), suffix: name.slice(at + text.length) }
    // An adjacent digit would belong to a longer number.
    if (/\d$/.test(found.prefix) || /^\d/.test(found.suffix)) return null
    if (parts !== null && (parts.prefix !== found.prefix || parts.suffix !== found.suffix)) return null
    parts = found
  }
  return parts
}
