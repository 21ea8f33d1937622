/** Partitions that somebody named: a period means all of its parts, a part means that one. */
import { partLabel } from '../../archive/ledger/parts.ts'
import type { ArchivedPartition } from '../../archive/ledger/record.ts'
import type { CalendarSpec } from '../calendar/calendar.ts'
import { labelNamed } from './label-named.ts'

/** `whole`: all parts of the period. */
export type Asked = { readonly label: string; readonly period: string; readonly whole: boolean }

type Part = Pick<ArchivedPartition, 'label' | 'period' | 'part'>

/** @param known partitions of the ledger: their labels are taken as they stand */
export function askedFor(calendar: CalendarSpec, text: string, known: readonly Part[]): Asked {
  const named = known.find(({ label }) => label === text)
  if (named !== undefined) return { label: text, period: named.period, whole: named.part === 1 }
  const [, base, number] = /^(.+)\.part(\d{1,9})$/.exec(text) ?? []
  const period = labelNamed(calendar, base ?? text)
  if (base !== undefined && known.some((one) => one.period === period)) {
    return { label: partLabel(period, Number(number)), period, whole: false }
  }
  const label = labelNamed(calendar, text)
  return { label, period: label, whole: true }
}

/** Whether somebody named it, its period, or nothing at all. */
export function isWanted(asked: readonly Asked[], part: Pick<Part, 'label' | 'period'>): boolean {
  return asked.length === 0 || isAsked(asked, part)
}

export function isAsked(asked: readonly Asked[], { label, period }: Pick<Part, 'label' | 'period'>): boolean {
  return asked.some((one) => one.label === label || (one.whole && one.label === period))
}
