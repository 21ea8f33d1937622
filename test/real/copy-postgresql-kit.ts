/** A server with two databases, and short functions for a copy between them. */
import pg from 'pg'
import type { TableSpec } from '../../src/model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { Digest, Row } from '../../src/model/copy/rows.ts'
import type { ChunkRequest } from '../../src/model/copy/target-port.ts'
import type { Closing } from '../../src/model/run/ledger-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ReadColumn } from '../../src/model/copy/read-column.ts'
import type { RowRequest, SourceView } from '../../src/model/copy/source-port.ts'
import type { WriteColumn } from '../../src/model/copy/write-column.ts'

export const SIGNAL = new AbortController().signal
export const SIZE = { rows: 1000, bytes: 1024 * 1024 }

/** Closes no chunk, because there is no ledger: statements without effect. */
export const CLOSING: Closing = {
  statements: [],
  guard: { sql: 'SELECT 1', parameters: [] },
  landed: { sql: 'SELECT 1 WHERE false', parameters: [] },
}

export type Psql = {
  run(sql: string): Promise<void>
  rows(sql: string): Promise<unknown[][]>
  close(): Promise<void>
}

/** Statements on a separate connection, independent of the tested code. */
export async function psql(url: string): Promise<Psql> {
  const client = new pg.Client({ connectionString: url, types: { getTypeParser: () => (text: string) => text } })
  client.on('error', () => undefined)
  await client.connect()
  return {
    run: async (sql) => void (await client.query(sql)),
    rows: async (sql) => (await client.query({ text: sql, rowMode: 'array' })).rows as unknown[][],
    close: () => client.end(),
  }
}

export async function tableNamed(store: CopyStore, pattern: string): Promise<TableSpec> {
  const [table, second] = await store.tables(pattern, SIGNAL)
  if (table === undefined || second !== undefined) throw new Error(`${pattern} names no table, or several`)
  return table
}

export function asThemselves(table: TableSpec): readonly (ReadColumn & WriteColumn)[] {
  return table.columns.map((column) => ({ name: column.name, as: column.type, column }))
}

export function request(table: TableSpec, more: Partial<RowRequest> = {}): RowRequest {
  const range: Range = table.key.length === 0 ? { by: 'all' } : EVERY_KEY
  return { table, columns: asThemselves(table), range, where: null, ordered: table.key.length > 0, ...more }
}

export function chunk(table: TableSpec, more: Partial<ChunkRequest> = {}): ChunkRequest {
  return {
    table,
    columns: asThemselves(table).filter(({ column }) => column.generated !== true),
    range: table.key.length === 0 ? { by: 'all' } : EVERY_KEY,
    onExisting: 'refuse',
    careful: false,
    signal: SIGNAL,
    ...more,
  }
}

export async function readAll(view: SourceView, wanted: RowRequest): Promise<Row[]> {
  const all: Row[] = []
  for await (const { rows } of view.read(wanted, SIZE, SIGNAL)) all.push(...rows)
  return all
}

export function sumOf(rows: Iterable<Row>): Digest {
  const sum = new RowChecksum()
  for (const row of rows) sum.add(row)
  return sum.digest()
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Types of the zoo's columns, and the objects that they need. */
export const ZOO_TYPES = `
  CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'happy');
  CREATE DOMAIN positive AS numeric(8,2) CHECK (VALUE > 0);
  CREATE DOMAIN label AS varchar(20);
  CREATE DOMAIN short AS label;
  CREATE TYPE pair AS (a int, b text);`

const NINES = '9'.repeat(100)

/** Types with difficult values: a type, and expressions for its values. */
export const ZOO: Readonly<Record<string, readonly [type: string, ...values: string[]]>> = {
  b: ['boolean', 'true', 'false'],
  i2: ['smallint', '-32768', '32767'],
  i4: ['integer', '-2147483648', '2147483647'],
  i8: ['bigint', '-9223372036854775808', '9223372036854775807', '0'],
  exact: ['numeric(38,10)', '1234567890123456789012345678.1234567890', '-0.0000000001', "'NaN'", '0', '1.5'],
  free: ['numeric', `${NINES}.5000`, "'NaN'", "'Infinity'", "'-Infinity'", '-0.00', '1e-50', '100', '0.10'],
  f4: ['real', '3.4028235e38', "'-0'", "'NaN'", "'Infinity'", '0.1', '1e-45', '16777217'],
  f8: ['double precision', '1.7976931348623157e308', "'-0'", "'NaN'", "'-Infinity'", '0.1', '5e-324', '1e15', '100'],
  t: [
    'text',
    `E'tab\\there\\nnew\\\\line\\r\\\\N 😀'`,
    "''",
    String.raw`'\N'`,
    String.raw`'\.'`,
    "E'\\u2028\\u0001\\u007f'",
    "'NULL'",
    "' x '",
  ],
  v: ['character varying(30)', "'é 𝕊'", "''", "'a  '"],
  c: ['character(6)', "'ab '", "''", "'abcdef'", "E'\\t'"],
  bytes: [
    'bytea',
    "decode((SELECT string_agg(lpad(to_hex(i), 2, '0'), '') FROM generate_series(0, 255) i), 'hex')",
    "''",
    String.raw`'\x5c'`,
  ],
  u: ['uuid', "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'00000000-0000-0000-0000-000000000000'"],
  d: ['date', "'2024-02-29'", "'0044-03-15 BC'", "'infinity'", "'-infinity'", "'12024-01-01'"],
  tm: ['time without time zone', "'23:59:59.999999'", "'24:00:00'", "'00:00'", "'12:00:00.500'"],
  tm3: ['time(3) without time zone', "'01:02:03.004'", "'12:00'"],
  ts: [
    'timestamp without time zone',
    "'2024-02-29 23:59:59.999999'",
    "'0044-03-15 12:00:00.5 BC'",
    "'infinity'",
    "'294276-12-31'",
  ],
  ts2: ['timestamp(2) without time zone', "'2024-01-01 00:00:00.10'", "'1999-12-31 23:59:59.99'"],
  tz: [
    'timestamp with time zone',
    "'2024-02-29 12:34:56.7+02'",
    "'4713-01-01 00:00:00+00 BC'",
    "'-infinity'",
    "'0001-01-01 00:00+00'",
  ],
  js: ['json', String.raw`'{"b":1, "a": [1.50, 1e3, "x\u00e9"], "b": 2}'`, "'null'", '\'"a\\\\b"\''],
  jb: ['jsonb', `'{"n": 123456789012345678901234567890.12345, "z": null, "a": "\\"q\\""}'`, "'[]'", "'1.0'"],
  ints: ['integer[]', "'{1,NULL,-3}'", "'{}'", "'{{1,2},{3,4}}'"],
  words: [
    'text[]',
    `ARRAY['a,b', 'c"d', E'e\\\\f', '', 'NULL', NULL, ' x ', '{', E'\\n', 'é😀']`,
    "'{}'",
    "'{{a,b},{c,d}}'",
  ],
  numbers: ['numeric[]', "'{1.50,NaN,123456789012345678901234567890}'"],
  floats: ['double precision[]', "'{NaN,Infinity,-1.5,1e300}'"],
  stamps: ['timestamp with time zone[]', "'{2024-02-29 12:34:56.7+02,infinity}'"],
  uuids: ['uuid[]', "'{00000000-0000-0000-0000-000000000000}'"],
  jsons: ['jsonb[]', `ARRAY['{"a": [1, 2]}', '[1,"]"]', '"x"', '[]', NULL]::jsonb[]`],
  m: ['mood', `'it''s "ok"'`, "'sad'"],
  moods: ['mood[]', `ARRAY['sad', NULL, 'it''s "ok"']::mood[]`],
  r: ['int4range', "'[1,10)'", "'empty'", "'(,5]'"],
  iv: ['interval', "'1 year 2 mons -3 days 04:05:06.789'", "'-1 days'", "'0'"],
  ttz: ['time with time zone', "'12:00:00.5+02'", "'24:00:00-15:59'"],
  ip: ['inet', "'1.2.3.4'", "'::1/64'"],
  bits: ['bit(5)', "B'10101'"],
  p: ['point', "'(1.5,-2)'", "'(1e300,5e-324)'"],
  money: ['money', "'1234.56'", "'-0.01'"],
  x: ['xml', "'<a>x</a>'", "'text only'"],
  pos: ['positive', '12.30'],
  lab: ['short', "'a label'", "''"],
  pr: ['pair', 'ROW(1, E\'x "y", z\\\\\')::pair', 'ROW(NULL, NULL)::pair', 'ROW(1, NULL)::pair'],
  prs: ['pair[]', 'ARRAY[ROW(1, \'a,"b"\')::pair, ROW(NULL, NULL)::pair, NULL]'],
  labs: ['short[]', '\'{x,NULL,"a b"}\''],
  n: ['name', "'a name'"],
}

/** A table with all types of the zoo: rows with one value of each column, and one row of NULLs. */
export function zooSql(name: string): string {
  const columns = Object.entries(ZOO)
  const most = Math.max(...columns.map(([, [, ...values]]) => values.length))
  const rows = Array.from({ length: most + 1 }, (_, i) =>
    [String(i), ...columns.map(([, [, ...values]]) => values[i] ?? 'NULL')].join(', '),
  )
  return `CREATE TABLE ${name} (id bigint PRIMARY KEY, ${columns.map(([column, [type]]) => `${column} ${type}`).join(', ')});
    ${rows.map((row) => `INSERT INTO ${name} VALUES (${row});`).join('\n')}`
}
