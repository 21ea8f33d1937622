/** Expressions that DuckDB computes differently from SQLite. */
import {
  ASCII_SMALL,
  bitLiteral,
  longNumber,
  MOMENT,
  NEVER,
  NUMBER,
  roundedText,
  SAME_CALLS,
  TEXT,
  WHOLE,
  type ExpressionRules,
} from '../../../model/archive/expressions.ts'

/** Other spellings of a day are other texts in SQLite. */
const DAY = '\\d{4}-\\d\\d-\\d\\d'
const LIKE = `t ILIKE 'a%', which also takes Ä for ä, or t GLOB 'a*' if A and a are different`

export const SQLITE_EXPRESSIONS: ExpressionRules = {
  division: 'cuts',
  nulls: 'below',
  texts: [],
  casts: [
    bitLiteral('SQLite'),
    {
      written: /\btypeof(?=\s*\()/i,
      what: 'has other words in SQLite than in DuckDB',
      instead: `n = 1 or t = 'a', which have the type of the column`,
    },
    {
      written:
        /\bas\s+(?:dec|decimal|numeric|date|datetime|timestamp|timestamptz|time|bool|boolean)\s*(?:\([\d\s,]*\)\s*)?(?=\))/i,
      what: 'of a cast is a number as it is written in SQLite: the year of a date, a decimal with all its digits',
      instead: 'x::double for a number, year(d), d::date',
    },
    {
      written: /\bas\s+(?:real|float)\s*(?=\))/i,
      what: 'has double precision in SQLite, and single precision in DuckDB',
      instead: 'x::double',
    },
  ],
  same: [
    ...SAME_CALLS,
    ['+, -', `${NUMBER}{1,2}|${MOMENT}v`, `datediff('day', e, d), or d + INTERVAL 1 DAY`],
    ['%, mod', '[icuw0-]{2}', 'trunc(a)::BIGINT % trunc(b)::BIGINT'],
    ['&, |', `${WHOLE}{2}`],
    ['<<, >>', NEVER],
    ['round', NUMBER, `printf('%.1f', coalesce(x::double, 0))::double`],
    ['sum, avg', `${NUMBER}|b`],
    ['median', NUMBER],
    ['lower, upper', NEVER, `${ASCII_SMALL} is lower(t) of SQLite`],
    ['substr, substring', `${TEXT}[c0-][c0-]?`],
    ['~~, !~~', `${TEXT}'[^\\p{L}]*'`, LIKE],
    ['like_escape, not_like_escape', `${TEXT}'[^\\p{L}]*''.'`, LIKE],
    ['~~~', `${TEXT}'(?:[^\\[]|\\[(?!\\^))*'`, `t GLOB '[!a]*'`],
    ['unhex', TEXT],
    ['->>', `${TEXT}(?:[c0]|'[^/].*')`, `j->>'$."/k"'`],
    ['json_extract, json_type', NEVER, `j->>'$.k' for the value`],
    ['json_array, json_object', `(?:${TEXT}|${WHOLE})*`, 'if(b, 1, 0) in the place of a boolean'],
    ['printf', `'(?:[^%]|%\\.\\d+f|%[sd])*'.*`],
    ['format', NEVER, `printf('%s', t) has the same patterns`],
    [
      'strftime',
      `'(?:[^%]|%[YmdHMSjw%])*'${MOMENT}|${MOMENT}'.*'`,
      `strftime(ts, '%S.%g') is %f of SQLite, right(year(d)::text, 2) a year of two digits`,
    ],
    ['CAST to DATE', `${MOMENT}|n|t|'(?:${DAY}|-?infinity)'`, `'2024-01-31', or x::date of a time`],
    [
      'CAST to TIMESTAMP, CAST to TIMESTAMP WITH TIME ZONE',
      `[TZnt]|'(?:${DAY}(?:[T ].*)?|-?infinity)'`,
      `'2024-01-31 10:00:00', or x::date > d`,
    ],
    ['CAST', `[icuw0bn-]|'[\\d\\s+-]*'`, 'trunc(x), or round(x)'],
    [
      'CAST to text',
      "[^dfrbTZvxoU']|'[^']*'",
      `the value itself, (a // b)::text of whole numbers, printf('%.2f', coalesce(f, 0)), if(b, '1', '0'), strftime('%Y-%m-%d %H:%M:%S', ts)`,
    ],
  ],
  own: 'hex|any_value|json|json_array_length|json_exists|json_group_array|json_group_object|json_pretty|json_quote|json_valid|random|typeof|unicode|version',
  others: [
    roundedText('SQLite'),
    longNumber('SQLite'),
    {
      names: ['=', '<'],
      where: 'typed',
      what: 'of a text and a number is the same for no text in SQLite, and compares numbers in DuckDB',
      instead: '1 = 1 without quotes, or t::double = 1',
    },
    {
      names: ['=', '<'],
      where: 'computed',
      what: 'of computed decimals uses floating point numbers in SQLite, and all digits in DuckDB',
      instead: '1e0 * q * 3 > 1, or round(q * 3) > 1',
    },
    {
      names: ['printf'],
      where: 'nullable',
      what: 'writes NULL as 0 or as an empty text in SQLite, and is NULL in DuckDB',
      instead: `printf('%.2f', coalesce(f, 0))`,
    },
    {
      names: ['/'],
      where: 'decimal',
      what: 'of a decimal without a fraction drops the fraction of the result in SQLite, and keeps it in DuckDB',
      instead: '1.0 * q / 3',
    },
  ],
}
