/** Weeks or months of a period, clipped at its bounds. They are copied one after the other or concurrently. */
import type { CalendarSpec } from './calendar.ts'
import { periodsBetween, type Period } from './period.ts'

export type SliceUnit = 'week' | 'month'

/** Range of slice numbers of one period, from 1, both ends inclusive. */
export type SliceNumbers = { readonly from: number; readonly through: number }

/**
 * @param unit null if the period is copied in one piece
 * @returns in order, without gaps; a clipped slice keeps the label of its whole week or month
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
