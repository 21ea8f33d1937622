/** `--slices`: the unit that periods are divided by, and with numbers which slices of the first period a run copies. */
import type { SliceNumbers, SliceUnit } from '../model/calendar/slices.ts'
import { SluiceError } from '../shared/errors.ts'

export type SlicesWish = { readonly unit: SliceUnit; readonly numbers?: SliceNumbers }

const FORM = /^(?:(week|month)|(?:(week|month):)?(\d{1,4})(?:-(\d{1,4}))?)$/

/**
 * `week`, `month`, `1-6` (of weeks), `month:2`, `week:1-6`.
 * @throws SluiceError BAD_FLAG
 */
export function slicesIn(text: string): SlicesWish {
  const found = FORM.exec(text.trim().toLowerCase())
  const [, alone, unit, first, last] = found ?? []
  if (alone !== undefined) return { unit: alone as SliceUnit }
  const from = Number(first)
  const through = last === undefined ? from : Number(last)
  if (first !== undefined && from >= 1 && through >= from) {
    return { unit: (unit ?? 'week') as SliceUnit, numbers: { from, through } }
  }
  throw new SluiceError('BAD_FLAG', `--slices ${text} names no slices`, {
    hint: 'write week or month; with numbers 1-6 for the first six weeks of the first period, week:7 for one, month:1-2 for months',
  })
}
