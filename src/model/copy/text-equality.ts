/** How a table compares the texts of a column for equality, as in its key. */
import type { Column } from './column-type.ts'

/**
 * `bytes`: by bytes. `nocase`: A to Z are equal to a to z. `rtrim`: blanks at the end are ignored. `system`: by rules
 * of the system, which may ignore case, accents, blanks and punctuation.
 */
export type TextEquality = 'bytes' | 'nocase' | 'rtrim' | 'system'

export function textEquality({
  collation,
  sortsOnly,
  native,
}: Pick<Column, 'collation' | 'sortsOnly' | 'native'>): TextEquality {
  // citext ignores case, whatever its collation is.
  if (/(?:^|\.)"?citext"?$/.test(native)) return 'system'
  if (collation === undefined || sortsOnly === true) return 'bytes'
  if (collation === 'NOCASE') return 'nocase'
  // Most `_bin` collations that reach this line are MySQL's, and ignore blanks at the end.
  return collation === 'RTRIM' || /^\w+_bin$/.test(collation) ? 'rtrim' : 'system'
}
