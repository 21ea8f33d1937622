/** How the partitions of a table are called, learned from the names that they have, so that the next is called like its neighbours. */
import type { CalendarSpec } from '../model/calendar/calendar.ts'
import { periodOf, type Period } from '../model/calendar/period.ts'
import { formsOf, type Form } from './name-forms.ts'
import type { FoundCalendar } from './table-calendar.ts'

export type NameStyle = {
  readonly prefix: string
  readonly suffix: string
  readonly form: Form
  /** The calendar whose labels the names are made of: that of the bounds, with first month and offset of its years as the names have them. */
  readonly spec: CalendarSpec
}

/** Years that a fiscal year is numbered after the calendar year in which it begins. */
const OFFSETS = [1, 0, -1] as const
/** Of names: PostgreSQL cuts off what is longer, in bytes, and MySQL takes one more. */
const MOST_BYTES = 63

/**
 * Learns from the newest partitions of a calendar: from all of them, or from as many as are called alike.
 * @returns null where the name of the newest does not follow its period
 */
export function styleOf({ spec, of }: FoundCalendar): NameStyle | null {
  for (let size = of.length; size > 0; size = size > 2 ? Math.ceil(size / 2) : size - 1) {
    // Two names of one shape that nothing fits have something in them that is not understood: the newest alone would freeze it.
    if (size === 1 && shapeOf(of.at(-1)) === shapeOf(of.at(-2))) return null
    const style = styleOfAll(spec, of.slice(-size))
    if (style !== null) return style
  }
  return null
}

function shapeOf(one: FoundCalendar['of'][number] | undefined): string | null {
  return one?.partition.name.name.replaceAll(/\d/g, '0') ?? null
}

/** The name of the partition of a period. */
export function nameIn({ prefix, suffix, form, spec }: NameStyle, period: Period): string {
  return `${prefix}${form(period, labelFor(period, spec)) ?? plainLabel(period, spec)}${suffix}`
}

/** Where no name says how: the name of the table, cut where the whole would be too long, and the label of the period. */
export function plainStyle(table: string, spec: CalendarSpec): NameStyle {
  const most = MOST_BYTES - '_2024_04_01'.length
  let kept = ''
  for (const letter of table) {
    if (Buffer.byteLength(kept + letter) > most) break
    kept += letter
  }
  return { prefix: `${kept}_`, suffix: '', spec, form: (period) => plainLabel(period, spec) }
}

/** What the calendar calls a period, in the years of the names. */
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

/** The years that somebody has asked for come first, which are calendar years where nobody has; others are taken where only they fit. */
function labelledSpecs(spec: CalendarSpec): readonly CalendarSpec[] {
  if (spec.unit !== 'quarter' && spec.unit !== 'year') return [spec]
  const months = spec.unit === 'year' ? [0] : [0, 3, 6, 9]
  const fiscal = OFFSETS.flatMap((yearOffset) =>
    months.map((more) => ({ ...spec, firstMonth: ((spec.firstMonth - 1 + more) % 12) + 1, yearOffset })),
  )
  return [spec, ...fiscal]
}

/** What stands before and behind the period in all of the names; null where it is not the same in all, or the period does not stand there. */
function partsOf(
  of: FoundCalendar['of'],
  labels: readonly string[],
  form: Form,
): { readonly prefix: string; readonly suffix: string } | null {
  let parts: { prefix: string; suffix: string } | null = null
  for (const [n, { partition, period }] of of.entries()) {
    const { name } = partition.name
    const text = form(period, labels[n] ?? '')
    const at = text === null ? -1 : name.lastIndexOf(text)
    if (text === null || at === -1) return null
    const found = { prefix: name.slice(0, at), suffix: name.slice(at + text.length) }
    // A digit beside it belongs to a longer number.
    if (/\d$/.test(found.prefix) || /^\d/.test(found.suffix)) return null
    if (parts !== null && (parts.prefix !== found.prefix || parts.suffix !== found.suffix)) return null
    parts = found
  }
  return parts
}
