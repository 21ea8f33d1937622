/** Functions that DuckDB computes differently from PostgreSQL. */
import {
  ASCII_SMALL,
  bitLiteral,
  roundedText,
  shortYear,
  cutBlanks,
  reversedText,
  sharpCapital,
  bareCast,
  escapedLike,
  unquotedJsonValue,
  WITHOUT_BLANKS,
  ONE_CHAR,
  SAME_TEXTS,
  SIZED_TEXT,
  type ExpressionRules,
} from '../../../model/archive/expressions.ts'

const TEXTS = /^(?:text|character|bpchar|name$)/
const SMALL_LETTERS = { within: /^(?:lower|lcase|!?~~\*)$/, anywhere: true } as const

export const POSTGRES_EXPRESSIONS: ExpressionRules = {
  division: 'cuts',
  nulls: 'above',
  reals: /\b(?:float[48]?|double|real)\b/i,
  casts: [
    bitLiteral('PostgreSQL'),
    SIZED_TEXT,
    ONE_CHAR,
    {
      written: bareCast('decimal|numeric|dec'),
      what: 'keeps all digits in PostgreSQL, and 3 behind the point in DuckDB',
      instead: 'x::DECIMAL(38, 10)',
    },
    {
      written: bareCast('float'),
      what: 'has double precision in PostgreSQL, and single precision in DuckDB',
      instead: 'x::double',
    },
  ],
  texts: [
    {
      native: /^inet$/,
      within: /^(?!concat(?:_ws)?$)/,
      what: 'has /32 or /128 behind an address in PostgreSQL, and not in the archive',
      instead: `concat(a) is the text without it in both, concat(a, if(concat(a) LIKE '%/%', '', if(concat(a) LIKE '%:%', '/128', '/32'))) the one with it`,
    },
    {
      native: /^bpchar$/,
      within: /^(?!concat(?:_ws)?$|!?~~\*?$)/,
      what: 'loses its trailing blanks in PostgreSQL, and keeps them in DuckDB',
      instead: WITHOUT_BLANKS,
    },
    {
      native: /^character\(/,
      within: /^concat(?:_ws)?$/,
      what: 'in concat has blanks up to its length in PostgreSQL, and none in the archive',
      instead: `c || '' has none in both, rpad(c, 4, ' ') those of a char(4)`,
    },
    {
      native: TEXTS,
      collation: /^$/,
      ...SMALL_LETTERS,
      what: 'in lower and ILIKE has other letters than A to Z unchanged in PostgreSQL under COLLATE "C", or follows a newer Unicode under C.UTF-8, and not in DuckDB',
      instead: `${ASCII_SMALL} is lower(t) under COLLATE "C", and of texts with no other capital letters`,
    },
    {
      native: TEXTS,
      collation: /-x-icu\b| ICU\b|^\S+ i /,
      ...SMALL_LETTERS,
      what: 'in lower and ILIKE has ς for a Σ that ends a word, and two letters for İ, in PostgreSQL with ICU, and not in DuckDB',
      instead: `t LIKE 'e%' OR t LIKE 'E%', or ${ASCII_SMALL} of texts with no other capital letters`,
    },
    {
      native: /^interval/,
      within: /^/,
      what: 'is 1 mon 2 days in PostgreSQL, and P1M2D in the archive',
      instead: `i = 'P1M2D' compares with the form of the archive, PT36H is that of 36 hours`,
    },
    {
      native: /\[\]$|^jsonb$/,
      within: /^\|\|$/,
      what: 'with || gets an element in PostgreSQL, and characters in DuckDB',
      instead: `concat(a, 'x') for characters`,
    },
    {
      native: /range$/,
      within: /^(?:lower|lcase)$/,
      what: 'in lower is the lower bound in PostgreSQL, and a text in DuckDB',
      instead: `regexp_extract(r, '[[(]"?([^",]*)', 1) for the lower bound as a text`,
    },
  ],
  others: [
    roundedText('PostgreSQL'),
    shortYear('PostgreSQL'),
    cutBlanks('PostgreSQL'),
    reversedText('PostgreSQL'),
    sharpCapital('PostgreSQL'),
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
      instead: 'f::BIGINT rounds 2.5 to 2 in both',
    },
    {
      names: ['substring', 'substr'],
      where: 'negative',
      what: 'begins before the text in PostgreSQL if its start is negative, and counts from the end in DuckDB',
      instead: 'right(t, 2) is the end of a text',
    },
    {
      names: ['date_part', 'datepart'],
      where: /^(?:s|ms|millis)/i,
      what: 'of seconds and milliseconds keeps the fraction in PostgreSQL, and cuts it off in DuckDB',
      instead: `date_part('microseconds', ts) / 1000000.0, or / 1000.0 for milliseconds`,
    },
    {
      names: ['concat', 'concat_ws'],
      where: 'boolean',
      what: 'writes a boolean as t or f in PostgreSQL, and as true or false in DuckDB',
      instead: `if(b, 't', 'f') in its place, or b::text`,
    },
    {
      names: ['CAST to text'],
      where: { not: [...SAME_TEXTS, 'DECIMAL', 'BOOLEAN', 'TIME', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', 'UUID'] },
      what: 'writes floating point numbers, averages, bytes, intervals and lists otherwise in PostgreSQL, also in concat and ||',
      instead: `the value itself, (a // b)::text of whole numbers, f::DECIMAL(18, 3)::text, extract(epoch FROM i), array_to_string(a, ',')`,
    },
    {
      names: ['->>', 'json_extract'],
      where: { second: /^[$/]/ },
      what: 'with a text that begins with $ or / takes the field of that name in PostgreSQL, and has a path in DuckDB',
      instead: `json_extract_string(j, '$."$.k"') for the field $.k, json_extract_string(j, '$.k') for k`,
    },
    escapedLike('PostgreSQL'),
    unquotedJsonValue('PostgreSQL'),
    {
      names: ['sum'],
      where: 'widened',
      what: 'of a real has single precision in PostgreSQL, and double precision in DuckDB',
      instead: 'sum(r::double + 0)',
    },
    {
      names: ['date_trunc'],
      where: /^(?:c|mille|mils?$)/i,
      what: 'to a century or millennium begins in 2001 in PostgreSQL, and in 2000 in DuckDB',
      instead: `date_part('century', d)`,
    },
    {
      names: ['+', '-', '*', '/'],
      where: 'mixed',
      what: 'of a real and another number has double precision in PostgreSQL, and single precision in DuckDB',
      instead: 'r::double before it is computed with',
    },
    {
      names: ['to_hex', 'hex'],
      what: 'has small letters, and 8 digits of a negative integer in PostgreSQL, and 16 large ones in DuckDB',
      instead: `printf('%x', i) for numbers from 0 on, printf('%x', i & 4294967295) also for negative ones`,
    },
    {
      names: ['string_to_array'],
      what: 'of an empty text has no element in PostgreSQL, and one in DuckDB',
      instead: `if(t = '', [], string_split(t, ','))`,
    },
    {
      names: ['array_length'],
      what: 'of an empty array is NULL in PostgreSQL, and 0 in DuckDB',
      instead: 'nullif(len(a), 0)',
    },
    { names: ['format'], what: 'has other patterns in PostgreSQL', instead: `printf('%s', t) has the same patterns` },
  ],
}
