/** Expressions that a system computes differently from DuckDB, which answers queries over archives. */

export type ExpressionRules = {
  /** `cuts`: dividing integers drops the fraction; `keeps`: it does not. Division by zero is NULL in both cases. */
  readonly division: 'cuts' | 'keeps'
  /** Where NULL sorts if the statement does not say it: above all values, or below them. */
  readonly nulls: 'above' | 'below'
  /** Casts that cut a text, which DuckDB does not: those to `char(n)` and `varchar(n)`, also to `char`, or none. */
  readonly cutsTexts: 'with length' | 'also char' | 'never'
  /** Expressions that are refused, each with its replacement. */
  readonly others: readonly OtherExpression[]
}

export type OtherExpression = {
  /** Names of the function or operator in DuckDB. */
  readonly names: readonly string[]
  /** Arguments for which the result differs; absent: all. */
  readonly where?: ArgumentTest
  /** The difference, as a sentence without a subject: `counts bytes in MySQL, and characters in DuckDB`. */
  readonly what: string
  readonly instead: string
}

/**
 * Test of the arguments of a call. `text`: the first is a text. `fraction`: one is a number that may have a fraction.
 * `real`: the first is a floating point number, and the statement reads a column of such numbers. `single`: there is
 * exactly one argument. `negative`, `zero`: the second is a constant below 0, or 0. `letters`: the second may be a
 * text with letters. `moment`: one is a date or time, and none an interval. `boolean`: one is a boolean. `float`: one
 * is a number of single precision; `mixed`: and another is converted to it. `RegExp`: the first may be a text that it
 * matches.
 */
export type ArgumentTest =
  | 'text'
  | 'fraction'
  | 'real'
  | 'single'
  | 'negative'
  | 'zero'
  | 'letters'
  | 'moment'
  | 'boolean'
  | 'float'
  | 'mixed'
  | RegExp
