/** Whether values of two types of a column can stand in one column of an archive, and whether those of one go back into the other as they are. */
import type { ColumnType } from '../../model/copy/column-type.ts'
import type { StoredColumn, StoredType } from '../../model/archiving/stored-column.ts'

type Typed = Pick<StoredColumn, 'as' | 'stored'>

/** One column of the Delta table holds both, and their values have the same canonical texts. */
export function isSameType(from: Typed, to: Typed): boolean {
  if (from.stored !== to.stored) return false
  const [a, b] = [from.as, to.as]
  if (a.kind === 'text' && b.kind === 'text') return a.padded === b.padded
  if (a.kind === 'timestamp' && b.kind === 'timestamp') return a.zone === b.zone && b.digits >= a.digits
  if (a.kind === 'time' && b.kind === 'time') return b.digits >= a.digits
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Whole numbers of Delta, by their bits. */
const WHOLE: readonly StoredType[] = ['byte', 'short', 'integer', 'long']

/** A field of the first type may become one of the second, and its files stay as they are (PROTOCOL.md, "Type Widening"). */
export function isWidening(from: Typed, to: Typed): boolean {
  if (from.stored === to.stored || !isCarried(from.as, to.as)) return false
  const [before, after] = [WHOLE.indexOf(from.stored), WHOLE.indexOf(to.stored)]
  if (before !== -1 && after !== -1) return after > before
  return from.stored.startsWith('decimal') && to.stored.startsWith('decimal')
}

/** Every value of the first type is one of the second, under the same canonical text. */
export function isCarried(from: ColumnType, to: ColumnType): boolean {
  if (from.kind === 'int' && to.kind === 'int') {
    if (from.unsigned === to.unsigned) return to.bits >= from.bits
    return from.unsigned === true && to.bits > from.bits
  }
  if (from.kind === 'decimal' && to.kind === 'decimal') {
    const { precision = 0, scale = 0 } = from
    return (to.scale ?? 0) >= scale && (to.precision ?? 0) - (to.scale ?? 0) >= precision - scale
  }
  return false
}
