/** Expressions that DuckDB computes differently from SQLite. */
import type { ExpressionRules } from '../../../model/archive/expressions.ts'

export const SQLITE_EXPRESSIONS: ExpressionRules = {
  division: 'cuts',
  nulls: 'below',
  cutsTexts: 'never',
  others: [
    {
      names: ['~~', '!~~'],
      where: 'letters',
      what: 'distinguishes A and a in DuckDB, and does not in SQLite',
      instead: `t ILIKE 'a%', which also takes Ä for ä, or t GLOB 'a*' if A and a are different`,
    },
    {
      names: ['upper', 'lower'],
      what: 'changes a to z alone in SQLite, and all letters in DuckDB, as COLLATE NOCASE does',
      instead: `translate(t, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') is lower(t) of SQLite`,
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
      names: ['CAST'],
      where: 'fraction',
      what: 'to a whole number truncates a fraction in SQLite, and rounds it in DuckDB',
      instead: 'trunc(x), or round(x)',
    },
    {
      names: ['json_extract'],
      what: 'is the value in SQLite, and JSON in DuckDB',
      instead: `j->>'$.k' for the value`,
    },
    { names: ['format'], what: 'has other patterns in SQLite', instead: `printf('%s', t) has the same patterns` },
  ],
}
