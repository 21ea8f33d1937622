/**
 * Tokens of JSON, for facts that JSON.parse loses: digits of numbers and duplicate names. Strings are found by scanning
 * for quotes: a regular expression overflows its stack on a string of ten million characters.
 */

const BACKSLASH = 92
const SIGNS = '{}[],:'
const END_OF_WORD = /[\s{}[\],:"]|$/g
const BLANKS = /\s*/y

/** Index after the string whose opening quote is at `start`; -1 if it is not closed. */
export function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return at + 1
  }
  return -1
}

/** Strings with their quotes, punctuation, and other runs up to the next blank or punctuation. Does not validate. */
export function* jsonTokens(text: string): Generator<string> {
  let at = 0
  for (;;) {
    BLANKS.lastIndex = at
    BLANKS.test(text)
    at = BLANKS.lastIndex
    if (at === text.length) return
    const end = tokenEnd(text, at)
    yield text.slice(at, end)
    at = end
  }
}

function tokenEnd(text: string, at: number): number {
  const first = text.charAt(at)
  if (SIGNS.includes(first)) return at + 1
  if (first === '"') {
    const end = stringEnd(text, at)
    return end === -1 ? text.length : end
  }
  END_OF_WORD.lastIndex = at
  return END_OF_WORD.exec(text)?.index ?? text.length
}

/** Names of members, and indexes in lists, from the outside in. */
export type JsonPath = readonly (string | number)[]

/**
 * Calls `visit` for every token with its path until it returns true. A bracket has the path of its object or list;
 * `path` is the same array each time.
 * @param text valid JSON
 */
function walk(text: string, visit: (token: string, path: JsonPath, isScalar: boolean) => boolean): void {
  const path: (string | number)[] = []
  let isName = false
  for (const token of jsonTokens(text)) {
    const isEnd = token === '}' || token === ']'
    if (isEnd) path.pop()
    if (visit(token, path, !isName && !SIGNS.includes(token))) return
    const last = path.length - 1
    const place = path[last]
    if (isEnd) isName = false
    else if (token === '{' || token === '[') {
      path.push(token === '{' ? '' : 0)
      isName = token === '{'
    } else if (token === ',') {
      if (typeof place === 'number') path[last] = place + 1
      isName = typeof place === 'string'
    } else if (token === ':') isName = false
    else if (isName) path[last] = JSON.parse(token) as string
  }
}

/** Text, without blanks, of the object at the path `wanted` of names; null if there is none. @param text valid JSON */
export function jsonMemberText(text: string, wanted: readonly string[]): string | null {
  const found: string[] = []
  let member: string | null = null
  walk(text, (token, path) => {
    const isHere = path.length === wanted.length && wanted.every((name, i) => path[i] === name)
    if (found.length === 0 && !(isHere && token === '{')) return false
    found.push(token)
    if (isHere && token === '}') member = found.join('')
    return member !== null
  })
  return member
}

/** Calls `take` for every scalar with its text. @param text valid JSON */
export function eachScalar(text: string, take: (path: JsonPath, token: string) => void): void {
  walk(text, (token, path, isScalar) => {
    if (isScalar) take(path, token)
    return false
  })
}
