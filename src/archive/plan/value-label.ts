/**
 * Names of partitions that are values of a column: a plain value is its own name; any other is written in double
 * quotes, so that two values never share a name.
 */
import type { ColumnType } from '../../model/copy/column-type.ts'

/** Name of the partition of rows without a value. The text 'NULL' is written in quotes. */
const NULL_LABEL = 'NULL'

/** Longest label, characters. A name has at most 190: the label, `.partN`, and a suffix that depends on the system. */
export const LONGEST_LABEL = 150

/** Characters written without escape: no control or format character, and no blank except the plain space. */
const SHOWN = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u

/** Label of a value: not empty, without outer blanks, unique in its type. @param value canonical text; null is NULL */
export function valueLabel(value: string | null, kind: ColumnType['kind'] = 'text'): string {
  if (value === null) return NULL_LABEL
  if (kind === 'bool') return value === '1' ? 'true' : 'false'
  return isPlain(value) ? value : quoted(value)
}

/** True if a text is a label in canonical quotes, or the label of NULL. */
export function isQuotedLabel(text: string): boolean {
  if (text === NULL_LABEL) return true
  return jsonLabel(text) === text
}

/** The name for a text in double quotes, with any JSON escape; null for other texts. */
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
  // Labels of later parts end in `.partN`, and users write NULL in any case: quote values of either form.
  if (/\.part\d{1,9}$/i.test(text) || text.toUpperCase() === NULL_LABEL) return false
  // Different characters may be displayed alike: only NFC is written without quotes.
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
