/** JSON whose numbers keep their digits. */
import { SluiceError } from '../../../shared/errors.ts'

export class JsonNumber {
  readonly digits: string

  constructor(digits: string) {
    this.digits = digits
  }
}

export type Json = null | boolean | string | JsonNumber | readonly Json[] | ReadonlyMap<string, Json>

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const WORD = /true|false|null/y
const BLANKS = /[ \t\n\r]*/y

/** @throws SluiceError VALUE_REFUSED where the text is no JSON */
export function parseJson(text: string): Json {
  let at = 0
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found === null) throw new SluiceError('VALUE_REFUSED', `this is no JSON, at character ${at + 1}`)
    at = pattern.lastIndex
    return found[0]
  }
  const sign = (wanted: string): boolean => {
    match(BLANKS)
    if (text[at] !== wanted) return false
    at++
    return true
  }
  const must = (wanted: string): void => {
    // Nothing begins with a letter that is not there.
    if (!sign(wanted)) match(WORD)
  }
  const string = (): string => JSON.parse(match(STRING)) as string
  const value = (): Json => {
    match(BLANKS)
    switch (text[at]) {
      case '{':
        return members()
      case '[':
        return items()
      case '"':
        return string()
      case 't':
      case 'f':
      case 'n': {
        const word = match(WORD)
        return word === 'null' ? null : word === 'true'
      }
      default:
        return new JsonNumber(match(NUMBER))
    }
  }
  const items = (): Json => {
    const all: Json[] = []
    at++
    if (sign(']')) return all
    do all.push(value())
    while (sign(','))
    must(']')
    return all
  }
  const members = (): Json => {
    const all = new Map<string, Json>()
    at++
    if (sign('}')) return all
    do {
      match(BLANKS)
      const name = string()
      must(':')
      all.set(name, value())
    } while (sign(','))
    must('}')
    return all
  }
  const result = value()
  match(BLANKS)
  if (at !== text.length) match(/$./y)
  return result
}
