/** Expressions that a system computes differently from DuckDB, which answers queries over archives. */

export type ExpressionRules = {
  /** `cuts`: dividing integers drops the fraction; `keeps`: it does not. Division by zero is NULL in both cases. */
  readonly division: 'cuts' | 'keeps'
  /** Where NULL sorts if the statement does not say it: above all values, or below them. */
  readonly nulls: 'above' | 'below'
  /** Matches words of a statement that make floating point numbers, without its texts. */
  readonly reals?: RegExp
  /** Casts and calls that are refused by the text of the statement: its plan does not show them as written. */
  readonly casts: readonly WrittenCast[]
  /** Literals that are refused, by their text, except behind E. */
  readonly escapes?: WrittenCast
  /** Expressions that are refused, each with its replacement. */
  readonly others: readonly OtherExpression[]
  /** Columns that are refused where they become texts. */
  readonly texts: readonly OtherText[]
}

/**
 * A cast, or another call that the plan does not show as written.
 * @property written matches the statement without comments, with a quote for each character of texts and quoted names
 */
export type WrittenCast = { readonly written: RegExp; readonly what: string; readonly instead: string }

/** Columns whose texts a cast or function of the source computes otherwise, because of their type or collation. */
export type OtherText = {
  /** Matches their type, or that of their domain. */
  readonly native: RegExp
  /** Matches the name of their collation, which is '' for one that compares by bytes; absent: any. */
  readonly collation?: RegExp
  /** Set if the archive stores them as numbers. */
  readonly number?: true
  /** Matches the function that takes the text; it is given '' for a cast alone. */
  readonly within: RegExp
  /** Set if that function may also take a text that others made of the column. */
  readonly anywhere?: true
  readonly what: string
  readonly instead: string
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
 * decimal that was computed without a constant such as 1.0. `negative`: the second is a constant below 0. `outside`:
 * it is 0 or below -1, or the third is below 0. `moment`: one is a date or time, and none an interval. `boolean`: one
 * is a boolean. `float`: one is a number of single precision; `mixed`: and another is converted to it; `widened`: one
 * is converted to double. `quotient`: it is none of floating point numbers, and may have more than 4 digits more than
 * its dividend. A number: there are so many arguments. `rounded`: the cast of a constant text drops digits behind the
 * point. `constant`: the first is a constant text that matches. `RegExp`: the first text may match it; `second`: the
 * second is a text that may. `not`: the first has none of these types, named as in DuckDB. `notFrom`: the first is not
 * the result of this function.
 */
export type ArgumentTest =
  | 'text'
  | 'fraction'
  | 'real'
  | 'decimal'
  | 'negative'
  | 'outside'
  | 'moment'
  | 'boolean'
  | 'float'
  | 'mixed'
  | 'widened'
  | 'quotient'
  | 'rounded'
  | number
  | RegExp
  | { readonly second: RegExp }
  | { readonly constant: RegExp }
  | { readonly not: readonly string[] }
  | { readonly notFrom: string }

/** Types whose values all systems write as the same texts; `NULL` is that of NULL itself. */
export const SAME_TEXTS = ['NULL', 'VARCHAR', 'TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'DATE'] as const

/** A cast that is written as `::type` or `CAST(… AS type)`, without a length. @param types joined by | */
export const bareCast = (types: string): RegExp =>
  new RegExp(String.raw`::\s*(?:${types})\b(?!\s*\()|\bas\s+(?:${types})(?=\s*\))`, 'i')

const CUT_TEXT = {
  what: 'is a cast that cuts the text in the database, and not in DuckDB',
  instead: 'left(t, 3) has the first 3 characters',
}

/** Casts to `char(n)` and `varchar(n)`. */
export const SIZED_TEXT: WrittenCast = {
  written: /\b(?:nchar|nvarchar|bpchar|varchar|char|character|text|string)(?:\s+varying)?\s*\(\s*\d+\s*\)/i,
  ...CUT_TEXT,
}

/** Casts to `char`, which is `char(1)`. */
export const ONE_CHAR: WrittenCast = { written: bareCast(String.raw`char(?:acter)?(?!\s+varying)`), ...CUT_TEXT }

/** A number in quotes that is compared with a decimal. @param system as texts name it */
export const roundedText = (system: string): OtherExpression => ({
  names: ['CAST to DECIMAL'],
  where: 'rounded',
  what: `of a text keeps all digits in ${system} if it is compared, and has those of the column in DuckDB`,
  instead: 'the number without quotes, such as q > 7.549',
})

/** A date in quotes with a year of two digits. @param system as texts name it */
export const shortYear = (system: string): OtherExpression => ({
  names: ['CAST to DATE', 'CAST to TIMESTAMP', 'CAST to TIMESTAMP WITH TIME ZONE'],
  where: { constant: /^\s*\d{1,3}\D/ },
  what: `of a text reads a year of two digits as one of this century or the last in ${system}, and as it is in DuckDB`,
  instead: `a year of four digits, such as '2024-01-31'`,
})

/** A time of day in quotes that is compared with a date. @param system as texts name it */
export const timeOfDay = (system: string): OtherExpression => ({
  names: ['CAST to DATE'],
  where: { constant: /\d[T ]+\d/ },
  what: `of a text with a time of day keeps it in ${system} if it is compared, and drops it in DuckDB`,
  instead: `TIMESTAMP '2024-01-31 10:00:00'`,
})

/** Literals of bits and bytes. @param system as texts name it */
export const bitLiteral = (system: string): WrittenCast => ({
  written: /(?<![\p{L}\p{N}_$"'])[bx](?=')/iu,
  what: `before a text makes bits or bytes of it in ${system}, and is a part of the text in DuckDB`,
  instead: `unhex('61') for bytes, '101' for bits of PostgreSQL, 5 for those of MySQL`,
})

/** LIKE with a backslash in its pattern. @param system as texts name it */
export const escapedLike = (system: string): OtherExpression => ({
  names: ['~~', '!~~', '~~*', '!~~*'],
  where: { second: /\\/ },
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

/** Blanks that are cut off. @param system as texts name it */
export const cutBlanks = (system: string): OtherExpression => ({
  names: ['trim', 'ltrim', 'rtrim'],
  where: 1,
  what: `cuts off plain blanks in ${system}, and also no-break and other blanks of Unicode in DuckDB`,
  instead: `trim(t, ' '), ltrim(t, ' ') or rtrim(t, ' ')`,
})

/** Characters in the opposite order. @param system as texts name it */
export const reversedText = (system: string): OtherExpression => ({
  names: ['reverse'],
  what: `moves each code point in ${system}, and keeps letters with their accents, and joined emoji, in DuckDB`,
  instead: `array_to_string(list_reverse(string_split(t, '')), '')`,
})

/** A `bpchar` as other texts take it. */
export const WITHOUT_BLANKS = `rtrim(concat(c), ' ') in its place`

/** Small letters of SQLite, and of COLLATE "C"; of others, if the text has no other capital letters. */
export const ASCII_SMALL = `translate(t, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')`

/** Capital letters. @param system as texts name it */
export const sharpCapital = (system: string): OtherExpression => ({
  names: ['upper', 'ucase'],
  where: { notFrom: 'replace' },
  what: `leaves ß in ${system} (some collations make it SS), and makes it ẞ in DuckDB`,
  instead: `replace(upper(replace(t, 'ß', chr(1))), chr(1), 'ß') leaves ß; lower(t) compares without case`,
})
