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
 * `real`: the first is a floating point number, and the statement reads a column of such numbers. `decimal`: one is a
 * decimal that was computed without a constant such as 1.0. `negative`, `zero`: the second is a constant below 0, or 0.
 * `letters`: the second may be a text with letters; `pattern`: one with a backslash. `moment`: one is a date or time,
 * and none an interval. `boolean`: one is a boolean. `float`: one is a number of single precision; `mixed`: and another
 * is converted to it; `widened`: one is converted to double precision. A number: there are so many arguments.
 * `RegExp`: the first text may match it. `not`: the first has none of these types, named as in DuckDB.
 */
export type ArgumentTest =
  | 'text'
  | 'fraction'
  | 'real'
  | 'decimal'
  | 'negative'
  | 'zero'
  | 'letters'
  | 'pattern'
  | 'moment'
  | 'boolean'
  | 'float'
  | 'mixed'
  | 'widened'
  | number
  | RegExp
  | { readonly not: readonly string[] }

/** Types whose values all systems write as the same texts; `NULL` is that of NULL itself. */
export const SAME_TEXTS = ['NULL', 'VARCHAR', 'TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'DATE'] as const

/** LIKE with a backslash in its pattern. @param system as texts name it */
export const escapedLike = (system: string): OtherExpression => ({
  names: ['~~', '!~~', '~~*', '!~~*'],
  where: 'pattern',
  what: `has the escape character \\ in ${system}, and none in DuckDB`,
  instead: `t LIKE '10\\%' ESCAPE '\\'`,
})

/** JSON_VALUE. @param system as texts name it */
export const unquotedJsonValue = (system: string): OtherExpression => ({
  names: ['json_value'],
  what: `is a text without quotes in ${system}, and JSON in DuckDB`,
  instead: `j->>'$.k'`,
})

/** A text that becomes a whole number. @param system as texts name it */
export const firstDigits = (system: string): OtherExpression => ({
  names: ['CAST'],
  where: /[^\d\s+-]/,
  what: `of a text to a whole number reads its first digits in ${system}, and rounds in DuckDB`,
  instead: 'trunc(t::double)',
})
