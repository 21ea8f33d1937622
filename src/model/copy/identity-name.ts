/** A row key as text, for use as a map key. */
import { keyText } from './key-text.ts'
import type { Row } from './rows.ts'

/** Two texts are equal exactly if the row keys are, within one table. A single text value is returned unchanged. */
export function identityName(key: Row): string {
  const [only] = key
  // No clash: a text column has no other type of value but NULL, and no text from a log contains U+0000.
  return key.length === 1 && typeof only === 'string' ? only : `\0${keyText(key)}`
}
