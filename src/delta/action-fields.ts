/** Checks of the fields of actions, and the messages for fields that fail them. */
import { SluiceError } from '../shared/errors.ts'
import type { DeletionVectorDescriptor, MetadataAction } from './actions.ts'

export type JsonObject = Record<string, unknown>
export type WhereText = () => string

export function bad(message: string, where: WhereText, cause?: unknown): SluiceError {
  const at = where()
  return new SluiceError('BAD_ACTION', `${at}: ${message}`, {
    where: at,
    reason: 'the line is not a valid action of a Delta log',
    hint: 'restore the file from a copy; sluice does not skip unreadable lines',
    cause,
  })
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `value` as text for messages, cut to 40 characters. */
export function shortText(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

type Is<T, K extends string, V> = Fields<T & { [name in K]: V }>
type WithField<T, K extends string, V> = Fields<T & { [name in K]?: V | null }>

/**
 * Reads the fields of one action one by one, so that a message can name the wrong field. The type of `of` has the
 * fields that were read, so the compiler reports a required field that was not read.
 */
export class Fields<T = unknown> {
  readonly kind: string
  readonly of: JsonObject & T
  readonly #where: WhereText

  private constructor(kind: string, of: JsonObject & T, where: WhereText) {
    this.kind = kind
    this.of = of
    this.#where = where
  }

  static in(kind: string, of: JsonObject, where: WhereText): Fields {
    return new Fields<unknown>(kind, of, where)
  }

  get #all(): JsonObject {
    return this.of
  }

  #bad(field: string, expected: string): SluiceError {
    return bad(`${this.kind}.${field} should be ${expected}, is ${shortText(this.#all[field])}`, this.#where)
  }

  #isPresent(field: string): boolean {
    const value = this.#all[field]
    return value !== undefined && value !== null
  }

  text<K extends string>(field: K): asserts this is Is<T, K, string> {
    if (typeof this.#all[field] !== 'string') throw this.#bad(field, 'text')
  }

  textOrNull<K extends string>(field: K): asserts this is WithField<T, K, string> {
    if (this.#isPresent(field) && typeof this.#all[field] !== 'string') throw this.#bad(field, 'text')
  }

  #count(field: string): void {
    const value = this.#all[field]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw this.#bad(field, 'a whole number from 0 to 2^53')
    }
  }

  count<K extends string>(field: K): asserts this is Is<T, K, number> {
    this.#count(field)
  }

  countOrNull<K extends string>(field: K): asserts this is WithField<T, K, number> {
    if (this.#isPresent(field)) this.#count(field)
  }

  integer<K extends string>(field: K): asserts this is Is<T, K, number> {
    if (!Number.isSafeInteger(this.#all[field])) throw this.#bad(field, 'a whole number within 2^53')
  }

  integerOrNull<K extends string>(field: K): asserts this is WithField<T, K, number> {
    if (this.#isPresent(field) && !Number.isSafeInteger(this.#all[field]))
      throw this.#bad(field, 'a whole number within 2^53')
  }

  /** A time that is only displayed: an invalid value becomes null. */
  time<K extends string>(field: K): asserts this is WithField<T, K, number> {
    if (this.#all[field] !== undefined && !Number.isSafeInteger(this.#all[field])) this.#all[field] = null
  }

  flag<K extends string>(field: K, absent: boolean): asserts this is Is<T, K, boolean> {
    if (!this.#isPresent(field)) this.#all[field] = absent
    else if (typeof this.#all[field] !== 'boolean') throw this.#bad(field, 'true or false')
  }

  flagOrNull<K extends string>(field: K): asserts this is WithField<T, K, boolean> {
    if (this.#isPresent(field) && typeof this.#all[field] !== 'boolean') throw this.#bad(field, 'true or false')
  }

  textsOrNull<K extends string>(field: K): asserts this is WithField<T, K, readonly string[]> {
    if (!this.#isPresent(field)) return
    const value = this.#all[field]
    if (!Array.isArray(value) || value.some((one) => typeof one !== 'string')) throw this.#bad(field, 'a list of texts')
  }

  /** An object whose values are text or null. */
  mapOrNull<K extends string>(field: K): asserts this is WithField<T, K, Readonly<Record<string, string | null>>> {
    if (!this.#isPresent(field)) return
    const value = this.#all[field]
    if (!isObject(value)) throw this.#bad(field, 'an object')
    for (const key in value) {
      const one = value[key]
      if (typeof one !== 'string' && one !== null) throw this.#bad(field, `an object of texts ('${key}' is not one)`)
    }
  }

  /** Fields of a nested object; null if it is absent. */
  #nested(field: string): Fields | null {
    if (!this.#isPresent(field)) return null
    const value = this.#all[field]
    if (!isObject(value)) throw this.#bad(field, 'an object')
    return Fields.in(`${this.kind}.${field}`, value, this.#where)
  }

  /** `metaData.format`: a provider, and options that are texts. */
  format<K extends string>(field: K): asserts this is WithField<T, K, Format> {
    const format = this.#nested(field)
    if (format !== null) formatFields(format)
  }

  deletionVector<K extends string>(field: K): asserts this is WithField<T, K, DeletionVectorDescriptor> {
    const vector = this.#nested(field)
    if (vector !== null) vectorFields(vector)
  }
}

type Format = NonNullable<MetadataAction['format']>

function formatFields(fields: Fields): asserts fields is Fields<Format> {
  fields.textOrNull('provider')
  fields.mapOrNull('options')
}

function vectorFields(fields: Fields): asserts fields is Fields<DeletionVectorDescriptor> {
  fields.text('storageType')
  fields.text('pathOrInlineDv')
  fields.countOrNull('offset')
  fields.count('sizeInBytes')
  fields.count('cardinality')
}
