/** Triggers of a table of SQLite that fire for rows which an archive takes out of it and brings back. */
import type Database from 'better-sqlite3'
import type { RowTriggers } from '../../archive-port.ts'

type Found = { readonly name: string; readonly sql: string }

const REMEDY = 'drop it while nothing else writes into the table, and make it again after the run or restore'

/** A trigger changes rows of its own table by statements that name it, and keeps rows out by RAISE(IGNORE). No connection can switch triggers off. */
export function rowTriggersOf(connection: Database.Database, table: string): RowTriggers {
  const all = connection
    .prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?) ORDER BY name`)
    .all(table) as readonly Found[]
  const fires = all.filter(
    ({ name, sql }) => !name.startsWith('sluice_') && !/^[^;]*?\bUPDATE\b[^;]*?\bBEGIN\b/i.test(headOf(sql)),
  )
  const isChanging = ({ sql }: Found): boolean => {
    const body = sql.slice(headOf(sql).length).toLowerCase()
    return /\braise\s*\(\s*ignore/.test(body) || body.includes(table.toLowerCase())
  }
  const named = (some: readonly Found[]): readonly string[] => some.map(({ name }) => `trigger ${name}`)
  return {
    changing: named(fires.filter(isChanging)),
    firing: named(fires.filter((one) => !isChanging(one))),
    quiet: false,
    remedy: REMEDY,
  }
}

/** Up to the first statement of the trigger. */
function headOf(sql: string): string {
  return /^[\s\S]*?\bBEGIN\b/i.exec(sql)?.[0] ?? sql
}
