/** A row key as text, for use as a map key. */
import { keyText } from './key-text.ts'
import type { Row } from './rows.ts'

/** Returns a text that is unique per row key within one table. A key of one text value is returned unchanged. */
export function identityName(key: Row): string {
  const [only] = key
  // No clash: other results begin with U+0000, which no text from a log contains.
  return key.length === 1 && typeof only === 'string' ? only : `\0${keyText(key)}`
}
