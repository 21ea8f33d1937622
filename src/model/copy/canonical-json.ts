/**
 * JSON in one form: no blanks, keys sorted by UTF-16 units, the last of equal keys, escapes only where JSON demands them, numbers as
 * plain decimals without leading or trailing zeros. Numbers never pass through a double.
 */
import { readJson, type JsonShape } from '../lake/json-reader.ts'
import { canonicalDecimal } from './decimal.ts'

const CANONICAL: JsonShape<string> = {
  object(members) {
    const names = [...members.keys()].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${names.map((name) => `${JSON.stringify(name)}:${members.get(name) ?? ''}`).join(',')}}`
  },
  array: (items) => `[${items.join(',')}]`,
  string: (value) => JSON.stringify(value),
  number: canonicalDecimal,
  word: (word) => word,
}

/** @throws SluiceError VALUE_REFUSED where the text is no JSON */
export function canonicalJson(text: string): string {
  return readJson(text, CANONICAL)
}
