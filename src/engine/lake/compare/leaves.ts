/**
 * Compares JSON texts by value: a file's statistics in a commit with its statistics in a checkpoint, whose writer may
 * have reformatted or shortened them. Numbers are compared with all their digits, times as instants.
 */
import { compareExact, parseExactNumber } from '../../../model/run/exact-number.ts'
import { eachScalar } from '../../../model/lake/json-tokens.ts'
import { parseTimestamp } from '../../../model/lake/instant.ts'

const WHOLE = /^-?\d+$/
/** Significant digits that identify any double. */
const DIGITS_OF_DOUBLE = 17
const TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:/

/** Text in place of a value that the files or SQL lack. */
export const MISSING = 'missing'

export type Contradiction = { readonly at: string; readonly files: string; readonly sql: string }

/**
 * First leaf that both texts have with different values; null if there is none. A text that is not JSON is one leaf.
 * @param isKept true if a leaf that SQL lacks is a contradiction, too
 */
export function contradiction(files: string, sql: string, isKept = false): Contradiction | null {
  if (files === sql) return null
  const [mine, theirs] = [leavesOf(files), leavesOf(sql)]
  if (mine === null || theirs === null) return { at: '', files, sql }
  for (const [at, value] of mine) {
    const other = theirs.get(at)
    if (other === undefined ? isKept : !isSame(value, other)) return { at, files: value, sql: other ?? MISSING }
  }
  return null
}

/** All scalars except null, as written, by their path; null if the text is not JSON. */
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
  // Some writers convert decimals to double for a checkpoint: at most this many digits survive.
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
