/**
 * Names that stand twice in one object of JSON. RFC 8259 §4 leaves their meaning open, and readers differ: JavaScript takes the last, DuckDB the first.
 * A log that two readers read differently is refused.
 */
import { jsonTokens } from '../model/lake/json-tokens.ts'
import { jsonText } from './stats.ts'

/** How deep the objects and lists of a line may lie in each other: any reader can follow that on its stack. */
export const MOST_NESTED = 1000

/**
 * Names in what `JSON.parse` made of a text, of all its objects; NaN where it is nested more than `MOST_NESTED` deep.
 * @param room levels that may still follow
 */
export function namesIn(value: unknown, room = MOST_NESTED): number {
  if (typeof value !== 'object' || value === null) return 0
  if (room === 0) return Number.NaN
  let sum = 0
  if (Array.isArray(value)) {
    for (const one of value) sum += namesIn(one, room - 1)
    return sum
  }
  for (const name in value) sum += 1 + namesIn((value as Record<string, unknown>)[name], room - 1)
  return sum
}

/**
 * The first name that stands twice in an object of `raw`, or null.
 * @param names that are left of it: where that are as many as the text has, none was lost, and no token has to be looked at
 */
export function doubledName(raw: string, names: number): string | null {
  return names === colonsIn(raw) && !BLANK_BEFORE_COLON.test(raw) ? null : firstDoubled(raw)
}

const BACKSLASH = 92
/** Such a name is not counted, and could make up for one that was lost. */
const BLANK_BEFORE_COLON = /"\s+:/

/** Ends of names without a blank before the colon; quotes within strings have a backslash in front that no other one takes for itself. */
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

/** The first name that stands twice in an object of a text, or null. Words that are no JSON, such as NaN, are passed over. */
export function firstDoubled(raw: string): string | null {
  const open: (Set<string> | null)[] = []
  let string: string | null = null
  for (const token of jsonTokens(raw)) {
    const names = open.at(-1)
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else if (token !== ':') string = token.startsWith('"') ? token : null
    else if (string !== null && names != null) {
      const name = jsonText(string) ?? string
      if (names.has(name)) return name
      names.add(name)
    }
  }
  return null
}
