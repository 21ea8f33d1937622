/** JSON parser, strict by RFC 8259; the caller builds the values. Numbers are passed as digits, never as a double. */
import { SluiceError } from '../../shared/errors.ts'
import { stringEnd } from './json-tokens.ts'

/** Builds values. The last of equal names is used, as in JSON.parse. */
export type JsonBuilder<T> = {
  object(members: ReadonlyMap<string, T>): T
  array(items: readonly T[]): T
  string(value: string): T
  number(digits: string): T
  word(word: 'true' | 'false' | 'null'): T
  /** Called for a duplicate name of an object. */
  onDuplicate?(name: string): void
}

/** @throws SluiceError VALUE_REFUSED if the text is not JSON, or nested more than 2,000 deep */
export function readJson<T>(text: string, builder: JsonBuilder<T>): T {
  const reader = new Reader(text, builder)
  const result = reader.value(0)
  reader.end()
  return result
}

const MOST_DEPTH = 2000
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORDS = ['true', 'false', 'null'] as const
const BLANK = /[ \t\n\r]*/y

class Reader<T> {
  readonly #text: string
  readonly #builder: JsonBuilder<T>
  #at = 0

  constructor(text: string, builder: JsonBuilder<T>) {
    this.#text = text
    this.#builder = builder
  }

  value(depth: number): T {
    if (depth > MOST_DEPTH) throw this.#wrong(`this JSON is nested more than ${MOST_DEPTH} deep`)
    this.#blank()
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return this.#builder.string(this.#string())
      case 't':
      case 'f':
      case 'n':
        return this.#builder.word(this.#word())
      default:
        return this.#builder.number(this.#number())
    }
  }

  end(): void {
    this.#blank()
    if (this.#at !== this.#text.length) throw this.#wrong()
  }

  #object(depth: number): T {
    const members = new Map<string, T>()
    this.#at++
    for (let first = true; !this.#closes('}', first); first = false) {
      this.#blank()
      const name = this.#string()
      if (members.has(name)) this.#builder.onDuplicate?.(name)
      this.#blank()
      if (this.#text[this.#at] !== ':') throw this.#wrong()
      this.#at++
      members.set(name, this.value(depth + 1))
    }
    return this.#builder.object(members)
  }

  #array(depth: number): T {
    const items: T[] = []
    this.#at++
    for (let first = true; !this.#closes(']', first); first = false) items.push(this.value(depth + 1))
    return this.#builder.array(items)
  }

  /** Skips the end of a list or an object, or the comma before its next item. @returns true at the end */
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
    const end = this.#text[this.#at] === '"' ? stringEnd(this.#text, this.#at) : -1
    if (end === -1) throw this.#wrong()
    try {
      const value = JSON.parse(this.#text.slice(this.#at, end)) as string
      this.#at = end
      return value
    } catch {
      throw this.#wrong()
    }
  }

  #number(): string {
    NUMBER.lastIndex = this.#at
    const [digits] = NUMBER.exec(this.#text) ?? []
    if (digits === undefined) throw this.#wrong()
    this.#at = NUMBER.lastIndex
    return digits
  }

  #word(): 'true' | 'false' | 'null' {
    const word = WORDS.find((one) => this.#text.startsWith(one, this.#at))
    if (word === undefined) throw this.#wrong()
    this.#at += word.length
    return word
  }

  #blank(): void {
    BLANK.lastIndex = this.#at
    BLANK.test(this.#text)
    this.#at = BLANK.lastIndex
  }

  #wrong(what = 'this is not JSON'): SluiceError {
    return new SluiceError('VALUE_REFUSED', `${what}, at character ${this.#at + 1}`, {
      hint: 'correct the value at the source',
    })
  }
}
