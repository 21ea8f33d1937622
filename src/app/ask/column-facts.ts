/** Collects the common type of a column's values, for writing a typed file. */
import { INT64 } from '../../shared/int64.ts'
import type { SqlRow } from '../../model/run/sql-port.ts'
import { DECIMAL_DIGITS, type AnswerType, type DeclaredType } from '../../model/run/answer-file.ts'
import { declaredFit } from './declared-fit.ts'

/** Decimals, dates and times as databases print them: drivers return these values as text. */
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const TIME = /^\d{4,6}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?$/

export class AnswerColumnFacts {
  #texts = false
  /** True while all texts may be numbers, or times. */
  #mayBeNumbers = true
  #mayBeTimes = true
  #bytes = false
  #reals = false
  #integers = false
  /** True once an integer was seen that a double cannot represent. */
  #beyondDoubles = false
  #beyondInt64 = false
  #beyondDecimals = false
  readonly #declared: DeclaredType | undefined
  readonly #isOne: ReturnType<typeof declaredFit> | undefined
  #fits = true

  /** @param declared type in the database; used if every value fits */
  constructor(declared?: DeclaredType) {
    this.#declared = declared
    this.#isOne = declared === undefined ? undefined : declaredFit(declared)
  }

  see(value: SqlRow[number]): void {
    if (value === null) return
    if (this.#fits && this.#isOne !== undefined) this.#fits = this.#isOne(value)
    if (typeof value === 'string') {
      this.#texts = true
      this.#mayBeNumbers &&= NUMBER.test(value)
      this.#mayBeTimes &&= TIME.test(value)
    } else if (typeof value === 'number') {
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.#integers = true
      else this.#reals = true
    } else if (typeof value === 'bigint') {
      this.#integers = true
      if (!Number.isSafeInteger(Number(value))) this.#seeLarge(value)
    } else this.#bytes = true
  }

  #seeLarge(value: bigint): void {
    this.#beyondDoubles = true
    if (value < INT64.least || value > INT64.most) this.#beyondInt64 = true
    if (String(value).replace('-', '').length > DECIMAL_DIGITS) this.#beyondDecimals = true
  }

  /** A single type that holds all values exactly. */
  get type(): AnswerType {
    if (this.#declared !== undefined && this.#fits) return this.#declared
    const kinds = [this.#texts, this.#bytes, this.#reals || this.#integers].filter(Boolean).length
    if (kinds !== 1 || this.#texts) return 'text'
    if (this.#bytes) return 'bytes'
    if (this.#reals) return this.#integers && this.#beyondDoubles ? 'text' : 'real'
    if (!this.#beyondInt64) return 'integer'
    return this.#beyondDecimals ? 'text' : 'large-integer'
  }

  /** True if bytes are mixed with other values: as text they could not be distinguished. */
  get hasMixedBytes(): boolean {
    return this.#bytes && (this.#texts || this.#reals || this.#integers)
  }

  /** True if the column became text because of mixed types, or if all its texts may be numbers or times. */
  get reportedAsText(): boolean {
    if (this.type !== 'text') return false
    // A declared type: report the column only if some values do not fit that type.
    if (this.#declared !== undefined) return !this.#fits
    return this.#bytes || this.#reals || this.#integers || (this.#texts && (this.#mayBeNumbers || this.#mayBeTimes))
  }
}
