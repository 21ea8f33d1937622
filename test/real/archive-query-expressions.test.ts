/**
 * Expressions over archived rows return what the server computes, or are refused by name. The server's answer is the
 * reference.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../support/copy-systems.ts'
import { COLD, HOT, queryPlace } from '../support/query-place.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-query-expressions-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Case = {
  readonly columns: string
  /** Statements before the table is made. */
  readonly setup?: readonly string[]
  readonly values: string
  readonly same: readonly string[]
  /** Refused expressions, and the text of their hints. */
  readonly refused: Readonly<Record<string, string>>
  /** Refused expressions, each with the one of its hint that has the answer of the server. */
  readonly hinted?: readonly (readonly [string, string])[]
}

/** Statements that sort NULL, without saying where: it is in the archived row. */
const SORTED = [
  'SELECT id FROM s ORDER BY nullif(id, 0)',
  'SELECT id FROM s ORDER BY nullif(id, 0) DESC',
  'SELECT rank() OVER (ORDER BY nullif(id, 0)) AS r FROM s ORDER BY id',
  'SELECT rank() OVER (ORDER BY nullif(id, 0) DESC) AS r FROM s ORDER BY id',
  'SELECT max(id) FROM (SELECT id FROM s ORDER BY nullif(id, 0) LIMIT 1) AS x',
  'SELECT max(id) FROM (SELECT id FROM s ORDER BY nullif(id, 0) DESC LIMIT 1) AS x',
]

/** Expressions with the server's answer in each system. */
const SAME = ['-n % 2', 'n / 2.0', 'q / 2', 'abs(m)', 'round(q)', 'coalesce(u, t)', 'nullif(n, 7)', 'n BETWEEN 1 AND 9']

/** Functions that DuckDB computes otherwise for blanks, accents and letters beyond ASCII. */
const BLANKS = { 'trim(t)': `trim(t, ' ')`, 'ltrim(t)': `ltrim(t, ' ')`, 'rtrim(t)': `rtrim(t, ' ')` }
const LETTERS = { 'reverse(t)': 'list_reverse', 'upper(t)': `replace(t, 'ß', chr(1))` }
const SAID: Readonly<Record<string, string>> = { ...BLANKS, ...LETTERS }
const ODD_TEXT = `' \u00A0e\u0301\u00DF\u3000 '`
/** What the server computes of it, and the expression of the hint. */
const HINTS = [
  ['trim(t)', "trim(t, ' ')"],
  ['ltrim(t)', "ltrim(t, ' ')"],
  ['rtrim(t)', "rtrim(t, ' ')"],
  ['reverse(t)', "array_to_string(list_reverse(string_split(t, '')), '')"],
  ['upper(t)', "replace(upper(replace(t, 'ß', chr(1))), chr(1), 'ß')"],
] as const

/** Text of an address as PostgreSQL casts it. */
const withLength = (name: string): string =>
  `concat(${name}, if(concat(${name}) LIKE '%/%', '', if(concat(${name}) LIKE '%:%', '/128', '/32')))`

const DISTINCT_ON = 'SELECT DISTINCT ON (n) id FROM s ORDER BY n, nullif(id, 0) DESC'

const CASES: Readonly<Record<'postgresql' | 'mysql' | 'sqlite', Case>> = {
  postgresql: {
    columns:
      'n int, m int, f double precision, q numeric(10,2), t text, u text, d date, e date, a int[], r real, b boolean, x timestamp, j jsonb, l jsonb, ip inet, net inet, bp bpchar, ch char(4), dip addr, cx text COLLATE "C", lo text COLLATE "und-x-icu", vc varchar(9) COLLATE pg_catalog."C", iv interval, dr daterange',
    setup: ['CREATE DOMAIN addr AS inet'],
    values: `7, -2, 2.5, 7.55, 'ab', NULL, '2024-03-05', '2024-02-01', ARRAY[3,4], 0.3, true, '2024-03-05 10:20:30.123456', '{"a": 1, "$.a": 2, "b.c": 3}', '[4, 5]', '10.0.0.1', 'fe80::1', 'ab ', 'ab', '10.0.0.2', 'ÄB', 'ÄΣ', 'ab', '1 mon 2 days', '[2024-01-01,2024-02-01)'`,
    same: [
      'cx COLLATE "C" = \'ÄB\'',
      'max(cx) OVER ()',
      "q = '7.550'",
      "q > '7.5'",
      "d = '2024-03-05 10:00'",
      'concat(a, 5)',
      "cx || 'x'",
      "ip = '10.0.0.1'",
      "ip IN ('10.0.0.1', '10.0.0.2')",
      'concat(ip)',
      "ch || 'x'",
      'length(ch)',
      'ch::text',
      "bp LIKE 'ab'",
      "bp LIKE 'ab_'",
      "concat(bp, 'x')",
      "coalesce(bp, 'x') IS NULL",
      'n / 2',
      'n / m',
      '-n / 2',
      'f / 2',
      'q / n > 1.07',
      '10 / 4 * 4',
      'n ^ 2',
      'd - e',
      'n & 3',
      'CAST(f AS int)',
      'CAST(q AS int)',
      'left(t, -1)',
      'substr(t, 0, 2)',
      't || u',
      'concat(t, u)',
      "date_part('microseconds', x) / 1000000.0",
      'extract(epoch FROM x)',
      'extract(minute FROM x)',
      'extract(week FROM x)',
      'r + r',
      'f * 3',
      'q::text',
      'd::text',
      'x::text',
      't::varchar',
      "b::text || 'varchar(1)'",
      '(n / 3)::text',
      't || n / 3',
      "j->>'a'",
      "j->>'b.c'",
      'l->>1',
      'f::numeric(9, 2)',
      'f::float8 / 3',
    ],
    refused: {
      ...BLANKS,
      ...LETTERS,
      'ip::text': 'concat(a)',
      'lower(cx)': 'translate',
      'lower(cx COLLATE "C")': 'translate',
      "cx COLLATE NOCASE = 'äb'": 'translate',
      'lower(greatest(cx, t))': 'translate',
      'ip COLLATE NOCASE': 'concat(a)',
      "concat(ch COLLATE NOCASE, 'x')": "c || ''",
      'lower(lo)': 'translate',
      "lo ILIKE 'ä%'": "t LIKE 'e%'",
      'iv::text': 'P1M2D',
      "iv || ''": 'P1M2D',
      'a || 5': 'concat(a',
      "j || '{}'": 'concat(a',
      'lower(dr)': 'regexp_extract',
      "t = B'1'": 'unhex',
      "q = '7.554'": 'without quotes',
      "q > '7.549'": 'without quotes',
      "d > '01-02-03'": 'four digits',
      'round(n::float8 / 2)': '::BIGINT',
      "lower(trim(cx, ' '))": 'translate',
      "cx ILIKE 'ä%'": 'translate',
      "CAST(ip AS varchar) = '10.0.0.1/32'": 'concat(a)',
      "(SELECT count(*) FROM s WHERE ip::text = '10.0.0.1/32')": 'concat(a)',
      '(SELECT max(i::text) FROM (SELECT coalesce(ip, net) AS i FROM s))': 'concat(a)',
      "ip || ''": 'concat(a)',
      'dip::text': 'concat(a)',
      'length(bp)': 'rtrim(concat(c)',
      "bp || 'x'": 'rtrim(concat(c)',
      'bp::text': 'rtrim(concat(c)',
      'left(bp, 3)': 'rtrim(concat(c)',
      "bp::text = 'ab'": 'rtrim(concat(c)',
      "concat(ch, 'x')": "c || ''",
      "concat_ws('-', t, ch)": "c || ''",
      'a[1]': 'string_split',
      'a[1:1]': 'string_split',
      "t ~ 'b'": 'regexp_matches',
      "t !~ 'b'": 'regexp_matches',
      "t SIMILAR TO '%b'": 'regexp_matches',
      'round(f)': '::BIGINT',
      'substring(t, -1)': 'right(t, 2)',
      "format('%s', t)": 'printf',
      'extract(second FROM x)': 'microseconds',
      "date_part('milliseconds', x)": 'microseconds',
      'concat(t, b)': "if(b, 't', 'f')",
      'concat(t, f)': 'DECIMAL',
      't || f': 'DECIMAL',
      'r * 3': '::double',
      'r / n': '::double',
      'to_hex(m)': '4294967295',
      "string_to_array(t, '-')": 'string_split',
      "array_length(string_split(t, '-'))": 'len(a)',
      't::varchar(1)': 'left(t, 3)',
      'CAST(t AS char( 1 ))': 'left(t, 3)',
      't::char': 'left(t, 3)',
      't::character varying(1)': 'left(t, 3)',
      'avg(n)::text': 'DECIMAL',
      '(x - x)::text': 'epoch',
      'ARRAY[n, m]::text': 'array_to_string',
      "string_agg(n / 2.0, ',')": 'DECIMAL',
      "concat_ws('', n > 1)": "if(b, 't', 'f')",
      'sum(r)': 'sum(r::double + 0)',
      'sum(r) OVER ()': 'sum(r::double + 0)',
      "date_trunc('century', d)": 'date_part',
      "t LIKE '%\\_%'": 'ESCAPE',
      't LIKE u': 'ESCAPE',
      "json_value('{}', '$.a')": '->>',
      "j->>'$.a'": 'json_extract_string',
      "j->'$.a'": 'json_extract_string',
      "j->>'/a'": 'json_extract_string',
      'j->>t': 'json_extract_string',
      'f::numeric': 'DECIMAL(38, 10)',
      'CAST(f AS decimal )': 'DECIMAL(38, 10)',
      'q::float': 'double',
    },
    hinted: [
      ['lower(cx)', "translate(cx, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"],
      ['ip::text', withLength('ip')],
      ['net::text', withLength('net')],
      ['host(ip)', 'concat(ip)'],
      ['length(bp)', "length(rtrim(concat(bp), ' '))"],
      ["bp || 'x'", "rtrim(concat(bp), ' ') || 'x'"],
      ["concat(ch, 'x')", "concat(rpad(ch, 4, ' '), 'x')"],
      ["lo ILIKE 'ä%'", "lo LIKE 'ä%' OR lo LIKE 'Ä%'"],
      ['lower(vc)', "translate(vc, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"],
      ['lower(dr)', `regexp_extract(dr, '[[(]"?([^",]*)', 1)`],
      ["iv::text = '1 mon 2 days'", "iv = 'P1M2D'"],
      ["q > '7.549'", 'q > 7.549'],
      ['round(n::float8 / 2)', '(n::double / 2)::BIGINT'],
      ['round(f)', 'f::BIGINT'],
    ],
  },
  mysql: {
    columns:
      'n int, m int, f double, q decimal(10,2), t varchar(9) COLLATE utf8mb4_nopad_bin, u varchar(9), d date, e date, r float, x datetime(6), j json, z int(6) zerofill, bi bit(8), l varchar(9) CHARACTER SET latin1, tm time(2)',
    values: `7, -2, 2.5, 7.55, 'ab', NULL, '2024-03-05', '2024-02-01', 0.3, '2024-03-05 10:20:30.123456', '{"a": 1}', 42, b'01100001', 'ä', '10:20:30.50'`,
    same: [
      'n / 2',
      'q / 100',
      'n / 0.5',
      'n / 0',
      'f / 0',
      'f / 3',
      '1e0 * n / 3',
      'n % 0',
      'substr(t, -1)',
      'char_length(t)',
      'ln(n) > 1.9',
      'log10(100)',
      'extract(second FROM x)',
      'CAST(t AS CHAR)',
      'CAST(q AS CHAR)',
      'CAST(d AS CHAR)',
      "concat_ws('-', n, q)",
      "n = '7'",
      'z + 1',
      'z = 42',
      'bi & 1',
      'bi + 0',
      'sum(z) OVER ()',
      'char_length(l)',
      'md5(t)',
      "q > '7.5'",
      "d = '2024-3-5'",
      "t LIKE '%b%' ESCAPE '|'",
    ],
    refused: {
      ...BLANKS,
      ...LETTERS,
      "concat_ws('', z)": 'lpad(',
      'CAST(max(z) OVER () AS CHAR)': 'lpad(',
      "concat_ws('', bi)": '(i + 0)::text',
      "concat_ws('', tm)": 't::time',
      'md5(l)': 'char_length',
      'hex(l)': 'char_length',
      "md5(concat_ws('', l, 'x'))": 'char_length',
      "t = x'6162'": 'unhex',
      "t = 'a\\\\b'": "E'",
      "q = '7.554'": 'without quotes',
      "d = '2024-03-05 10:00:00'": "TIMESTAMP '",
      "x > '24-01-05'": 'four digits',
      'CAST(x AS DATETIME)': 'date_trunc',
      'round(1e0 * n / 2)': '::BIGINT',
      "json_contains(j, '1')": "j->>'$.k'",
      'n ^ 2': 'xor(a::ubigint',
      "t || 'x'": 'concat_ws',
      'concat(t, u)': 'concat_ws',
      'greatest(n, NULL)': 'IS NULL',
      'length(t)': 'strlen(t)',
      'substr(t, 0)': 'a start of 1 or more',
      'left(t, -1)': 'substr',
      'round(f)': '::BIGINT',
      'log(100)': 'log10',
      'dayofweek(d)': 'isodow',
      'weekday(d)': 'isodow',
      'week(d)': 'strftime',
      'stddev(n)': 'stddev_pop',
      'd - e': 'datediff',
      'd + 1': 'INTERVAL',
      'microsecond(x)': '%f',
      'extract(microsecond FROM x)': '%f',
      'extract(week FROM x)': 'strftime',
      'r * 3': '::double',
      'r * r': '::double',
      'CAST(t AS CHAR(1))': 'left(t, 3)',
      'CAST(f AS CHAR)': 'DECIMAL',
      "concat_ws('-', avg(n))": 'DECIMAL',
      'CAST(x AS CHAR)': 'strftime',
      'CAST(n > 1 AS CHAR)': "if(b, '1', '0')",
      'group_concat(r)': 'DECIMAL',
      'CAST(x AS time)': 'date_trunc',
      "CAST('12.5' AS int)": 'trunc',
      'stddev(n) OVER ()': 'stddev_pop',
      "t LIKE '%\\_%'": 'ESCAPE',
      "regexp_replace(t, 'a', 'b')": "'g'",
      'ascii(t)': 'unicode',
      'm >> 1': 'ubigint',
      'bit_or(m)': 'ubigint',
      'bit_count(m)': 'bin(i::bigint)',
      'substr(t, -3)': 'right(t, 3)',
      'substr(t, 1, -1)': 'right(t, 3)',
      "trim(LEADING 'ab' FROM t)": 'regexp_replace',
      'json_type(j)': "j->>'$.k'",
      'json_keys(j)': "j->>'$.k'",
      "json_object('a', n)": "j->>'$.k'",
      'json_array(n, m)': "j->>'$.k'",
      "group_concat(t, '-')": 'string_agg',
      "format('{}', n)": 'printf',
      'n / m': '1e0 * a / b',
      'q / 3': '1e0 * a / b',
      'n / 0.3': '1e0 * a / b',
      'sum(q) / count(*)': '1e0 * a / b',
      'CAST(f AS decimal)': 'DECIMAL(10, 0)',
    },
    hinted: [
      ['substr(t, -3)', "if(char_length(t) < 3, '', right(t, 3))"],
      ['substr(t, 2, -1)', "''"],
      ["concat_ws('', z)", "lpad((z + 0)::text, 6, '0')"],
      ["d < '2024-03-05 10:00:00'", "d < TIMESTAMP '2024-03-05 10:00:00'"],
      ['round(1e0 * n / 2)', '(1e0 * n / 2)::BIGINT'],
      ['round(f)', 'f::BIGINT'],
      ["t = 'a\\\\b'", "t = E'a\\\\b'"],
      ["trim(LEADING 'ab' FROM t)", "regexp_replace(t, '^(?:ab)+', '', 'g')"],
      ["group_concat(t, '-')", "string_agg(concat_ws('', t, '-'), ',')"],
      ['bit_count(m)', "strlen(replace(bin(m::bigint), '0', ''))"],
    ],
  },
  sqlite: {
    columns:
      'n INTEGER, m INTEGER, f REAL, q REAL, t TEXT, u TEXT, d DATE, e DATE, j TEXT, k DECIMAL(10,2), b BOOLEAN, x TIMESTAMP',
    values: `7, -2, 2.7, 7.5, 'ab', NULL, '2024-03-05', '2024-02-01', '{"a": "z"}', 100.00, true, '2024-03-05 10:20:30.123'`,
    same: [
      'n / 2',
      'n / m',
      'n / 0',
      'f / 0',
      'n % 0',
      'f / 2',
      '10 / 4 * 4',
      'n & 3',
      't || u',
      'substr(t, -1)',
      'substr(t, 0, 2)',
      `t LIKE '_%'`,
      `t GLOB 'A*'`,
      `j ->> '$.a'`,
      `json_object('a', n)`,
      'json_array(n, m)',
      "trim(t, 'ab')",
      'substr(t, -3)',
      'substr(t, -3, 2)',
      'substr(t, 2, -1)',
      '1.0 * k / 3',
      '100.0 * n / 7',
      "strftime('%Y-%m-%d %H:%M:%S', x)",
      'CAST(d AS TEXT)',
      'CAST(n AS TEXT)',
      "t GLOB '[ab]*'",
      "q > '7.4'",
      'CAST(n / 3 AS TEXT)',
    ],
    refused: {
      ...BLANKS,
      "t GLOB '[^a]*'": '[!a]',
      'CAST(x AS TEXT)': 'strftime',
      't || x': 'strftime',
      'json_array(b)': 'if(b, 1, 0)',
      'typeof(n)': 'the type of the column',
      "t = x'61'": 'unhex',
      "k = '100.004'": 'without quotes',
      "d < '2024-03-05 10:00'": "TIMESTAMP '",
      "t LIKE 'A%'": 'ILIKE',
      "t NOT LIKE 'A%'": 'ILIKE',
      't LIKE u': 'ILIKE',
      'upper(t)': 'translate',
      'lower(t)': 'translate',
      "t COLLATE NOCASE = 'A'": 'translate',
      'd - e': 'datediff',
      'd + 1': 'INTERVAL',
      'f % 2': 'trunc',
      'CAST(f AS INTEGER)': 'trunc',
      "json_extract(j, '$.a')": '->>',
      "format('%s', n)": 'printf',
      'CAST(f AS TEXT)': 'printf',
      "k || ''": 'printf',
      'group_concat(f)': 'printf',
      'CAST(n > 1 AS TEXT)': "if(b, '1', '0')",
      "concat_ws('', b)": "if(b, '1', '0')",
      "strftime('%f', x)": '%g',
      'k / 3': '1.0 * q',
      'sum(k) / 3': '1.0 * q',
      'round(f, 1)': 'printf',
      'hex(n)': 'hex(i::text)',
      "CAST('12.5' AS INTEGER)": 'trunc',
      'CAST(k AS DECIMAL(9, 1))': 'x::double',
      'CAST(f AS NUMERIC)': 'x::double',
      'CAST(d AS DATE)': 'd::date',
      'CAST(x AS DATETIME )': 'd::date',
      'CAST(f AS REAL)': 'x::double',
      "j ->> '/a'": '"/k"',
      'json_type(j)': "j->>'$.k'",
    },
  },
}

describe.each(['postgresql', 'mysql', 'sqlite'] as const)('%s', async (system) => {
  const why = await missing(system)

  test.skipIf(why !== '')(
    `an expression has the answer of the server, or the hint names one that has it${why}`,
    { timeout: 400_000 },
    async () => {
      const { columns, values, same, refused, setup = [], hinted = [] } = CASES[system]
      const rows = [COLD, HOT].map((ts) => ({ ts, values }))
      const s = await queryPlace(system, folder, columns, rows, setup)
      await s.place.sql('CREATE TABLE twin AS SELECT * FROM s')
      await s.archive()
      const all = [...SAME, ...same]
      const [server = []] = await s.place.rows(`SELECT ${all.join(', ')} FROM s WHERE id = 1`)
      for (const id of [0, 1]) {
        const { rows: found, finished } = await s.ask(`SELECT ${all.join(', ')} FROM s WHERE id = ${id}`)
        expect(finished.error, `row ${id}`).toBeUndefined()
        const answers = Object.fromEntries(all.map((sql, i) => [sql, plain(found[0]?.[i])]))
        expect(answers, `row ${id}`).toEqual(Object.fromEntries(all.map((sql, i) => [sql, plain(server[i])])))
      }
      const sorted = system === 'postgresql' ? [...SORTED, DISTINCT_ON] : SORTED
      for (const sql of sorted) {
        const { rows: found, finished } = await s.ask(sql)
        expect(finished.error, sql).toBeUndefined()
        const wanted = (await s.place.rows(sql.replace('FROM s', 'FROM twin'))).map((row) => row.map(plain))
        expect([sql, found.map((row) => row.map(plain))]).toEqual([sql, wanted])
      }
      for (const [sql, words] of Object.entries(refused)) {
        const { finished } = await s.ask(`SELECT ${sql} FROM s`)
        expect(finished.error, sql).toMatchObject({ code: 'BAD_QUERY', hint: expect.stringContaining(words) as string })
      }
      for (const [sql, own] of HINTS.filter(([one]) => refused[one] === SAID[one])) {
        const odd = (text: string): string => `SELECT ${text} FROM (SELECT ${ODD_TEXT} AS t FROM s WHERE id = 1) AS o`
        const { rows: found } = await s.ask(odd(own))
        expect([sql, found]).toEqual([sql, await s.place.rows(odd(sql))])
      }
      for (const [sql, own] of hinted) {
        const { rows: found } = await s.ask(`SELECT ${own} FROM s`)
        const wanted = await s.place.rows(`SELECT ${sql} FROM twin`)
        expect([sql, found.map((row) => row.map(plain))]).toEqual([sql, wanted.map((row) => row.map(plain))])
      }
      // The average of whole numbers is not a floating point number in a database.
      expect((await s.ask('SELECT round(avg(n + 1)) FROM s')).rows.map(([one]) => plain(one))).toEqual([8])
      // SUMMARIZE adds expressions that are not checked; those of its query are.
      expect((await s.ask('SUMMARIZE s')).finished.exitCode).toBe(0)
      expect((await s.ask('SUMMARIZE SELECT trim(t) FROM s')).finished.error).toMatchObject({ code: 'BAD_QUERY' })
      // In a condition, too.
      const [first = ''] = Object.keys(refused)
      expect((await s.ask(`SELECT count(*) FROM s WHERE ${first} IS NOT NULL`)).finished.error).toMatchObject({
        code: 'BAD_QUERY',
      })
    },
  )
})

/** The value without the differences in how servers print it. */
function plain(value: unknown): unknown {
  if (value === null || value === undefined) return null
  if (value === true || value === 't') return 1
  if (value === false || value === 'f') return 0
  const isNumber = typeof value === 'string' && value !== '' && Number.isFinite(Number(value))
  return isNumber ? Number(value) : value
}
