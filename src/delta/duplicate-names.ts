/**
 * Finds names that occur twice in one JSON object. RFC 8259 §4 leaves their meaning open, and readers differ:
 * JavaScript uses the last, DuckDB the first. A log that two readers read differently is refused.
 */
import { jsonTokens } from '../model/lake/json-tokens.ts'
import { jsonStringText } from './stats.ts'

/** Maximum nesting of objects and lists in a line: recursive readers do not overflow their stack with it. */
export const MOST_NESTED_IN_LOG = 1000

/**
 * Number of names in all objects of a value from `JSON.parse`; NaN if it is nested deeper than `room`.
 * @param room levels that may still follow
 */
export function countNames(value: unknown, room = MOST_NESTED_IN_LOG): number {
  if (typeof value !== 'object' || value === null) return 0
  if (room === 0) return Number.NaN
  let sum = 0
  if (Array.isArray(value)) {
    for (const one of value) sum += countNames(one, room - 1)
    return sum
  }
  for (const name in value) sum += 1 + countNames((value as Record<string, unknown>)[name], room - 1)
  return sum
}

/**
 * The first name that occurs twice in an object of `raw`, or null.
 * @param names number of names in the parsed value; if the text has exactly as many, no name was lost, and the text
 * need not be tokenised
 */
export function duplicateName(raw: string, names: number): string | null {
  return names === colonsIn(raw) && !BLANK_BEFORE_COLON.test(raw) ? null : firstDuplicate(raw)
}

const BACKSLASH = 92
/**
 * Matches a blank between a name and its colon. `colonsIn` does not count such a name, so its count is not used then.
 */
const BLANK_BEFORE_COLON = /"\s+:/

/** Counts names without a blank before the colon. A quote after an odd number of backslashes is inside a string. */
function colonsIn(raw: string): number {
  let sum = 0
  for (let at = raw.indexOf('":'); at !== -1; at = raw.indexOf('":', at + 2)) if (!isEscaped(raw, at)) sum++
  return sum
}

function isEscaped(raw: string, at: number): boolean {
  let slashes = 0
  while (raw.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
  return slashes % 2 === 1
}

/**
 * The first name that occurs twice in an object of a text, or null. Words that are not JSON, such as NaN, are skipped.
 */
export function firstDuplicate(raw: string): string | null {
  const open: (Set<string> | null)[] = []
  let string: string | null = null
  for (const token of jsonTokens(raw)) {
    const names = open.at(-1)
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else if (token !== ':') string = token.startsWith('"') ? token : null
    else if (string !== null && names != null) {
      const name = jsonStringText(string) ?? string
      if (names.has(name)) return name
      names.add(name)
    }
  }
  return null
}
