/** Expressions that DuckDB computes differently from MySQL and MariaDB. */
import {
  cutBlanks,
  reversedText,
  sharpCapital,
  bareCast,
  escapedLike,
  firstDigits,
  unquotedJsonValue,
  SAME_TEXTS,
  SIZED_TEXT,
  type ExpressionRules,
} from '../../../model/archive/expressions.ts'

export const MYSQL_EXPRESSIONS: ExpressionRules = {
  division: 'keeps',
  nulls: 'below',
  casts: [
    SIZED_TEXT,
    {
      written: bareCast('decimal|numeric|dec'),
      what: 'has no digits behind the point in MySQL, and 3 in DuckDB',
      instead: 'x::DECIMAL(10, 0)',
    },
  ],
  others: [
    cutBlanks('MySQL'),
    reversedText('MySQL'),
    sharpCapital('MySQL'),
    {
      names: ['^'],
      what: 'is XOR in MySQL, and power in DuckDB',
      instead: 'xor(a::ubigint, b::ubigint), or pow(a, b)',
    },
    {
      names: ['||'],
      what: 'is OR in MySQL, and joins texts in DuckDB',
      instead: `a OR b, or concat_ws('', a, b), which skips NULL`,
    },
    {
      names: ['concat'],
      what: 'is NULL in MySQL if one of its texts is NULL, and skips NULL in DuckDB',
      instead: `if(a IS NULL OR b IS NULL, NULL, concat_ws('', a, b)), or concat_ws('', a, b), which skips NULL`,
    },
    {
      names: ['greatest', 'least'],
      what: 'is NULL in MySQL if one of its values is NULL, and skips NULL in DuckDB',
      instead: 'if(a IS NULL OR b IS NULL, NULL, if(a > b, a, b))',
    },
    {
      names: ['length', 'len'],
      where: 'text',
      what: 'counts bytes in MySQL, and characters in DuckDB',
      instead: 'strlen(t) counts bytes, char_length(t) characters',
    },
    {
      names: ['substring', 'substr'],
      where: 'zero',
      what: 'is empty in MySQL if its start is 0, and begins with the first character in DuckDB',
      instead: 'a start of 1 or more',
    },
    {
      names: ['left', 'right'],
      where: 'negative',
      what: 'is empty in MySQL for a negative number, and skips that many characters in DuckDB',
      instead: 'substr(t, 1, 2), substr(t, -2)',
    },
    {
      names: ['round'],
      where: 'real',
      what: 'rounds 2.5 to 2 in MySQL if it is a floating point number, and to 3 in DuckDB',
      instead: 'round_even(f, 0) rounds as MySQL',
    },
    {
      names: ['log'],
      where: 1,
      what: 'is the natural logarithm in MySQL, and the logarithm to base 10 in DuckDB',
      instead: 'ln(x), or log10(x)',
    },
    {
      names: ['dayofweek', 'weekday'],
      what: 'counts from another day of the week in MySQL',
      instead: 'isodow(d) is 1 on Mondays and 7 on Sundays',
    },
    {
      names: ['week', 'weekofyear', 'yearweek'],
      what: 'counts weeks by a mode of the server in MySQL, and by ISO 8601 in DuckDB',
      instead: `strftime(d, '%V') for ISO 8601, strftime(d, '%U') for weeks from the first Sunday on`,
    },
    {
      names: ['stddev', 'variance'],
      what: 'is computed for a population in MySQL, and for a sample in DuckDB',
      instead: 'stddev_pop(x) and var_pop(x), or stddev_samp(x) and var_samp(x)',
    },
    {
      names: ['date_part', 'datepart'],
      where: /^(?:week|w$|microsec|us)/i,
      what: 'has weeks by a mode of the server in MySQL and by ISO 8601 in DuckDB, and microseconds without and with those of the seconds',
      instead: `strftime(d, '%V') for ISO 8601, strftime(d, '%U') for weeks from the first Sunday on, microsecond part: strftime(ts, '%f')::int`,
    },
    {
      names: ['microsecond'],
      what: 'is the fraction of the second in MySQL, and has the seconds, too, in DuckDB',
      instead: `strftime(ts, '%f')::int`,
    },
    escapedLike('MySQL'),
    unquotedJsonValue('MySQL'),
    {
      names: ['regexp_replace'],
      where: 3,
      what: 'replaces all matches in MySQL, and the first in DuckDB',
      instead: `regexp_replace(t, 'a', 'b', 'g')`,
    },
    {
      names: ['ascii', 'ord'],
      what: 'is the first byte in MySQL, and the first character in DuckDB',
      instead: 'unicode(t) for the character',
    },
    {
      names: ['~', '|', '<<', '>>', 'xor', 'bit_or', 'bit_and', 'bit_xor'],
      where: { not: ['UBIGINT'] },
      what: 'is an unsigned number in MySQL, and has a sign in DuckDB',
      instead: 'i::ubigint for whole numbers from 0 on',
    },
    firstDigits('MySQL'),
    {
      names: ['CAST to text'],
      where: { not: [...SAME_TEXTS, 'DECIMAL'] },
      what: 'writes floating point numbers, averages, times and conditions otherwise in MySQL, also in concat_ws and group_concat',
      instead: `the value itself, f::DECIMAL(18, 3)::text, strftime(ts, '%Y-%m-%d %H:%M:%S'), if(b, '1', '0')`,
    },
    {
      names: ['CAST to TIME'],
      where: { not: ['TIME', 'VARCHAR', 'NULL'] },
      what: 'drops the fraction of the second in MySQL, and keeps it in DuckDB',
      instead: `date_trunc('second', ts), or strftime(ts, '%H:%M:%S')`,
    },
    { names: ['format'], what: 'has thousands separators in MySQL', instead: `printf('%s', t), format_number` },
    {
      names: ['+', '-', '*', '/'],
      where: 'float',
      what: 'of a FLOAT has double precision in MySQL, and single precision in DuckDB',
      instead: 'f::double before it is computed with',
    },
    {
      names: ['/'],
      where: 'quotient',
      what: 'of numbers that are no floating point numbers has 4 digits more than its dividend in MySQL, and all digits in DuckDB',
      instead: '1e0 * a / b has all digits in both',
    },
    {
      names: ['+', '-'],
      where: 'moment',
      what: 'reads a date as a number such as 20240131 in MySQL, and counts days in DuckDB',
      instead: `datediff('day', e, d), or d + INTERVAL 1 DAY`,
    },
  ],
}
