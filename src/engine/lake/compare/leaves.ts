/**
 * JSON texts that say the same in another spelling, or one of them less: statistics of a file in a commit, and in a checkpoint that some writer made of
 * it. Numbers are compared with all their digits, times as instants.
 */
import { compareExact, parseExactNumber } from '../../../model/run/exact-number.ts'
import { eachScalar } from '../../../model/lake/json-tokens.ts'
import { parseTimestamp } from '../../../model/lake/instant.ts'

const WHOLE = /^-?\d+$/
/** Significant ones that tell any double from any other. */
const DIGITS_OF_DOUBLE = 17
const TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:/

export type Contradiction = { readonly at: string; readonly files: string; readonly sql: string }

/** The first leaf that both texts have, with values that are not the same; null where there is none. A text that is no JSON is a leaf as a whole. */
export function contradiction(files: string, sql: string): Contradiction | null {
  if (files === sql) return null
  const [mine, theirs] = [leavesOf(files), leavesOf(sql)]
  if (mine === null || theirs === null) return { at: '', files, sql }
  for (const [at, value] of mine) {
    const other = theirs.get(at)
    if (other !== undefined && !isSame(value, other)) return { at, files: value, sql: other }
  }
  return null
}

/** Scalars but null by their place, as they are written; null where the text is no JSON. */
function leavesOf(text: string): ReadonlyMap<string, string> | null {
  try {
    JSON.parse(text)
  } catch {
    return null
  }
  const leaves = new Map<string, string>()
  eachScalar(text, (path, token) => {
    if (token !== 'null')
      leaves.set(path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join(''), token)
  })
  return leaves
}

function isSame(a: string, b: string): boolean {
  if (a === b) return true
  if (a.startsWith('"') && b.startsWith('"')) return isSameText(JSON.parse(a) as string, JSON.parse(b) as string)
  const [left, right] = [parseExactNumber(a), parseExactNumber(b)]
  if (left === null || right === null) return false
  if (compareExact(left, right) === 0) return true
  // Some writers bring decimals through a double on their way into a checkpoint: that leaves no more digits than these.
  const fraction = !WHOLE.test(a) || !WHOLE.test(b)
  return fraction && Math.min(digitsOf(a), digitsOf(b)) <= DIGITS_OF_DOUBLE && Number(a) === Number(b)
}

function isSameText(a: string, b: string): boolean {
  if (a === b) return true
  const [left, right] = [a, b].map((text) => (TIME.test(text) ? parseTimestamp(text) : null))
  return left != null && right != null && left.micros === right.micros
}

function digitsOf(number: string): number {
  return number
    .replace(/[eE].*$/, '')
    .replaceAll(/\D/g, '')
    .replace(/^0+/, '').length
}
