/** The checks that fields of actions go through, and the words for what fails them. */
import { SluiceError } from '../shared/errors.ts'

export type Json = Record<string, unknown>
export type Where = () => string

export function bad(message: string, where: Where, cause?: unknown): SluiceError {
  const at = where()
  return new SluiceError('BAD_ACTION', `${at}: ${message}`, {
    where: at,
    reason: 'the line is no action that a Delta log may hold',
    hint: 'restore the file from a copy; sluice never skips a line it cannot read',
    ...(cause === undefined ? {} : { cause }),
  })
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `value` for messages, cut short. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

/** The fields of one action, read one by one so that a message can name the one that is wrong. */
export class Fields {
  readonly kind: string
  readonly of: Json
  readonly #where: Where

  constructor(kind: string, of: Json, where: Where) {
    this.kind = kind
    this.of = of
    this.#where = where
  }

  #bad(field: string, expected: string): SluiceError {
    return bad(`${this.kind}.${field} should be ${expected}, is ${shown(this.of[field])}`, this.#where)
  }

  text(field: string): void {
    if (typeof this.of[field] !== 'string') throw this.#bad(field, 'text')
  }

  textOrNull(field: string): void {
    const value = this.of[field]
    if (value !== undefined && value !== null && typeof value !== 'string') throw this.#bad(field, 'text')
  }

  count(field: string): void {
    const value = this.of[field]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw this.#bad(field, 'a whole number from 0 to 2^53')
    }
  }

  countOrNull(field: string): void {
    if (this.of[field] !== undefined && this.of[field] !== null) this.count(field)
  }

  integer(field: string): void {
    if (!Number.isSafeInteger(this.of[field])) throw this.#bad(field, 'a whole number within 2^53')
  }

  integerOrNull(field: string): void {
    if (this.of[field] !== undefined && this.of[field] !== null) this.integer(field)
  }

  /** A time that is only shown: what cannot be one is taken for not given. */
  time(field: string): void {
    if (this.of[field] !== undefined && !Number.isSafeInteger(this.of[field])) this.of[field] = null
  }

  flag(field: string, absent: boolean): void {
    const value = this.of[field]
    if (value === undefined || value === null) this.of[field] = absent
    else if (typeof value !== 'boolean') throw this.#bad(field, 'true or false')
  }

  flagOrNull(field: string): void {
    const value = this.of[field]
    if (value !== undefined && value !== null && typeof value !== 'boolean') throw this.#bad(field, 'true or false')
  }

  textsOrNull(field: string): void {
    const value = this.of[field]
    if (value === undefined || value === null) return
    if (!Array.isArray(value) || value.some((one) => typeof one !== 'string')) throw this.#bad(field, 'a list of texts')
  }

  /** An object whose values are text or null. */
  mapOrNull(field: string): void {
    const value = this.of[field]
    if (value === undefined || value === null) return
    if (!isObject(value)) throw this.#bad(field, 'an object')
    for (const key in value) {
      const one = value[key]
      if (typeof one !== 'string' && one !== null) throw this.#bad(field, `an object of texts ('${key}' is none)`)
    }
  }

  object(field: string): Json {
    const value = this.of[field]
    if (!isObject(value)) throw this.#bad(field, 'an object')
    return value
  }

  /** `metaData.format`: a provider, and options that are texts. */
  format(): void {
    const value = this.of['format']
    if (value === undefined || value === null) return
    const format = new Fields(`${this.kind}.format`, this.object('format'), this.#where)
    format.textOrNull('provider')
    format.mapOrNull('options')
  }

  deletionVector(): void {
    const value = this.of['deletionVector']
    if (value === undefined || value === null) return
    const dv = new Fields(`${this.kind}.deletionVector`, this.object('deletionVector'), this.#where)
    dv.text('storageType')
    dv.text('pathOrInlineDv')
    dv.countOrNull('offset')
    dv.count('sizeInBytes')
    dv.count('cardinality')
  }
}
