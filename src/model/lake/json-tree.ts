/** JSON values whose numbers keep their digits. */
import { readJson, type JsonBuilder } from './json-reader.ts'

export class JsonNumber {
  readonly digits: string

  constructor(digits: string) {
    this.digits = digits
  }
}

export type Json = null | boolean | string | JsonNumber | readonly Json[] | ReadonlyMap<string, Json>

const TREE: JsonBuilder<Json> = {
  object: (members) => members,
  array: (items) => items,
  string: (value) => value,
  number: (digits) => new JsonNumber(digits),
  word: (word) => (word === 'null' ? null : word === 'true'),
}

/** @throws SluiceError VALUE_REFUSED if the text is not JSON */
export function parseJson(text: string): Json {
  return readJson(text, TREE)
}

/** Prints JSON with the original digits of its numbers. */
export function printedJson(value: Json): string {
  if (value instanceof JsonNumber) return value.digits
  if (Array.isArray(value)) return `[${value.map((one: Json) => printedJson(one)).join(',')}]`
  if (value instanceof Map) {
    const members = [...(value as ReadonlyMap<string, Json>)]
    return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${printedJson(one)}`).join(',')}}`
  }
  return JSON.stringify(value)
}
