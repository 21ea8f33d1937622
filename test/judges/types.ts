/**
 * A PostgreSQL table with a column for every type in docs/guides/archive.md, and values that readers often get wrong.
 */
import type { Place } from '../support/copy-systems.ts'

/** Column, its declaration, and values as SQL; the first values are of the first row. */
const COLUMNS: readonly (readonly [name: string, type: string, ...values: readonly string[]])[] = [
  ['flag', 'boolean', 'true', 'false', 'NULL'],
  ['small', 'smallint', '32767', '-32768', 'NULL'],
  ['whole', 'integer', '2147483647', '-2147483648', 'NULL'],
  ['big', 'bigint', '9223372036854775807', '-9223372036854775808', 'NULL'],
  ['price', 'numeric(12,2)', '9999999999.99', '-0.01', 'NULL', '0'],
  ['precise', 'numeric(38,10)', '1234567890123456789012345678.0123456789', '-0.0000000001', 'NULL'],
  ['endless', 'numeric', '1.500', `${'1234567890'.repeat(5)}.1`, 'NULL'],
  ['rounded', 'numeric(5,-2)', '12300', 'NULL'],
  ['single', 'real', "'0.1'", "'3.4e38'", "'NaN'", "'-Infinity'", 'NULL'],
  ['double', 'double precision', "'0.1'", "'5e-324'", "'NaN'", "'Infinity'", "'1.7976931348623157e308'", 'NULL'],
  [
    'said',
    'text',
    "''",
    "' '",
    `E'a\\nb\\r\\n\\tc'`,
    "'😀é\u{10ffff}'",
    "'\\N'",
    "'NULL'",
    `'it''s "x"'`,
    'NULL',
    `repeat('x', 70000)`,
  ],
  ['short', 'varchar(20)', "'twenty characters it'", "''", 'NULL'],
  ['fixed', 'char(5)', "'ab'", "''", 'NULL'],
  ['one', 'uuid', "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", 'NULL'],
  ['hour', 'time', "'23:59:59.999999'", "'00:00:00'", 'NULL'],
  ['zoned_hour', 'timetz', "'23:59:59.5+02'", 'NULL'],
  ['raw', 'bytea', "'\\x00ff10'", "''", 'NULL'],
  ['day', 'date', "'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "'1582-10-10'", "'1969-12-31'", 'NULL'],
  [
    'seen',
    'timestamptz',
    "'2024-03-31 01:30:00.000001+00'",
    "'1883-11-18 17:00:00+00'",
    "'0001-01-01 00:00:00+00'",
    "'9999-12-31 23:59:59.999999+00'",
    'NULL',
  ],
  [
    'local',
    'timestamp',
    "'2024-02-29 23:59:59.999999'",
    "'0001-01-01 00:00:00'",
    "'1969-12-31 23:59:59.5'",
    "'9999-12-31 23:59:59'",
    'NULL',
  ],
  ['tree', 'jsonb', `'{"a":[1,2.5,"é😀"],"b":null}'`, "'null'", 'NULL'],
  ['source', 'json', `'{"b": 1,  "a":2}'`, 'NULL'],
  ['list', 'integer[]', "'{1,2,NULL}'", "'{}'", 'NULL'],
  ['words', 'text[]', `'{"a,b","\\"q\\"",NULL}'`, 'NULL'],
  ['span', 'interval', "'1 year 2 mons 3 days 04:05:06.7'", 'NULL'],
  ['mood', 'mood', "'calm'", 'NULL'],
  ['reach', 'int4range', "'[1,5)'", "'empty'", 'NULL'],
  ['pair', 'pair', `'(1,"a b")'`, 'NULL'],
  ['address', 'inet', "'10.0.0.1/8'", 'NULL'],
  ['nothing', 'text', 'NULL'],
]

/** @param names further text columns, whose names are not allowed in Parquet files */
export async function makeTyped(
  place: Place,
  bounds: readonly (readonly [from: string, to: string])[],
  names: readonly string[] = [],
): Promise<void> {
  await place.sql("CREATE TYPE mood AS ENUM ('calm', 'cross')", 'CREATE TYPE pair AS (a integer, b text)')
  const columns = [...COLUMNS, ...names.map((name, i) => [name, 'text', `'named ${i}'`, 'NULL'] as const)]
  const declared = columns.map(([name, type]) => `${quoted(name)} ${type}`)
  await place.sql(
    `CREATE TABLE typed (id bigint NOT NULL, at timestamp NOT NULL, ${declared.join(', ')}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
  )
  for (const [i, [from, to]] of bounds.entries()) {
    await place.sql(`CREATE TABLE typed_${i} PARTITION OF typed FOR VALUES FROM ('${from}') TO ('${to}')`)
    for (let row = 0; row < 9; row++) {
      const values = columns.map(([, , ...list]) => list[(row + i) % list.length])
      await place.sql(`INSERT INTO typed VALUES (${i * 100 + row}, '${from}'::date + ${row}, ${values.join(', ')})`)
    }
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
