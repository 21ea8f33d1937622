/** How the partitions of a table are called, learned from the names that they have, so that the next is called like its neighbours. */
import type { CalendarSpec, CalendarUnit } from '../calendar/calendar.ts'
import { periodOf, type Period } from '../calendar/period.ts'
import type { FoundCalendar } from './table-calendar.ts'

/** What stands for the period in a name, such as `2024_q2`, `20240401` or `q2_fy25`. */
type Form = (period: Period, spec: CalendarSpec) => string | null

export type NameStyle = {
  readonly prefix: string
  readonly suffix: string
  readonly form: Form
  /** The calendar whose labels the names are made of: that of the bounds, with first month and offset of its years as the names have them. */
  readonly spec: CalendarSpec
}

const SEPARATORS = ['_', '', '-', '.'] as const
/** Years that a fiscal year is numbered after the calendar year in which it begins. */
const OFFSETS = [1, 0, -1] as const

const year4 = ({ from }: Period): string => from.slice(0, 4)
const month = ({ from }: Period): string => from.slice(5, 7)
const day = ({ from }: Period): string => from.slice(8, 10)

/**
 * Learns from the newest partitions of a calendar.
 * @returns null where their names have nothing in common that follows their periods
 */
export function styleOf({ spec, of }: FoundCalendar): NameStyle | null {
  for (const labelled of labelledSpecs(spec)) {
    for (const form of forms(spec)) {
      const parts = partsOf(of, form, labelled)
      if (parts !== null) return { ...parts, form, spec: labelled }
    }
  }
  return null
}

/** The name of the partition of a period. */
export function nameIn({ prefix, suffix, form, spec }: NameStyle, period: Period): string {
  return `${prefix}${form(period, spec) ?? ''}${suffix}`
}

/** Where no name says how: the table's name and the label of the period. */
export function plainStyle(table: string, spec: CalendarSpec): NameStyle {
  return {
    prefix: `${table}_`,
    suffix: '',
    spec,
    form: (period, of) => labelFor(period, of).toLowerCase().replaceAll('-', '_'),
  }
}

/** What the calendar calls a period, in the years of the names. */
export function labelFor({ from }: Period, spec: CalendarSpec): string {
  return periodOf(spec, from).label
}

/** Calendar years come first: fiscal ones are taken where only they fit. */
function labelledSpecs(spec: CalendarSpec): readonly CalendarSpec[] {
  if (spec.unit !== 'quarter' && spec.unit !== 'year') return [spec]
  const months = spec.unit === 'year' ? [spec.firstMonth] : [0, 3, 6, 9].map((more) => spec.firstMonth + more)
  const fiscal = OFFSETS.flatMap((yearOffset) => months.map((firstMonth) => ({ ...spec, firstMonth, yearOffset })))
  return [spec, ...fiscal]
}

const FORMS_OF: Readonly<Record<CalendarUnit, () => Iterable<Form>>> = {
  day: dayForms,
  week: weekForms,
  month: dayForms,
  quarter: quarterForms,
  year: yearForms,
}

function* forms({ unit }: CalendarSpec): Iterable<Form> {
  for (const form of [...FORMS_OF[unit](), ...dayForms()]) {
    yield form
    yield (period, spec) => form(period, spec)?.toUpperCase() ?? null
  }
}

/** By the first day: `20240401`, `2024_04`, `2024`. */
function* dayForms(): Iterable<Form> {
  for (const separator of SEPARATORS) yield (period) => [year4(period), month(period), day(period)].join(separator)
  for (const separator of SEPARATORS) yield (period) => [year4(period), month(period)].join(separator)
  for (const separator of SEPARATORS) yield (period) => [year4(period).slice(2), month(period)].join(separator)
}

function* weekForms(): Iterable<Form> {
  for (const separator of SEPARATORS) {
    yield (period, spec) => weekOf(period, spec)?.join(`${separator}w`) ?? null
    yield (period, spec) => weekOf(period, spec)?.join(separator) ?? null
  }
}

function* quarterForms(): Iterable<Form> {
  for (const separator of SEPARATORS) {
    for (const year of [fiscalYear, longFiscalYear, plainYear, shortYear]) {
      const both = (period: Period, spec: CalendarSpec): readonly [string, string] | null => {
        const label = labelFor(period, spec).toLowerCase()
        const [quarter] = /q[1-4]/.exec(label) ?? []
        const of = year(label)
        return quarter === undefined || of === null ? null : [of, quarter]
      }
      yield (period, spec) => both(period, spec)?.join(separator) ?? null
      yield (period, spec) => both(period, spec)?.toReversed().join(separator) ?? null
    }
  }
}

function* yearForms(): Iterable<Form> {
  yield (period, spec) => fiscalYear(labelFor(period, spec).toLowerCase())
  yield (period, spec) => plainYear(labelFor(period, spec).toLowerCase())
}

function weekOf(period: Period, spec: CalendarSpec): readonly [string, string] | null {
  const [, year = '', week = ''] = /^(\d{4})-W(\d\d)$/.exec(labelFor(period, spec)) ?? []
  return week === '' ? null : [year, week]
}

/** `fy25` of `q2-fy25`. */
function fiscalYear(label: string): string | null {
  return /fy\d+/.exec(label)?.[0] ?? null
}

/** `fy2025` of it. */
function longFiscalYear(label: string): string | null {
  return fiscalYear(label) === null ? null : `fy${plainYear(label)}`
}

/** `2025` of `q2-fy25` and of `2025-q2`. */
function plainYear(label: string): string | null {
  const [, year] = /(?:fy|^)(\d{2,4})/.exec(label) ?? []
  return year === undefined ? null : year.length === 2 ? `20${year}` : year
}

/** `25` of both. */
function shortYear(label: string): string | null {
  return plainYear(label)?.slice(-2) ?? null
}

/** What stands before and behind the period in all of the names; null where it is not the same in all, or the period does not stand there once. */
function partsOf(
  of: FoundCalendar['of'],
  form: Form,
  spec: CalendarSpec,
): { readonly prefix: string; readonly suffix: string } | null {
  let parts: { prefix: string; suffix: string } | null = null
  for (const { partition, period } of of) {
    const text = form(period, spec)
    const at = text === null ? -1 : partition.name.name.lastIndexOf(text)
    if (text === null || at === -1) return null
    const found = { prefix: partition.name.name.slice(0, at), suffix: partition.name.name.slice(at + text.length) }
    // A digit beside it belongs to a longer number.
    if (/\d$/.test(found.prefix) || /^\d/.test(found.suffix)) return null
    if (parts !== null && (parts.prefix !== found.prefix || parts.suffix !== found.suffix)) return null
    parts = found
  }
  return parts
}
