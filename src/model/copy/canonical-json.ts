/**
 * JSON in one form: no blanks, keys sorted by UTF-16 units, the last of equal keys, escapes only where JSON demands them, numbers as
 * plain decimals without leading or trailing zeros. Numbers never pass through a double.
 */
import { SluiceError } from '../../shared/errors.ts'
import { canonicalDecimal } from './decimal.ts'

/** @throws SluiceError VALUE_REFUSED where the text is no JSON */
export function canonicalJson(text: string): string {
  const reader = new Reader(text)
  const result = reader.value(0)
  reader.end()
  return result
}

const MOST_DEPTH = 2000
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const WORD = /true|false|null/y
const BLANK = /[ \t\n\r]*/y

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): string {
    if (depth > MOST_DEPTH) throw this.#wrong()
    this.#blank()
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return JSON.stringify(this.#string())
      case 't':
      case 'f':
      case 'n':
        return this.#match(WORD)
      default:
        return canonicalDecimal(this.#match(NUMBER))
    }
  }

  end(): void {
    this.#blank()
    if (this.#at !== this.#text.length) throw this.#wrong()
  }

  #object(depth: number): string {
    const members = new Map<string, string>()
    this.#at++
    for (let first = true; !this.#closes('}', first); first = false) {
      this.#blank()
      const key = this.#string()
      this.#blank()
      if (this.#text[this.#at] !== ':') throw this.#wrong()
      this.#at++
      members.set(key, this.value(depth + 1))
    }
    const keys = [...members.keys()].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${keys.map((key) => `${JSON.stringify(key)}:${members.get(key) ?? ''}`).join(',')}}`
  }

  #array(depth: number): string {
    const items: string[] = []
    this.#at++
    for (let first = true; !this.#closes(']', first); first = false) items.push(this.value(depth + 1))
    return `[${items.join(',')}]`
  }

  /** Past the end of a list, or past the comma before its next item. */
  #closes(end: string, first: boolean): boolean {
    this.#blank()
    const here = this.#text[this.#at]
    if (here === end) {
      this.#at++
      return true
    }
    if (first) return false
    if (here !== ',') throw this.#wrong()
    this.#at++
    return false
  }

  #string(): string {
    return JSON.parse(this.#match(STRING)) as string
  }

  #blank(): void {
    BLANK.lastIndex = this.#at
    BLANK.test(this.#text)
    this.#at = BLANK.lastIndex
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) throw this.#wrong()
    this.#at = pattern.lastIndex
    return found[0]
  }

  #wrong(): SluiceError {
    return new SluiceError('VALUE_REFUSED', `this is no JSON, at character ${this.#at + 1}`, {
      hint: 'mend the value at its source, or map the column to text',
    })
  }
}
