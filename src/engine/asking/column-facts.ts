/** What the values of a column have in common, learned while they pass by. A file with types is written by it. */
import type { SqlRow } from '../../stores/port.ts'
import type { AnswerType } from '../../model/answer-file.ts'

const INT64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n }
/** Digits of the longest decimal that Parquet holds. */
const DECIMAL_DIGITS = 38
/** What decimals, dates and times are printed as: drivers hand them over as texts. */
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const TIME = /^\d{4,6}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?$/

export class ColumnFacts {
  #texts = false
  /** Whether all texts so far may be numbers, or times. */
  #mayBeNumbers = true
  #mayBeTimes = true
  #bytes = false
  #reals = false
  #integers = false
  /** Whether a whole number is none that a double holds. */
  #beyondDoubles = false
  #beyondInt64 = false
  #beyondDecimals = false

  see(value: SqlRow[number]): void {
    if (value === null) return
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

  /** The one type that holds all of them exactly. */
  get type(): AnswerType {
    const kinds = [this.#texts, this.#bytes, this.#reals || this.#integers].filter(Boolean).length
    if (kinds !== 1 || this.#texts) return 'text'
    if (this.#bytes) return 'bytes'
    if (this.#reals) return this.#integers && this.#beyondDoubles ? 'text' : 'real'
    if (!this.#beyondInt64) return 'integer'
    return this.#beyondDecimals ? 'text' : 'large-integer'
  }

  /** Whether bytes stand among values that are none: as one text nobody could tell them apart any more. */
  get bytesAmongOthers(): boolean {
    return this.#bytes && (this.#texts || this.#reals || this.#integers)
  }

  /** Whether `text` is what its values have become for want of one type, or may not be theirs: all of them look like numbers, or like times. */
  get toldAsText(): boolean {
    if (this.type !== 'text') return false
    return this.#bytes || this.#reals || this.#integers || (this.#texts && (this.#mayBeNumbers || this.#mayBeTimes))
  }
}
