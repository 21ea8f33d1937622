/** Expressions that a system computes differently from DuckDB, which answers queries over archives. */

export type ExpressionRules = {
  /** `cuts`: a division of whole numbers has no fraction. In both, a division by zero is NULL in the answer. */
  readonly division: 'cuts' | 'keeps'
  /** Refused, each with the words that give the intended answer. */
  readonly others: readonly OtherExpression[]
}

export type OtherExpression = {
  /** As DuckDB calls the function or operator. */
  readonly names: readonly string[]
  /** The arguments for which it differs; absent: all. */
  readonly where?: ArgumentTest
  /** The difference, as a sentence without a subject: `counts bytes in MySQL, and characters here`. */
  readonly what: string
  readonly instead: string
}

/**
 * `text`: the first is a text. `fraction`: one is a number that may have a fraction. `real`: the same, and the
 * statement reads a column of floating point numbers. `single`: there is one. `negative`, `zero`: the second is such a
 * constant. `letters`: the second is a text that may have letters. `moment`: one is a date or time, and none an
 * interval.
 */
export type ArgumentTest = 'text' | 'fraction' | 'real' | 'single' | 'negative' | 'zero' | 'letters' | 'moment'
