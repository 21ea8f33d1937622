/** Functions that DuckDB computes differently from PostgreSQL. */
import type { ExpressionRules } from '../../../model/archive/expressions.ts'

export const POSTGRES_EXPRESSIONS: ExpressionRules = {
  division: 'cuts',
  nulls: 'above',
  others: [
    {
      names: ['array_extract', 'array_slice'],
      where: 'text',
      what: 'takes an element of an array or of JSON in PostgreSQL, and characters of its text in DuckDB',
      instead: `string_split(trim(a, '{}'), ',')[1] is an element of an array without quotes, j->'k' a field of JSON, and left(t, 1) a character`,
    },
    {
      names: ['regexp_full_match'],
      what: 'compares the whole text in DuckDB, like ~ and SIMILAR TO. In PostgreSQL ~ finds a part of the text, and SIMILAR TO has other patterns',
      instead: `regexp_matches(t, 'pattern') finds a part, regexp_matches(t, '^(?:pattern)$') compares all`,
    },
    {
      names: ['round'],
      where: 'real',
      what: 'rounds 2.5 to 2 in PostgreSQL if that is a floating point number, and to 3 in DuckDB',
      instead: 'round_even(f, 0) rounds as PostgreSQL',
    },
    {
      names: ['substring', 'substr'],
      where: 'negative',
      what: 'begins before the text in PostgreSQL if its start is negative, and counts from the end in DuckDB',
      instead: 'right(t, 2) is the end of a text',
    },
    { names: ['format'], what: 'has other patterns in PostgreSQL', instead: `printf('%s', t) has the same patterns` },
  ],
}
