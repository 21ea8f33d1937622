/** Reads `numRecords` of stats that are strict JSON, in one pass and without making values of the rest. */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const MINUS = 0x2d
const POINT = 0x2e
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/** The nesting is kept as the bits of one number. */
const DEEPEST = 30
/** Any number of so many digits is a safe integer. */
const MOST_DIGITS = 15
const NAME = 'numRecords'

/** What comes next in the text. */
const AFTER = 0
const FIRST_VALUE = 1
const VALUE = 2
const FIRST_KEY = 3
const KEY = 4

/**
 * @returns null if the stats have no count; undefined if this reader does not decide: the text is no strict JSON object,
 * has a backslash or a character of two halves, or the count is no short whole number
 */
export function countedRecords(text: string): number | null | undefined {
  let count: number | null = null
  let isNext = false
  /** The lowest bit is the innermost bracket: 1 for an object. */
  let open = 1
  let depth = 1
  let at = afterSpace(text, 0)
  if (text.charCodeAt(at++) !== OPEN_BRACE) return undefined
  let state = FIRST_KEY
  while (depth > 0) {
    at = afterSpace(text, at)
    const code = text.charCodeAt(at)
    const isEnd = code === ((open & 1) === 1 ? CLOSE_BRACE : CLOSE_BRACKET)
    if (isEnd && (state === AFTER || state === FIRST_KEY || state === FIRST_VALUE)) {
      at++
      depth--
      open >>= 1
      state = AFTER
    } else if (state === AFTER) {
      if (code !== COMMA) return undefined
      at++
      state = (open & 1) === 1 ? KEY : VALUE
    } else if (state === KEY || state === FIRST_KEY) {
      const end = code === QUOTE ? stringEnd(text, at) : -1
      if (end === -1) return undefined
      isNext = depth === 1 && count === null && end - at === NAME.length + 2 && text.startsWith(NAME, at + 1)
      at = afterSpace(text, end)
      if (text.charCodeAt(at++) !== COLON) return undefined
      state = VALUE
    } else if ((code === OPEN_BRACE || code === OPEN_BRACKET) && !isNext) {
      if (depth++ === DEEPEST) return undefined
      at++
      open = (open << 1) | (code === OPEN_BRACE ? 1 : 0)
      state = code === OPEN_BRACE ? FIRST_KEY : FIRST_VALUE
    } else {
      const end = scalarEnd(text, at, code)
      if (end === -1) return undefined
      if (isNext) {
        if (end - at > MOST_DIGITS || !areDigits(text, at, end)) return undefined
        count = Number(text.slice(at, end))
        isNext = false
      }
      at = end
      state = AFTER
    }
  }
  return afterSpace(text, at) === text.length ? count : undefined
}

function afterSpace(text: string, from: number): number {
  let at = from
  let code = text.charCodeAt(at)
  while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++at)
  return at
}

/** After the closing quote; -1 for a string that needs more than a glance. @param from of the opening quote */
function stringEnd(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    // After the end of the text the code is NaN.
    if (!(code >= 0x20) || code === BACKSLASH || (code >= 0xd800 && code <= 0xdfff)) return -1
  }
}

function scalarEnd(text: string, at: number, code: number): number {
  if (code === QUOTE) return stringEnd(text, at)
  if (code === MINUS || isDigit(code)) return numberEnd(text, at)
  for (const word of ['null', 'true', 'false']) if (text.startsWith(word, at)) return at + word.length
  return -1
}

function numberEnd(text: string, from: number): number {
  const first = text.charCodeAt(from) === MINUS ? from + 1 : from
  let at = digitsEnd(text, first)
  if (at === first || (at > first + 1 && text.charCodeAt(first) === 0x30)) return -1
  if (text.charCodeAt(at) === POINT) {
    const fraction = at + 1
    at = digitsEnd(text, fraction)
    if (at === fraction) return -1
  }
  if ((text.charCodeAt(at) | 0x20) !== 0x65) return at
  const sign = text.charCodeAt(at + 1)
  const exponent = at + (sign === MINUS || sign === 0x2b ? 2 : 1)
  at = digitsEnd(text, exponent)
  return at === exponent ? -1 : at
}

function digitsEnd(text: string, from: number): number {
  let at = from
  while (isDigit(text.charCodeAt(at))) at++
  return at
}

function areDigits(text: string, from: number, to: number): boolean {
  return digitsEnd(text, from) === to
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}
