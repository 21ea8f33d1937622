/** DuckDB: types of `duckdb_types()` and nested types of these. Values are compared by their text with its type. */

import { sqlLiteral } from '../../../../src/shared/sql-text.ts'
import type { DrawnSystem, DrawnType, Judged, Place } from '../shape.ts'

const POOL: readonly string[] = [
  '', ' ', 'ab  ', 'NULL', `it's "x"`, '\u{1f600}é', 'a\nb\t', '\\', 'A', 'a', '0', '-0', '1', '-1', '0.1', '1.50', 'NaN', 'Infinity', '-Infinity', '127', '255', '-128', '32767', '65535', '2147483647', '4294967295',
  '9223372036854775807', '-9223372036854775808', '18446744073709551615', '170141183460469231731687303715884105727', '-170141183460469231731687303715884105728', '340282366920938463463374607431768211455', '3.4028235e38', '1e-45', '5e-324',
  '1.7976931348623157e308', '99999999.99', 'true', 'false', '2024-02-29', '0001-01-01', '0044-03-15 (BC)', '9999-12-31', '10000-01-01', 'infinity', '-infinity', '5881580-07-10', '2024-01-01 00:00:00.123456', '2024-01-01 00:00:00.123456789',
  '294247-01-10 04:00:54.775806', '2024-01-01 00:00:00+05:30', '23:59:59.999999', '24:00:00', '00:00:00', '12:00:00+15:59', '1 month', '-1 month 1 day -00:00:00.000001', '83 years 3 months', '\\x00\\xFF', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  '101', '0', '{"a": 1, "a": 2}', '[1, NULL, 3]', '[]', `{'a': 1, 'b c': x}`, `{'a': NULL, 'b c': NULL}`, '{k=1}', 'calm', 'Calm', 'a,b', '[[1], []]', '[1, 2]',
] // prettier-ignore

const NESTED = [
  'DECIMAL(4,2)', 'DECIMAL(18,0)', 'DECIMAL(38,10)', 'DECIMAL(38,38)', `ENUM('calm', 'Calm', '', 'a,b')`, 'INTEGER[]', 'VARCHAR[]', 'INTEGER[2]', 'INTEGER[][]', 'STRUCT(a INTEGER, "b c" VARCHAR)', 'MAP(VARCHAR, INTEGER)',
  'UNION(num INTEGER, str VARCHAR)', 'VARCHAR COLLATE NOCASE', 'DOUBLE[]', 'TIMESTAMP[]', 'BLOB[]',
] // prettier-ignore

async function types(place: Place): Promise<readonly DrawnType[]> {
  const catalog = await place.rows(
    `SELECT DISTINCT logical_type FROM duckdb_types() WHERE internal AND logical_type NOT IN ('LIST', 'STRUCT', 'MAP', 'UNION', 'ENUM', 'ARRAY', 'NULL', 'SQLNULL', 'DECIMAL', 'AGGREGATE_STATE', 'LAMBDA', 'TYPE', 'ANY', 'UNKNOWN', 'INVALID') ORDER BY 1`,
  )
  const found: DrawnType[] = []
  for (const type of [...catalog.map(([name]) => name ?? ''), ...NESTED]) {
    const bare = type.replace(/ COLLATE .*/, '')
    const tries = POOL.map((text) => `TRY_CAST(${sqlLiteral(text)} AS ${bare}) IS NOT NULL`)
    const [row = []] = await place.rows(`SELECT ${tries.join(', ')}`).catch(() => [])
    const values = POOL.filter((_, at) => row[at] === 'true').map(sqlLiteral)
    if (values.length > 0) found.push({ type, values: [...values, 'NULL'] })
  }
  return found
}

async function judge(place: Place, table: string): Promise<Judged> {
  const columns = (await place.rows(`SELECT column_name FROM (DESCRIBE ${table})`)).map(([name]) => name ?? '')
  // A value without a text is compared by its hash.
  const words = columns.map(
    (name) =>
      `typeof(${quote(name)}) || '|' || CASE WHEN ${quote(name)} IS NULL THEN 'NULL' ELSE coalesce(hex(TRY(CAST(${quote(name)} AS VARCHAR))), CAST(hash(${quote(name)}) AS VARCHAR)) END`,
  )
  const rows = await place.rows(`SELECT ${words.join(', ')} FROM ${table}`)
  return { columns, rows: rows.map((row) => row.map(String)) }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export const duckdb: DrawnSystem = {
  system: 'duckdb',
  types,
  first: [],
  loose: [],
  options: () => '',
  settings: () => [],
  quote,
  tableOf: async (place) => {
    const [[schema, name] = []] = await place.rows(
      `SELECT schema_name, table_name FROM duckdb_tables() WHERE table_name NOT LIKE 'migration\\_%' ESCAPE '\\' AND table_name NOT LIKE 'sluice\\_%' ESCAPE '\\'`,
    )
    return name === undefined || name === null ? '' : `${quote(schema ?? '')}.${quote(name)}`
  },
  judge,
}
