/** The identity of a row as a text that a map takes for its key. */
import { keyText } from './key-text.ts'
import type { Row } from './rows.ts'

/** Equal for equal identities of one table, and for no others. That of a single text is the text itself. */
export function identityName(key: Row): string {
  const [only] = key
  // Beside texts a column has NULL at most, and no text of a source with a log holds this character.
  return key.length === 1 && typeof only === 'string' ? only : `\0${keyText(key)}`
}
