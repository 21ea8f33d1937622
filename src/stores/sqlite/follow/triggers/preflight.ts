/**
 * Preflight checks of replication by triggers: everything about the file and its tables that prevents it, reported at
 * once, before anything is created.
 */
import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import type Database from 'better-sqlite3'
import { tableText } from '../../../../model/copy/column-type.ts'
import type { FollowedTable, FollowPreflight, FollowRefusal } from '../../../../model/follow/port.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { uniquesOf } from './conflicts.ts'

const NOT_REPORTED =
  'triggers record only rows, not DDL: DDL halts the stream, which names the table to copy again. Writes of a program that disables triggers for its connection are not recorded'

export function checkSqliteTriggers(
  connection: Database.Database,
  file: string,
  tables: readonly FollowedTable[],
): FollowPreflight {
  const found = tables.map((table) => tableRefusals(connection, table))
  return {
    refusals: [...fileRefusals(connection, file), ...found.flat()],
    notes: [NOT_REPORTED],
    identities: tables.map(({ table }, at) => (found[at]?.length === 0 ? table.key : [])),
    wal: null,
  }
}

function fileRefusals(connection: Database.Database, file: string): readonly FollowRefusal[] {
  const refusals: FollowRefusal[] = []
  const mode = String(connection.pragma('journal_mode', { simple: true }))
  if (mode !== 'wal') {
    refusals.push({
      message: `the file has a rollback journal (journal_mode = ${mode}): other sessions could not commit while the stream or a comparison reads`,
      hint: 'PRAGMA journal_mode=WAL, once: the setting stays in the file, and other programs need no change',
    })
  }
  try {
    accessSync(file, constants.R_OK | constants.W_OK)
    accessSync(dirname(file), constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    refusals.push({
      message: 'the file or its folder is not writable: triggers and their notes are stored in the file',
      hint: 'run sluice as a user who may write both',
    })
  }
  return refusals
}

function tableRefusals(connection: Database.Database, { table }: FollowedTable): readonly FollowRefusal[] {
  const name = tableText(table.table)
  const refuse = (message: string, hint: string): readonly FollowRefusal[] => [{ table: table.table, message, hint }]
  const key = table.columns.filter((column) => table.key.includes(column.name))
  const byKey = uniquesOf(connection, table.table.name).find(
    ({ where, terms }) =>
      where === null &&
      terms.length === table.key.length &&
      terms.every(({ column }) => column !== null && table.key.includes(column)),
  )
  if (key.length === 0 && table.floatKey !== undefined) {
    return refuse(
      `${name} has no key but ${table.floatKey}, a floating point number, which does not identify rows safely`,
      'add a unique index on other columns that are NOT NULL, or leave the table out',
    )
  }
  if (key.length === 0 || byKey === undefined)
    return refuse(`${name} has no primary key to identify its rows`, 'add a primary key, or leave the table out')
  const anything = key.find(({ type }) => type.kind === 'native' && type.name === 'any')
  if (anything !== undefined) {
    return refuse(
      `${anything.name} of ${name} accepts values of any type: 1 and 1.0 are one key in SQLite, but two in the target`,
      'declare it as INTEGER, TEXT or BLOB, or leave the table out',
    )
  }
  const foreign = key.find(({ collation }) => collation === 'unknown')
  if (foreign !== undefined) {
    return refuse(
      `${foreign.name} of ${name} has a collation that another program defines, so sluice cannot search by it`,
      'leave the table out',
    )
  }
  const nullable = key.filter((column) => column.nullable)
  if (nullable.length === 0) return []
  const list = nullable.map((column) => column.name).join(', ')
  if (!table.primary) {
    return refuse(
      `${list} of ${name} may be NULL, so it does not identify its rows`,
      'declare it NOT NULL, or give the table a primary key',
    )
  }
  const isNull = nullable.map((column) => `${quote(column.name)} IS NULL`).join(' OR ')
  const row = connection.prepare(`SELECT 1 FROM ${quote(table.table.name)} WHERE ${isNull} LIMIT 1`).get()
  if (row === undefined) return []
  return refuse(
    `${name} has rows without a key: ${list} is NULL there, which SQLite allows in a primary key`,
    `give those rows a key: SELECT * FROM ${quote(table.table.name)} WHERE ${isNull}`,
  )
}
