/** Expressions that DuckDB computes differently from SQLite. */
import {
  ASCII_SMALL,
  bitLiteral,
  roundedText,
  timeOfDay,
  cutBlanks,
  firstDigits,
  SAME_TEXTS,
  type ExpressionRules,
} from '../../../model/archive/expressions.ts'

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
  others: [
    roundedText('SQLite'),
    timeOfDay('SQLite'),
    cutBlanks('SQLite'),
    {
      names: ['~~', '!~~'],
      where: { second: /\p{L}/u },
      what: 'distinguishes A and a in DuckDB, and does not in SQLite',
      instead: `t ILIKE 'a%', which also takes Ä for ä, or t GLOB 'a*' if A and a are different`,
    },
    {
      names: ['upper', 'lower'],
      what: 'changes a to z alone in SQLite, and all letters in DuckDB, as COLLATE NOCASE does',
      instead: `${ASCII_SMALL} is lower(t) of SQLite`,
    },
    {
      names: ['+', '-'],
      where: 'moment',
      what: 'reads the year of a date as a number in SQLite, and counts days in DuckDB',
      instead: `datediff('day', e, d), or d + INTERVAL 1 DAY`,
    },
    {
      names: ['%', 'mod'],
      where: 'fraction',
      what: 'uses whole numbers in SQLite, and keeps the fraction in DuckDB',
      instead: 'trunc(a)::BIGINT % trunc(b)::BIGINT',
    },
    {
      names: ['/'],
      where: 'decimal',
      what: 'of a decimal without a fraction drops the fraction of the result in SQLite, and keeps it in DuckDB',
      instead: '1.0 * q / 3',
    },
    {
      names: ['round'],
      where: 2,
      what: 'rounds the floating point number in SQLite, and the decimal in DuckDB: 7.55 to 7.5, and to 7.6',
      instead: `printf('%.1f', x::double)::double`,
    },
    {
      names: ['CAST to text'],
      where: { not: [...SAME_TEXTS, 'TIME'] },
      what: 'writes decimals, floating point numbers, conditions and times otherwise in SQLite, also in concat and ||',
      instead: `the value itself, (a // b)::text of whole numbers, printf('%.2f', f), if(b, '1', '0'), strftime('%Y-%m-%d %H:%M:%S', ts)`,
    },
    {
      names: ['~~~'],
      where: { second: /\[\^/ },
      what: 'with [^a] has all letters but a in SQLite, and those of [!a] in DuckDB',
      instead: `t GLOB '[!a]*'`,
    },
    {
      names: ['json_array', 'json_object'],
      where: 'boolean',
      what: 'has 1 and 0 for a boolean in SQLite, and true and false in DuckDB',
      instead: 'if(b, 1, 0) in its place',
    },
    {
      names: ['strftime'],
      where: /%[fy]/,
      what: 'has other letters in SQLite: %f are seconds with a fraction there, and microseconds in DuckDB',
      instead: `strftime(ts, '%S.%g') is %f of SQLite, right(year(d)::text, 2) a year of two digits`,
    },
    {
      names: ['hex', 'to_hex'],
      where: { not: ['VARCHAR', 'BLOB'] },
      what: 'of a number writes its text in SQLite, and its value in DuckDB',
      instead: 'hex(i::text)',
    },
    firstDigits('SQLite'),
    {
      names: ['CAST'],
      where: 'fraction',
      what: 'to a whole number truncates a fraction in SQLite, and rounds it in DuckDB',
      instead: 'trunc(x), or round(x)',
    },
    {
      names: ['->>'],
      where: { second: /^\// },
      what: 'with a text that begins with / takes the field of that name in SQLite, and has a path in DuckDB',
      instead: `j->>'$."/k"'`,
    },
    {
      names: ['json_type'],
      what: 'has other words in SQLite than in DuckDB',
      instead: `j->>'$.k' for the value`,
    },
    {
      names: ['json_extract'],
      what: 'is the value in SQLite, and JSON in DuckDB',
      instead: `j->>'$.k' for the value`,
    },
    { names: ['format'], what: 'has other patterns in SQLite', instead: `printf('%s', t) has the same patterns` },
  ],
}
