/**
 * SQLite and D1: every storage class in a column of every affinity. Values are compared by `quote()` with `typeof()`.
 */

import { pick } from '../random.ts'
import type { DrawnSystem, Judged, Place, System } from '../shape.ts'

const TYPES = [
  'INTEGER', 'INT', 'BIGINT', 'UNSIGNED BIG INT', 'CHARINT', 'FLOATING POINT', 'TEXT', 'VARCHAR(5)', 'CLOB', 'STRING', 'BLOB', '', 'REAL', 'DOUBLE', 'FLOAT', 'NUMERIC', 'DECIMAL(10,2)', 'DECIMAL(30,20)',
  'BOOLEAN', 'DATE', 'DATETIME', 'TIMESTAMP', 'TIME', 'JSON', 'UUID', 'ANY', 'TEXT COLLATE NOCASE', 'TEXT COLLATE RTRIM', '"odd type"', 'TEXT NOT NULL', 'INTEGER NOT NULL', 'BIT', 'TINYINT(1)', 'MONEY',
] // prettier-ignore

const VALUES = [
  'NULL', '0', '1', '-1', '2', '9223372036854775807', '-9223372036854775808', '9007199254740993', '1.5', '-0.0', '0.1', '1e308', '-1e308', '9e999', '-9e999', '5e-324', '1e15', '123456789012345678.0', '2147483648',
  `''`, `' '`, `'ab  '`, `'NULL'`, `'10'`, `'1e5'`, `'0x10'`, `'it''s'`, `'a' || char(0) || 'b'`, `char(0)`, `'😀é'`, `'A'`, `'a'`, `char(10, 13, 9)`, `'\\N'`, `CAST(X'ff80' AS TEXT)`, `CAST(X'eda080' AS TEXT)`,
  `X''`, `X'00'`, `X'ff00'`, `X'61'`, `zeroblob(9)`,
  `'2024-02-29'`, `'2024-02-29 12:00:00'`, `'2024-02-29T12:00:00.123456Z'`, `'0001-01-01'`, `'9999-12-31 23:59:59.999'`, `'24:00:00'`, `'true'`, `'{"a":1,"a":2}'`, `'[1e400]'`, `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`, '1709208000', '2460369.5',
] // prettier-ignore

const FITS: readonly (readonly [RegExp, RegExp])[] = [
  [/INT|BIT|BOOL/, /^-?\d+$/],
  [/TIME|DATE/, /^'\d{4}-/],
  [/REAL|FLOA|DOUB/, /^-?[\d.e]+$/],
  [/DEC|NUM|MONEY/, /^-?[\d.]{1,9}$/],
  [/UUID/, /^'a0ee/],
  [/JSON/, /^'[{[]/],
  [/BLOB/, /^(?:X'|zero)/],
  [/./, /^(?:'|char)/],
]

function fitting(type: string): readonly string[] {
  const [, fit = /./] = FITS.find(([name]) => name.test(type)) ?? []
  return ['NULL', ...VALUES.filter((value) => fit.test(value))]
}

export const sqlite = systemOf('sqlite')
export const d1 = systemOf('d1')

function systemOf(system: System): DrawnSystem {
  return {
    system,
    // Mostly values of the column's type: a row with another value is quarantined, and its other values are not tested.
    types: async () =>
      TYPES.flatMap((type) => [{ type, values: VALUES }, ...[1, 2, 3].map(() => ({ type, values: fitting(type) }))]),
    first: [],
    loose: [],
    options: (random) => pick(random, ['', '', '', 'WITHOUT ROWID', 'STRICT', 'STRICT, WITHOUT ROWID']),
    settings: () => [],
    quote,
    // SQLite refuses a clause that it does not support.
    clauses: {
      retype: (column, type) => `ALTER COLUMN ${column} TYPE ${type}`,
      nullable: (column) => `ALTER COLUMN ${column} SET NOT NULL`,
      expression: (column) => `ALTER COLUMN ${column} SET EXPRESSION`,
      like: (name, table) => `CREATE TABLE ${name} AS SELECT * FROM ${table}`,
    },
    tableOf: async (place) => {
      const [[name] = []] = await place.rows(
        `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'migration_%' AND name NOT LIKE 'sluice_%' AND name NOT LIKE '_cf_%'`,
      )
      return name === undefined || name === null ? '' : quote(name)
    },
    judge,
  }
}

async function judge(place: Place, table: string): Promise<Judged> {
  const inner = table.slice(1, -1).replaceAll('""', '"').replaceAll("'", "''")
  const columns = (await place.rows(`SELECT name FROM pragma_table_xinfo('${inner}') ORDER BY cid`)).map(([name]) => name ?? '') // prettier-ignore
  const words = columns.map(
    (name) => `typeof(${quote(name)}) || ' ' || quote(${quote(name)}) || ' ' || hex(${quote(name)})`,
  )
  const rows = await place.rows(`SELECT ${words.join(', ')} FROM ${table}`)
  return { columns, rows: rows.map((row) => row.map(String)) }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
