/** What DuckDB computes differently from SQLite. */
import type { ExpressionRules } from '../../../model/archive/expressions.ts'

export const SQLITE_EXPRESSIONS: ExpressionRules = {
  division: 'cuts',
  others: [
    {
      names: ['~~', '!~~'],
      where: 'letters',
      what: 'is what LIKE means here: it distinguishes A and a, and LIKE of SQLite does not',
      instead: `t ILIKE 'a%', or t GLOB 'a*' where A and a are two`,
    },
    {
      names: ['+', '-'],
      where: 'moment',
      what: 'takes the year of a date for a number in SQLite, and counts days here',
      instead: `datediff('day', e, d), or d + INTERVAL 1 DAY`,
    },
    {
      names: ['%', 'mod'],
      where: 'fraction',
      what: 'takes whole numbers in SQLite, and keeps the fraction here',
      instead: 'trunc(a)::BIGINT % trunc(b)::BIGINT',
    },
    {
      names: ['CAST'],
      where: 'fraction',
      what: 'of a number with a fraction to a whole number cuts it off in SQLite, and rounds here',
      instead: 'trunc(x), or round(x)',
    },
    {
      names: ['json_extract'],
      what: 'is the value in SQLite, and JSON here',
      instead: `j->>'$.k' for the value`,
    },
    { names: ['format'], what: 'has other patterns in SQLite', instead: `printf('%s', t) takes the same ones` },
  ],
}
