/** Refuses files that have views, virtual tables or triggers under names of catalog tables. */
import type Database from 'better-sqlite3'
import { sqlLiteral, quotedName } from '../../shared/sql-text.ts'
import { PLAIN_NAMES } from '../common/own-tables.ts'
import { nameConflictError } from '../common/name-conflict.ts'

const NAMES = `(${PLAIN_NAMES.map(sqlLiteral).join(', ')})`

const NO_TABLE = `SELECT type, name FROM sqlite_schema WHERE name COLLATE NOCASE IN ${NAMES}
  AND (type = 'view' OR type = 'table' AND sql LIKE 'CREATE VIRTUAL %') LIMIT 1`

const TRIGGERS = `SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name COLLATE NOCASE IN ${NAMES} LIMIT 1`

/**
 * @param writes true if catalog tables will be written, so that triggers on them would run
 * @throws SluiceError TABLE_REFUSED that names the object
 */
export function refusePlanted(connection: Database.Database, writes: boolean, label: string): void {
  const [view] = connection.prepare(NO_TABLE).raw(true).all() as [type: string, name: string][]
  if (view !== undefined) throw nameConflictError({ what: `${view[0].toUpperCase()} ${quotedName(view[1])}` }, label)
  if (!writes) return
  const [trigger] = connection.prepare(TRIGGERS).raw(true).all() as [name: string, table: string][]
  if (trigger !== undefined)
    throw nameConflictError({ what: `TRIGGER ${quotedName(trigger[0])}`, on: trigger[1] }, label)
}
