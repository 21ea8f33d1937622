/** What the values of a column have in common, learned while they pass by. A file with types is written by it. */
import type { SqlRow } from '../../model/run/sql-port.ts'
import { DECIMAL_DIGITS, type AnswerType, type DeclaredType } from '../../model/run/answer-file.ts'
import { fitOf } from './declared-fit.ts'

const INT64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n }
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
  readonly #declared: DeclaredType | undefined
  readonly #isOne: ReturnType<typeof fitOf> | undefined
  #fits = true

  /** @param declared type of the column in its database; it counts where every value is one of it */
  constructor(declared?: DeclaredType) {
    this.#declared = declared
    this.#isOne = declared === undefined ? undefined : fitOf(declared)
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

  /** The one type that holds all of them exactly. */
  get type(): AnswerType {
    if (this.#declared !== undefined && this.#fits) return this.#declared
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
    // It is declared as texts, and has nothing else; or as something that not all of its values are.
    if (this.#declared !== undefined) return !this.#fits
    return this.#bytes || this.#reals || this.#integers || (this.#texts && (this.#mayBeNumbers || this.#mayBeTimes))
  }
}
