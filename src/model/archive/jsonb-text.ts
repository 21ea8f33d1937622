/** Converts JSON text to PostgreSQL's text of the same jsonb value: the result of ALTER TABLE … TYPE jsonb. */
import { SluiceError } from '../../shared/errors.ts'
import { readJson, type JsonBuilder } from '../lake/json-reader.ts'

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}
const SPECIAL = /["\\\p{Cc}]/gu
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

const JSONB: JsonBuilder<string> = {
  object(members) {
    const names = [...members.keys()].map((name) => ({ name, bytes: Buffer.from(name) }))
    names.sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes))
    return `{${names.map(({ name }) => `${text(name)}: ${members.get(name) ?? ''}`).join(', ')}}`
  },
  array: (items) => `[${items.join(', ')}]`,
  string: text,
  number: numeric,
  word: (word) => word,
  onDuplicate: (name) => {
    throw lossyError(`an object has two values of ${JSON.stringify(name)}, and a jsonb keeps only the last one`)
  },
}

/** @throws SluiceError VALUE_REFUSED if jsonb cannot store the value unchanged */
export function jsonbText(json: string): string {
  return readJson(json, JSONB)
}

function text(value: string): string {
  if (value.includes('\0')) throw lossyError('a text in it has the character U+0000')
  if (LONE.test(value)) throw lossyError('a text in it has a surrogate without its pair')
  const shown = value.replaceAll(SPECIAL, (char) => SHORT[char] ?? (char < ' ' ? escapeOf(char) : char))
  return `"${shown}"`
}

function escapeOf(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** The number without an exponent; trailing zeros stay. */
function numeric(digits: string): string {
  const [, sign = '', whole = '', behind = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(digits) ?? []
  const power = Number(exponent)
  if (Math.abs(power) > MOST_POWER) throw lossyError(`the exponent of its number ${digits.slice(0, 40)} is too large`)
  const all = whole + behind
  const point = whole.length + power
  const scale = Math.max(0, behind.length - power)
  const padded = point <= 0 ? '0'.repeat(1 - point) + all : all.padEnd(point, '0')
  const at = Math.max(1, point)
  const front = padded.slice(0, at).replace(/^0+(?=\d)/, '')
  const back = padded.slice(at, at + scale).padEnd(scale, '0')
  const isZero = !/[1-9]/.test(all)
  return `${isZero ? '' : sign}${front}${scale === 0 ? '' : `.${back}`}`
}

/** Largest exponent that PostgreSQL's numeric accepts. */
const MOST_POWER = 131_071

function lossyError(why: string): SluiceError {
  return new SluiceError('VALUE_REFUSED', `this json value cannot be stored unchanged as jsonb: ${why}`, {
    hint: 'change the column back to json, run the same command, then correct the value and change the type; or restore the rows into another table with --into',
  })
}
