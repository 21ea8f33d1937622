/**
 * JSON as its tokens: what JSON.parse would round or lose (digits of numbers, names that stand twice) is in the text alone. Strings are found by their
 * quotes, and not by a regular expression, which overflows its stack in one of ten million characters.
 */

const BACKSLASH = 92
const SIGNS = '{}[],:'
const END_OF_WORD = /[\s{}[\],:"]|$/g
const BLANKS = /\s*/y

/** Behind the string that begins with the quote at `start`; -1 where it has no end. */
export function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return at + 1
  }
  return -1
}

/** Strings with their quotes, signs, and everything else up to the next blank or sign. Judges nothing: what is no JSON has tokens, too. */
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

/** Names of members, and places in lists, from the outside in. */
export type JsonPath = readonly (string | number)[]

/** The text of a member of nested objects, an object itself, without its blanks; null where there is none. @param text valid JSON */
export function memberText(text: string, wanted: readonly string[]): string | null {
  const path: (string | number)[] = []
  let isName = false
  let found: string[] | null = null
  let depth = 0
  for (const token of jsonTokens(text)) {
    if (found !== null) {
      found.push(token)
      if (token === '{' || token === '[') depth++
      else if ((token === '}' || token === ']') && --depth === 0) return found.join('')
      continue
    }
    const last = path.length - 1
    const place = path[last]
    if (token === '{' && path.length === wanted.length && wanted.every((name, i) => path[i] === name)) {
      found = [token]
      depth = 1
    } else if (token === '{' || token === '[') {
      path.push(token === '{' ? '' : 0)
      isName = token === '{'
    } else if (token === '}' || token === ']') {
      path.pop()
      isName = false
    } else if (token === ',') {
      if (typeof place === 'number') path[last] = place + 1
      isName = typeof place === 'string'
    } else if (token === ':') isName = false
    else if (isName) path[last] = JSON.parse(token) as string
  }
  return null
}

/** Calls for every scalar, with its text. @param text valid JSON */
export function eachScalar(text: string, take: (path: JsonPath, token: string) => void): void {
  const path: (string | number)[] = []
  let isName = false
  for (const token of jsonTokens(text)) {
    const last = path.length - 1
    const place = path[last]
    if (token === '{') {
      path.push('')
      isName = true
    } else if (token === '[') {
      path.push(0)
      isName = false
    } else if (token === '}' || token === ']') {
      path.pop()
      isName = false
    } else if (token === ',') {
      if (typeof place === 'number') path[last] = place + 1
      isName = typeof place === 'string'
    } else if (token === ':') isName = false
    else if (isName) path[last] = JSON.parse(token) as string
    else take(path, token)
  }
}
