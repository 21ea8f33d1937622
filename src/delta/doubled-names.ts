/**
 * Names that stand twice in one object of JSON. RFC 8259 §4 leaves their meaning open, and readers differ: JavaScript takes the last, DuckDB the first.
 * A log that two readers read differently is refused.
 */
import { jsonTokens } from '../model/json-tokens.ts'

/**
 * The first name that stands twice in an object of `raw`, or null.
 * @param parsed what `JSON.parse` made of it: where it has as many names as the text, none was lost, and no token has to be looked at
 */
export function doubledName(raw: string, parsed: unknown): string | null {
  return namesIn(parsed) === colonsIn(raw) && !BLANK_BEFORE_COLON.test(raw) ? null : firstDoubled(raw)
}

function namesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let sum = 0
  if (Array.isArray(value)) {
    for (const one of value) sum += namesIn(one)
    return sum
  }
  for (const name in value) sum += 1 + namesIn((value as Record<string, unknown>)[name])
  return sum
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

function firstDoubled(raw: string): string | null {
  const open: (Set<string> | null)[] = []
  let string: string | null = null
  for (const token of jsonTokens(raw)) {
    const names = open.at(-1)
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else if (token !== ':') string = token.startsWith('"') ? token : null
    else if (string !== null && names != null) {
      const name = JSON.parse(string) as string
      if (names.has(name)) return name
      names.add(name)
    }
  }
  return null
}
