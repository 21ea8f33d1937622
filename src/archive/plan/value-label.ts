/** Names of partitions that are values of a column: a plain value is its own name; any other is written in double quotes, so that no two values share a name. */
import type { ColumnType } from '../../model/copy/column-type.ts'

/** Name of the partition of rows without a value. A text that reads so is written in quotes. */
const NULL_LABEL = 'NULL'

/** Characters of a name: that of a further part, and what systems put behind, have to fit beside them into 190. */
export const LONGEST_LABEL = 150

/** One that shows as itself: no control or format character, no blank but the common one. */
const SHOWN = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u

/**
 * @param value canonical text; null is NULL
 * @returns never empty, without blanks at its ends, and another one for another value of the type
 */
export function valueLabel(value: string | null, kind: ColumnType['kind'] = 'text'): string {
  if (value === null) return NULL_LABEL
  if (kind === 'bool') return value === '1' ? 'true' : 'false'
  return isPlain(value) ? value : quoted(value)
}

/** Whether somebody wrote a name that has to be in quotes, or that of NULL. */
export function isQuotedLabel(text: string): boolean {
  if (text === NULL_LABEL) return true
  return jsonLabel(text) === text
}

/** The name of a value that stands in double quotes, with any escape that JSON has; null for anything else. */
export function jsonLabel(text: string): string | null {
  if (!/^".*"$/s.test(text)) return null
  try {
    return valueLabel(String(JSON.parse(text)))
  } catch {
    return null
  }
}

function isPlain(text: string): boolean {
  if (text === '' || text !== text.trim() || text.startsWith('"')) return false
  // Further parts have such names, and people write NULL in either case.
  if (/\.part\d{1,9}$/i.test(text) || text.toUpperCase() === NULL_LABEL) return false
  // Two texts that look alike in every letter may be spelled in other characters.
  return text === text.normalize('NFC') && SHOWN.test(text)
}

function quoted(text: string): string {
  const isComposed = text === text.normalize('NFC')
  const written = Array.from(text, (character) => {
    if (character === '"' || character === '\\') return `\\${character}`
    if (SHOWN.test(character) && (isComposed || character < '\u0080')) return character
    return [...Array(character.length).keys()].map((i) => escaped(character.charCodeAt(i))).join('')
  })
  return `"${written.join('')}"`
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}
