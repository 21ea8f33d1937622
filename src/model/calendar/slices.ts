/** Parts of a period that are copied one after the other or side by side: its weeks or its months, clipped at its edges. */
import type { CalendarSpec } from './calendar.ts'
import { periodsBetween, type Period } from './period.ts'

export type SliceUnit = 'week' | 'month'

/** Slices of one period by their numbers, from 1, both ends included. */
export type SliceNumbers = { readonly from: number; readonly through: number }

/**
 * @param unit null where the period is copied in one piece
 * @returns in order, without gaps; each has the label of its week or month, also where only a part of that lies in the period
 */
export function slicesOf(spec: CalendarSpec, { from, to, label }: Period, unit: SliceUnit | null): readonly Period[] {
  if (unit === null) return [{ label, from, to }]
  const parts = [...periodsBetween({ ...spec, unit }, from, to)]
  return parts.map((part) => ({
    label: part.label,
    from: part.from < from ? from : part.from,
    to: part.to > to ? to : part.to,
  }))
}
