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
  /** Calls that are computed as in the source. Other calls of these names are refused. */
  readonly same: SameCalls
  /** Matches other names of functions that DuckDB and the source have: calls of them are refused. */
  readonly own: string
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
 * Test of the arguments of a call. A `RegExp` matches their signature (see `SameCalls`). `real`: the first is a
 * floating point number, and the statement reads a column of such numbers. `decimal`: one is a decimal that was
 * computed without a constant such as 1.0. `computed`: one is a decimal of `+`, `-` or `*`. `mixed`: one is a
 * FLOAT, and another is converted to it; `widened`: one is converted to double. `quotient`: it is none of floating
 * point numbers, and may have more than 4 digits more than its dividend. `rounded`: the cast of a constant text
 * drops digits behind the point. `long`: a BIGINT is converted to double, and no other is a constant below 2^53.
 * `literals`: all are texts without a column, and one is a constant with letters or blanks. `boolean`: one is a
 * boolean. `truncated`: it is a timestamp, and the statement cuts dates by date_trunc. `typed`: one is a text that
 * becomes a number, and not a constant that is compared with a column. `nullable`: one after the first may be NULL.
 */
export type ArgumentTest =
  | RegExp
  | 'real'
  | 'decimal'
  | 'computed'
  | 'mixed'
  | 'widened'
  | 'quotient'
  | 'rounded'
  | 'long'
  | 'literals'
  | 'boolean'
  | 'truncated'
  | 'typed'
  | 'nullable'

/**
 * Names of calls, separated by commas, with the signatures of arguments for which the result is that of the source,
 * and what to write for others. A later entry replaces an earlier one of the same name. A signature has one sign
 * for each argument: `i` a whole number, `u` one without a sign, `w` what trunc, round, floor or ceil make, `d`
 * DECIMAL, `f` FLOAT, `r` DOUBLE, `t` a text, `b` a boolean, `D` a date, `T` a timestamp, `Z` one with a zone, `m`
 * a time of day, `v` an interval, `x` bytes, `U` a UUID, `n` NULL, `o` any other type. Constants: `c` a whole
 * number above 0, `0`, `-` one below 0, and texts in quotes, without quotes of their own.
 */
export type SameCalls = readonly (readonly [names: string, signatures: string, instead?: string])[]

/** Parts of signatures: whole numbers, numbers, texts, dates with times. */
export const WHOLE = '[icu0-]'
export const NUMBER = '[icuwdfr0-]'
export const TEXT = "(?:t|'[^']*')"
export const MOMENT = '[DTZ]'
/** No signature matches it. */
export const NEVER = '(?!)'

/** Small letters of SQLite, and of COLLATE "C"; of others, if the text has no other capital letters. */
export const ASCII_SMALL = `translate(t, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')`

/** Calls with one result in DuckDB and in all systems that have them, except as their own lists say. */
export const SAME_CALLS: SameCalls = [
  ['*, /, %, mod', `${NUMBER}{2}`],
  ['+, -', `${NUMBER}{1,2}|${MOMENT}v`],
  ['abs, ceil, ceiling, floor, sign, round, trunc, sum, avg, stddev_pop, stddev_samp, var_pop, var_samp', NUMBER],
  ['sqrt, exp, ln, log, log2, log10, sin, cos, tan, asin, acos, atan, atan2, degrees, radians', `${NUMBER}{1,2}`],
  ['pow, power', `${NUMBER}{2}`],
  ['count', "(?:[^']|'[^']*')?"],
  ['min, max', "[^o']|'[^']*'"],
  ['lower, lcase, length, char_length, character_length, md5, string_agg, group_concat', TEXT],
  ['octet_length', 'x', 'strlen(t) counts the bytes of a text in UTF-8'],
  ['substr, substring', `${TEXT}cc?`, 'right(t, 2) is the end of a text'],
  ['replace', `${TEXT}'.+'${TEXT}`],
  ['trim, ltrim, rtrim', TEXT + TEXT, `trim(t, ' '), ltrim(t, ' ') or rtrim(t, ' ')`],
  ['||, instr, position', TEXT + TEXT],
  ['~~, !~~', `${TEXT}'[^\\\\]*'`, `t LIKE '10\\%' ESCAPE '\\'`],
  ['like_escape, not_like_escape', `${TEXT}${TEXT}'.'`],
  ['concat, concat_ws', `${TEXT}+`],
  ['now, current_date', ''],
  ['year, quarter, month, day, hour, minute, second', MOMENT],
  ['reverse', NEVER, `array_to_string(list_reverse(string_split(t, '')), '')`],
  ['CAST', `[^xmvoU']|'[^']*'`],
  ['CAST to BOOLEAN', "n|'[tf]'"],
  ['CAST to FLOAT, CAST to DOUBLE, CAST to DECIMAL', `${NUMBER}|[bn]|${TEXT}`],
  [
    'CAST to DATE, CAST to TIMESTAMP, CAST to TIMESTAMP WITH TIME ZONE',
    `${MOMENT}|n|t|'(?!\\s*\\d{1,3}\\D).*'`,
    `a year of four digits, such as '2024-01-31'`,
  ],
  ['CAST to TIME', `[mTZn]|${TEXT}`],
  ['CAST to INTERVAL', `[vn]|'\\d+ (?:second|minute|hour|day|week|month|year)s?'`],
]

/** Calls that SQLite has not, or computes otherwise. */
export const SAME_SERVER_CALLS: SameCalls = [
  ...SAME_CALLS,
  ['round', `${NUMBER}[c0]?`],
  ['left, right, repeat', `${TEXT}[c0]`, 'substr(t, 1, 2)'],
  ['lpad, rpad', `${TEXT}[c0]'.+'`],
]

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

/** Literals of bits and bytes. @param system as texts name it */
export const bitLiteral = (system: string): WrittenCast => ({
  written: /(?<![\p{L}\p{N}_$"'])[bx](?=')/iu,
  what: `before a text makes bits or bytes of it in ${system}, and is a part of the text in DuckDB`,
  instead: `unhex('61') for bytes, '101' for bits of PostgreSQL, 5 for those of MySQL`,
})

/** A `bpchar` as other texts take it. */
export const WITHOUT_BLANKS = `rtrim(concat(c), ' ') in its place`

/** A whole number that is compared with a floating point number. @param system as texts name it */
export const longNumber = (system: string): OtherExpression => ({
  names: ['=', '<'],
  where: 'long',
  what: `compares a BIGINT and a floating point number with all digits in ${system}, and as DOUBLE in DuckDB`,
  instead: 'n - f > 0, or a constant below 9007199254740992',
})
