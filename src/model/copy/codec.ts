/** Codecs of the Cassandra Data Migrator: numbers or timestamps that one of the two sides stores as text. */
import { SluiceError } from '../../shared/errors.ts'
import type { Column, ColumnType } from './column-type.ts'
import { normalizer } from './canonical.ts'
import { canonicalInstant } from './canonical-time.ts'
import { datePattern, type DatePattern } from './date-pattern.ts'
import { javaDecimal, javaDouble, parseJavaDecimal, parseJavaDouble, parseJavaWhole } from './java-text.ts'
import { refusedValue } from './refused.ts'
import type { Cell } from './rows.ts'

export const CODECS = [
  'INT_STRING',
  'BIGINT_STRING',
  'DOUBLE_STRING',
  'DECIMAL_STRING',
  'TIMESTAMP_STRING_MILLIS',
  'TIMESTAMP_STRING_FORMAT',
] as const

export type CodecName = (typeof CODECS)[number]

/** Codecs that a run may use. */
export type CodecOptions = {
  readonly names: readonly CodecName[]
  /** Pattern of Java's DateTimeFormatter, and offset in ms east of UTC; for TIMESTAMP_STRING_FORMAT. */
  readonly format?: string
  readonly offsetMs?: number
}

/** A codec between two columns. `into`: `text` if the target's column is text, otherwise `value`. */
export type Codec = {
  readonly name: CodecName
  readonly into: 'text' | 'value'
  readonly format?: string
  readonly offsetMs?: number
}

/** The codec between two columns, and the type in which values are then transferred; null if none applies. */
export function codecBetween(
  source: Column,
  target: Column,
  options: CodecOptions,
): { readonly as: ColumnType; readonly codec: Codec } | null {
  const into = target.type.kind === 'text' ? 'text' : source.type.kind === 'text' ? 'value' : null
  if (into === null || source.type.kind === target.type.kind) return null
  const value = into === 'text' ? source : target
  const name = options.names.find((one) => isOf(one, value))
  if (name === undefined) return null
  const { format, offsetMs } = options
  const more =
    name === 'TIMESTAMP_STRING_FORMAT' && format !== undefined ? { format, offsetMs: offsetMs ?? 0 } : undefined
  return { as: into === 'text' ? { kind: 'text' } : spelledType(target), codec: { name, into, ...more } }
}

function isOf(name: CodecName, { type, native }: Column): boolean {
  switch (name) {
    case 'INT_STRING':
      return type.kind === 'int' && type.bits === 32 && type.unsigned !== true
    case 'BIGINT_STRING':
      // A counter column can only be incremented; it cannot take a value from text.
      return type.kind === 'int' && type.bits === 64 && type.unsigned !== true && native !== 'counter'
    case 'DOUBLE_STRING':
      return type.kind === 'float' && type.bits === 64
    case 'DECIMAL_STRING':
      return type.kind === 'decimal' && type.scale !== 0
    default:
      return type.kind === 'timestamp'
  }
}

/** Type of a column for a codec. If the system distinguishes 1.5 and 1.50, the spelling of a decimal must be kept. */
function spelledType({ type, native }: Column): ColumnType {
  return type.kind === 'decimal' && type.spelled === true ? { kind: 'native', name: native } : type
}

/** Type in which the source's column is read before the codec converts it. */
export function readType({ into }: Codec, source: Column): ColumnType {
  return into === 'value' ? { kind: 'text' } : spelledType(source)
}

export type Conversion = {
  /** Converts a value of the source. @throws SluiceError VALUE_REFUSED for a value that the codec cannot convert */
  readonly forth: (cell: Exclude<Cell, null>) => Exclude<Cell, null>
  /** Converts texts of keys back. A text that the codec cannot have produced is returned unchanged. */
  readonly back: (text: string) => string
}

/**
 * @param as type in which the values are transferred
 * @param inKey set for key columns: a value that `back` cannot restore is refused
 */
export function conversionOf(codec: Codec, as: ColumnType, inKey: boolean): Conversion {
  const { encode, decode } = pairOf(codec)
  const canonical = normalizer(as)
  const forward = codec.into === 'text' ? encode : (text: string): Exclude<Cell, null> => canonical(decode(text))
  const backward = codec.into === 'text' ? (text: string): string => String(decode(text)) : encode
  const forth = (cell: Exclude<Cell, null>): Exclude<Cell, null> => forward(String(cell))
  const back = (text: string): string => {
    try {
      return backward(text)
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'VALUE_REFUSED') return text
      throw error
    }
  }
  if (!inKey) return { forth, back }
  return {
    forth: (cell) => {
      const made = forth(cell)
      if (back(String(made)) === String(cell)) return made
      throw refusedValue(`a key that ${codec.name} can convert back`, String(cell))
    },
    back,
  }
}

/** Converts canonical text to the text that Java writes, and back. */
function pairOf(codec: Codec): {
  readonly encode: (value: string) => string
  readonly decode: (text: string) => string | number
} {
  switch (codec.name) {
    case 'INT_STRING':
      return { encode: String, decode: (text) => parseJavaWhole(text, 32) }
    case 'BIGINT_STRING':
      return { encode: String, decode: (text) => parseJavaWhole(text, 64) }
    case 'DOUBLE_STRING':
      return { encode: (value) => javaDouble(Number(value)), decode: parseJavaDouble }
    case 'DECIMAL_STRING':
      return { encode: javaDecimal, decode: parseJavaDecimal }
    case 'TIMESTAMP_STRING_MILLIS':
      return {
        encode: (value) => String(msOf(value)),
        decode: (text) => timestampText(Number(parseJavaWhole(text, 64))),
      }
    case 'TIMESTAMP_STRING_FORMAT': {
      const pattern: DatePattern = datePattern(codec.format ?? 'yyyyMMddHHmmss', codec.offsetMs ?? 0)
      return { encode: (value) => pattern.format(msOf(value)), decode: (text) => timestampText(pattern.parse(text)) }
    }
  }
}

const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?$/

/** @throws SluiceError VALUE_REFUSED for years before 1 or after 9999, and for fractions of a millisecond */
function msOf(canonical: string): number {
  const found = TIMESTAMP.exec(canonical)
  if (found === null) throw refusedValue('a time in the years 1 to 9999', canonical)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map(Number)
  const at = new Date(0)
  at.setUTCFullYear(year, month - 1, day)
  return at.setUTCHours(hour, minute, second, Number((found[7] ?? '').padEnd(3, '0')))
}

function timestampText(ms: number): string {
  const at = new Date(ms)
  const year = at.getUTCFullYear()
  if (Number.isNaN(year) || year < 1 || year > 9999) throw refusedValue('a time in the years 1 to 9999', String(ms))
  return canonicalInstant(at.toISOString().replace('T', ' ').replace('Z', ''), true)
}
