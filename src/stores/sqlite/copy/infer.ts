/**
 * Infers types of columns without a usable declared type, from their first rows. Dates too: SQLite has no date type, so
 * a date column with numbers becomes a number. Later rows have to be of that type.
 */
import type Database from 'better-sqlite3'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { SqliteColumnInfo } from './shape.ts'
import { ANY, sqliteColumnType } from '../../common/sqlite-dialect/types.ts'

const LOOK_AT_ROWS = 1000

/** Storage classes of the first rows, without NULLs. */
type Seen = { readonly classes: ReadonlySet<string>; readonly hasZones: boolean }

export function inferredTypes(
  connection: Database.Database,
  table: string,
  columns: readonly SqliteColumnInfo[],
): ReadonlyMap<string, ColumnType> {
  const found = new Map<string, ColumnType>()
  for (const { name, type } of columns) {
    const declared = sqliteColumnType(type)
    if (declared !== null && !isTime(declared)) continue
    const corrected = correct(declared, look(connection, table, name))
    if (corrected !== null) found.set(name, corrected)
  }
  return found
}

function isTime({ kind }: ColumnType): boolean {
  return kind === 'date' || kind === 'time' || kind === 'timestamp'
}

function look(connection: Database.Database, table: string, name: string): Seen {
  const column = quote(name)
  const rows = connection
    .prepare(
      `SELECT typeof(c), (typeof(c) = 'text' AND (c GLOB '*[0-9][Zz]' OR c GLOB '*:[0-9]*[+-][0-9][0-9]' OR c GLOB '*:[0-9]*[+-][0-9][0-9]:[0-9][0-9]'
       OR c GLOB '*:[0-9]*[+-][0-9][0-9][0-9][0-9]')), count(*)
       FROM (SELECT ${column} AS c FROM ${quote(table)} LIMIT ${LOOK_AT_ROWS}) WHERE c IS NOT NULL GROUP BY 1, 2`,
    )
    .raw(true)
    .all() as (readonly [string, number, number])[]
  return {
    classes: new Set(rows.map(([storage]) => storage)),
    hasZones: rows.some(([, zone]) => zone === 1),
  }
}

function correct(declared: ColumnType | null, { classes, hasZones }: Seen): ColumnType | null {
  const only = (...names: readonly string[]): boolean => [...classes].every((one) => names.includes(one))
  if (declared !== null) {
    if (classes.size === 0) return null
    if (only('integer')) return { kind: 'int', bits: 64 }
    if (only('real', 'integer')) return { kind: 'float', bits: 64 }
    // If some values have a zone, the column gets a zone. Values without one are UTC, as in SQLite's date functions.
    return declared.kind === 'timestamp' && hasZones ? { ...declared, zone: true } : null
  }
  if (classes.size === 0) return ANY
  if (only('integer')) return { kind: 'int', bits: 64 }
  if (only('real')) return { kind: 'float', bits: 64 }
  if (only('real', 'integer')) return { kind: 'decimal' }
  if (only('text')) return { kind: 'text' }
  return only('blob') ? { kind: 'bytes' } : ANY
}
