/** PostgreSQL: types, settings and values from its own catalog. Values are compared by `_send` and by their text. */

import { pick, type Random } from '../random.ts'
import type { DrawnSystem, DrawnType, Judged, Place } from '../shape.ts'

const FIRST: readonly string[] = [
  `CREATE TYPE drawn_mood AS ENUM ('calm', 'Calm', 'it''s "odd"', '', 'a,b', '{}')`,
  `CREATE TYPE drawn_pair AS (a numeric, "b c" text, d timestamptz[])`,
  'CREATE DOMAIN drawn_short AS text CHECK (length(value) < 9)',
  'CREATE DOMAIN drawn_many AS integer[]',
  'CREATE DOMAIN drawn_range AS numrange',
  `CREATE TYPE drawn_floats AS RANGE (subtype = float8)`,
  `CREATE COLLATION drawn_blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
]

/** Tried for every type; the server decides which values a type accepts. */
const POOL: readonly string[] = [
  '', ' ', 'ab  ', 'NULL', 'null', `it's "quoted", two`, '\u{1f600}é\u{10ffff}', '\u{feff}x', 'e\u0301', 'a\nb\r\n\tc', '\\N', '\\', '\u0001\u007f', 'A', 'a', 'É', 'ß', 'ss',
  '0', '-0', '1', '-1', '0.1', '1.50', '-0.0', 'NaN', 'Infinity', '-Infinity', '127', '-128', '32767', '-32768', '2147483647', '-2147483648', '4294967295', '9007199254740993',
  '9223372036854775807', '-9223372036854775808', '18446744073709551615', '99999999999999999999999999999999999999', '1e-45', '3.4028235e38', '5e-324', '1.7976931348623157e308', '1e-20',
  't', 'f', 'true', '$1.50', '-92233720368547758.08',
  '2024-02-29', '0001-01-01', '9999-12-31', '10000-01-01', '0044-03-15 BC', '4713-01-01 BC', '5874897-12-31', '294276-12-31 23:59:59.999999', 'infinity', '-infinity', '1582-10-10', '1900-01-01',
  '2024-01-01 00:00:00.123456+05:30', '1800-01-01 00:00:00+00:19:32', '2024-10-27 02:30:00 Europe/Berlin', '23:59:59.999999', '24:00:00', '00:00:00', '12:00:00+15:59', '24:00:00-15:59',
  '1 mon', '-1 mon +1 day -00:00:00.000001', '178000000 years', '1 year 2 mons -3 days 04:05:06.789', '0.000001 seconds', '-178956970 years -8 mons',
  '\\x', '\\x00ff', '\\xdeadbeef5c27', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  'null', '{"a": 1, "a": 2}', '{"a":1.0,"b":[null,"\\u0041"]}', '[1e400]', '"\\ud83d\\ude00"', '[ ]', '<a b="c">é</a>', '<a/><b/>',
  '10.0.0.1', '10.0.0.0/8', '::1', '::ffff:1.2.3.4/128', '2001:db8::/32', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '0/0', 'FFFFFFFF/FFFFFFFF', '(0,1)', '(4294967295,65535)', '10:20:10,14,15',
  '(1.5,-0)', '(NaN,Infinity)', '((1,2),(3,4))', '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '<(1,1),2>', '{1,-1,0}', '[(1e308,0),(0,1e-308)]',
  '{}', '{1,NULL,3}', '{{1,2},{3,4}}', '[0:1]={1,2}', '{NULL}', '{"NULL",""}', '{"a b","c,d","\\"","\\\\"}', '{a}',
  'empty', '[1,5)', '(,)', '(,5]', '[1,]', '[2024-01-01,2024-02-01)', '[-infinity,infinity]', '{[1,3),[5,7)}', '[NaN,NaN]', '[1.50,2.0]', '[2024-01-01 00:00:00.5,]',
  '0', '1', '101', '11111111', 'pg_class', 'int4', 'cat & (dog | !bird):*', `'a' 'b':1A,2B`, 'a fat cat', 'postgres', 'simple', 'pg_catalog', '=', 'abs(int4)', '+(int4,int4)',
  '"a b"=>"", c=>NULL', 'Top.Countries.Europe', '1.*{2}', '1 .. 5', '~1.5', '(1, 2),(3, 4)', '978-0-393-04002-9', '1436-4522', '1&!2',
  'calm', 'Calm', 'a,b', '(1.50,"x ""y""",)', '(NaN,,"{""2024-01-01 00:00:00+00"",NULL}")', '(,,)',
] // prettier-ignore

const TYPMODS = ['(1)', '(5)', '(10,2)', '(3,5)', '(5,-2)', '(38,10)'] as const
const INTERVALS = ['interval year to month', 'interval day to second(3)', 'interval(2)', 'interval hour'] as const
const COLLATED = ['text COLLATE "C"', 'text COLLATE "und-x-icu"', 'text COLLATE drawn_blind', 'varchar(9) COLLATE "C"', 'text COLLATE pg_catalog.ucs_basic'] as const // prettier-ignore

/** Extensions of the server that the owner of a database may create. */
const EXTENSIONS = `SELECT DISTINCT name::text FROM pg_catalog.pg_available_extension_versions WHERE trusted AND NOT installed AND name !~ '^(?:pl|tsm_|unaccent|dict_|btree_)' AND requires IS NULL ORDER BY 1`

/**
 * Base types, ranges and domains of the catalog, of extensions and of the user above, with modifiers. Arrays of each
 * are added below.
 */
const TYPES = `SELECT pg_catalog.format_type(t.oid, NULL), t.typmodin <> 0, e.extname::text FROM pg_catalog.pg_type t
  LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND e.oid = d.refobjid
  WHERE t.typtype <> 'p' AND t.typisdefined AND (t.typtype <> 'c' OR c.relkind = 'c') AND NOT EXISTS (SELECT FROM pg_catalog.pg_type o WHERE o.typarray = t.oid)
  ORDER BY t.typname COLLATE "C"`

/**
 * Values whose printed text the server accepts again: the largest timestamp, rounded to a timestamp(1), is printed as a
 * text that no server accepts.
 */
const TAKES = `CREATE FUNCTION takes(wanted text, pool text[]) RETURNS int[] LANGUAGE plpgsql AS $$ DECLARE found int[] := '{}'; n int; BEGIN
  FOR n IN 1 .. array_length(pool, 1) LOOP
    BEGIN
      EXECUTE format('SELECT (%L::%s)::text::%s', pool[n], wanted, wanted); found := found || n;
    EXCEPTION WHEN others THEN NULL;
    END;
  END LOOP; RETURN found; END $$`

const literal = (text: string): string =>
  /[\\\n\r\t\u0001]/.test(text)
    ? `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t').replaceAll('\u0001', '\\x01')}'` // prettier-ignore
    : `'${text.replaceAll("'", "''")}'`

/** `CREATE EXTENSION` statements, each with its types in a comment. */
let extensions: readonly string[] = []

async function types(place: Place): Promise<readonly DrawnType[]> {
  const available = (await place.rows(EXTENSIONS)).map(([name]) => `CREATE EXTENSION ${quote(name ?? '')}`)
  await place.sql(...FIRST, ...available, TAKES)
  const catalog = await place.rows(TYPES)
  extensions = available.flatMap((create) => {
    const own = catalog.flatMap(([name, , owner]) => (create.endsWith(quote(owner ?? '')) ? [name] : []))
    return own.length === 0 ? [] : [`${create} /* ${own.join(' ')} */`]
  })
  const named = catalog.flatMap(([name, hasModifier]) => [
    name ?? '',
    ...(hasModifier === 't' || hasModifier === 'true' ? TYPMODS.map((one) => modified(name ?? '', one)) : []),
  ])
  const scalars = [...named, ...INTERVALS, ...COLLATED]
  const found: DrawnType[] = []
  const bare = scalars.map((type) => literal(type.replace(/ COLLATE .*/, '')))
  const pool = `ARRAY[${POOL.map(literal).join(', ')}]`
  const takes = await place.rows(
    `SELECT array_to_string(takes(bare, ${pool}), ',') FROM unnest(ARRAY[${bare.join(', ')}]) WITH ORDINALITY AS u(bare, at) ORDER BY at`,
  )
  for (const [at, type] of scalars.entries()) {
    const taken = takes[at]?.[0]
    if (taken === null || taken === undefined || taken === '') continue
    const values = taken.split(',').map((one) => literal(POOL[Number(one) - 1] ?? ''))
    found.push({ type, values: [...values, 'NULL'] })
    if (!type.includes('COLLATE')) found.push({ type: `${type}[]`, values: arraysOf(type, values) })
  }
  return found
}

/** The modifier of `timestamp with time zone` is in the middle. */
function modified(name: string, modifier: string): string {
  const at = name.indexOf(' with')
  return at < 0 ? `${name}${modifier}` : `${name.slice(0, at)}${modifier}${name.slice(at)}`
}

function arraysOf(type: string, values: readonly string[]): readonly string[] {
  const firsts = values.filter((_, i) => i % 5 === 0).slice(0, 6)
  const [one = 'NULL', other = one] = [values.at(-1), values[0]]
  return [
    ...firsts.map((value) => `ARRAY[${value}, NULL, ${one}]::${type}[]`),
    `ARRAY[[${one}, ${other}], [${other}, NULL]]::${type}[]`,
    `ARRAY[NULL]::${type}[]`,
    `'{}'`,
    'NULL',
  ]
}

const TEXT_SETTINGS: readonly string[] = [
  `search_path TO ''`, `search_path TO app, public`, `search_path TO public, pg_catalog`, `DateStyle TO 'SQL, DMY'`, `DateStyle TO 'German, DMY'`, `DateStyle TO 'Postgres, MDY'`, `TimeZone TO 'Asia/Kolkata'`,
  `TimeZone TO 'America/St_Johns'`, `TimeZone TO '-13:37'`, 'extra_float_digits TO -15', 'extra_float_digits TO 0', `client_encoding TO 'LATIN1'`, `client_encoding TO 'SQL_ASCII'`, `work_mem TO '64kB'`,
  `lc_numeric TO 'C'`, `lc_monetary TO 'C.UTF-8'`, `lc_time TO 'C'`, `lc_messages TO 'C.UTF-8'`, `default_table_access_method TO 'heap'`, `cursor_tuple_fraction TO 1`, `temp_buffers TO 100`, `idle_in_transaction_session_timeout TO '1h'`, `timezone_abbreviations TO 'India'`, `extra_float_digits TO 3`, `default_text_search_config TO 'german'`,
] // prettier-ignore

/**
 * Settings of the catalog. Those that would make every session unusable are excluded, because a real database does not
 * set them.
 */
const SWITCHES = `SELECT name, vartype, setting, array_to_string(enumvals, ',') FROM pg_catalog.pg_settings WHERE context = 'user' AND vartype IN ('bool', 'enum')
  AND name !~ '^(?:default_transaction_read_only|transaction_|exit_on_error|ignore_|trace_|debug_|log_|client_min|ssl_renegotiation|track_)' ORDER BY name COLLATE "C"`
let switches: readonly string[] = []

async function allTypes(place: Place): Promise<readonly DrawnType[]> {
  switches = (await place.rows(SWITCHES)).flatMap(([name, kind, setting, values]) =>
    kind === 'bool'
      ? [`${name} TO ${setting === 'on' ? 'off' : 'on'}`]
      : (values ?? '').split(',').map((value) => `${name} TO '${value}'`),
  )
  return types(place)
}

/** Settings for the comparison, independent of those of the database. */
const PLAIN = `SET search_path TO public; SET DateStyle TO 'ISO, YMD'; SET IntervalStyle TO 'iso_8601'; SET TimeZone TO 'UTC'; SET extra_float_digits TO 3; SET bytea_output TO 'hex';
  SET client_encoding TO 'UTF8'; SET array_nulls TO on; SET standard_conforming_strings TO on; SET xmloption TO 'content'; SET row_security TO on; RESET ROLE;`

/** User-defined types have another OID in each database, and `_send` of types made of them contains it. */
async function judge(place: Place, table: string): Promise<Judged> {
  const described = await place.rows(
    `${PLAIN} SELECT a.attname, CASE WHEN t.typsend = 0 OR e.typsend = 0 OR t.typname = 'refcursor' OR t.typtype = 'c' OR b.typtype = 'c' OR e.oid >= 16384 OR d.oid >= 16384 THEN '' ELSE t.typsend::text END
       FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
       LEFT JOIN pg_catalog.pg_type d ON d.oid = b.typelem AND b.typcategory = 'A'
       WHERE a.attrelid = ${literal(table)}::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
  )
  const words = described.map(([name, send]) => {
    const quoted = quote(name ?? '')
    const sent = send === '' ? `''` : `encode(${send}(${quoted}), 'hex')`
    return `CASE WHEN num_nulls(${quoted}) = 1 THEN 'NULL' ELSE concat_ws('|', format('%s', ${quoted}), ${sent}) END`
  })
  const rows = await place.rows(`${PLAIN} SELECT ${words.join(', ')} FROM ${table}`)
  return { columns: described.map(([name]) => name ?? ''), rows: rows.map((row) => row.map(String)) }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export const postgresql: DrawnSystem = {
  system: 'postgresql',
  types: allTypes,
  get first() {
    return [...FIRST, ...extensions]
  },
  // A drawn search_path of the database may leave out the schema of the table.
  loose: ['SET search_path TO public'],
  options: (random) => pick(random, ['', '', '', 'WITH (fillfactor = 50)', 'WITHOUT OIDS']),
  settings: (random: Random, database) =>
    Array.from(
      { length: random(3) },
      () => `ALTER DATABASE ${quote(database)} SET ${pick(random, random(2) === 0 ? TEXT_SETTINGS : switches)}`,
    ),
  quote,
  clauses: {
    retype: (column, type) => `ALTER COLUMN ${column} TYPE ${type} USING NULL`,
    nullable: (column, _, isNullable) => `ALTER COLUMN ${column} ${isNullable ? 'DROP' : 'SET'} NOT NULL`,
    expression: (column, expression) => `ALTER COLUMN ${column} SET EXPRESSION AS (${expression})`,
    like: (name, table) => `CREATE TABLE ${name} (LIKE ${table} INCLUDING ALL)`,
  },
  tableOf: async (place) => {
    const [[name] = []] = await place.rows(
      `SELECT format('%I.%I', schemaname, tablename) FROM pg_catalog.pg_tables WHERE schemaname !~ '^(?:pg_|information_schema)' AND tablename !~ '^(?:migration_|sluice_)' AND schemaname !~ '^sluice'`,
    )
    return name ?? ''
  },
  judge,
}
