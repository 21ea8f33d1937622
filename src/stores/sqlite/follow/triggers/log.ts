/**
 * Objects in the source file of a stream that uses triggers: a row with its counter; and for each table a log of keys,
 * triggers that fill the log, and triggers that guard the log. All names begin with the name of the stream.
 */
import type Database from 'better-sqlite3'
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { streamOfName } from '../../../common/sqlite-dialect/stream-names.ts'
import { conflictNotes } from './conflicts.ts'

const OURS = /^sluice_\d+$/

export function sqliteProgressTable(stream: string): string {
  return `${stream}_progress`
}

/** Table with the owner of the stream, one row. Created with the first owner, because older streams lack it. */
export function sqliteFollowerTable(stream: string): string {
  return `${stream}_follower`
}

/** @param number of the table in its stream */
export function sqliteLogTable(stream: string, number: number): string {
  return `${stream}_keys_${number}`
}

/** Name of key column i in its log. */
export function sqliteLogKeyColumn(i: number): string {
  return `key_${i + 1}`
}

/** Name of the fact in `StreamStart.facts` with the number of a table. */
export function numberFact(table: TableName): string {
  return `log of ${tableText(table)}`
}

/** Number of a table in its stream. @throws Error if the stream has no log of the table */
export function tableNumber({ facts, slot }: StreamStart, table: TableName): number {
  const text = facts[numberFact(table)]
  if (text === undefined) throw new Error(`stream ${slot} has no log of ${tableText(table)}`)
  return Number(text)
}

/**
 * Creates the table of the counter. `forgetting` is 1 only within a transaction that deletes notes; no other program
 * sees it.
 */
export function makeProgress(connection: Database.Database, stream: string, token: string): void {
  const name = quote(sqliteProgressTable(stream))
  connection.exec(
    `CREATE TABLE ${name} (one INTEGER PRIMARY KEY CHECK (one = 1), token TEXT NOT NULL, counter INTEGER NOT NULL, forgotten INTEGER, forgetting INTEGER)`,
  )
  connection.prepare(`INSERT INTO ${name} (one, token, counter) VALUES (1, ?, 0)`).run(token)
}

/**
 * Creates log and triggers of one table, within a write transaction. The guards are created last: if a trigger that
 * fills the log is dropped and recreated, it then comes after the guards, and `notedFault` detects this.
 */
export function makeSqliteLog(
  connection: Database.Database,
  stream: string,
  number: number,
  { table: { table }, identity }: FollowedTable,
): void {
  const name = quote(sqliteLogTable(stream, number))
  const trigger = (what: string): string => `CREATE TRIGGER ${quote(`${stream}_${number}_${what}`)}`
  const on = quote(table.name)
  const keys = identity.map((_, i) => sqliteLogKeyColumn(i))
  // Without types and constraints, values stay unchanged, and a conflict clause of a writer has no effect on the log.
  connection.exec(`CREATE TABLE ${name} (note_id INTEGER PRIMARY KEY, ${keys.join(', ')})`)
  const note = `INSERT INTO ${name} (${keys.join(', ')})`
  const values = (row: 'OLD' | 'NEW'): string => identity.map((one) => `${row}.${quote(one)}`).join(', ')
  const before = conflictNotes(connection, table.name, identity, note)
  if (before.insert.length > 0) {
    connection.exec(`${trigger('before_insert')} BEFORE INSERT ON ${on} BEGIN ${before.insert.join('; ')}; END`)
    connection.exec(`${trigger('before_update')} BEFORE UPDATE ON ${on} BEGIN ${before.update.join('; ')}; END`)
  }
  // A key with another text is another key, even if both are equal in the collation of the column.
  const moved = identity.map((one) => `OLD.${quote(one)} IS NOT NEW.${quote(one)} COLLATE BINARY`).join(' OR ')
  connection.exec(`${trigger('inserted')} AFTER INSERT ON ${on} BEGIN ${note} VALUES (${values('NEW')}); END`)
  connection.exec(`${trigger('updated')} AFTER UPDATE ON ${on} BEGIN ${note} VALUES (${values('NEW')}); END`)
  connection.exec(
    `${trigger('moved')} AFTER UPDATE ON ${on} WHEN ${moved} BEGIN ${note} VALUES (${values('OLD')}); END`,
  )
  connection.exec(`${trigger('deleted')} AFTER DELETE ON ${on} BEGIN ${note} VALUES (${values('OLD')}); END`)
  const refuse = `SELECT RAISE(ABORT, 'this is the log of a stream of sluice: what is taken out of it is lost; sluice follow RUN --end removes it')`
  const progress = quote(sqliteProgressTable(stream))
  connection.exec(`${trigger('fixed')} BEFORE UPDATE ON ${name} BEGIN ${refuse}; END`)
  connection.exec(
    `${trigger('kept')} BEFORE DELETE ON ${name} WHEN (SELECT forgetting FROM ${progress}) IS NOT 1 BEGIN ${refuse}; END`,
  )
}

/** Removes a stream's objects, for all tables or for one; within a write transaction. May be repeated. */
export function removeStream(connection: Database.Database, stream: string, number?: number): void {
  if (!OURS.test(stream)) return
  const log = number === undefined ? null : sqliteLogTable(stream, number)
  const made = connection
    .prepare(`SELECT type, name FROM main.sqlite_schema WHERE type IN ('table', 'trigger') ORDER BY type DESC, rowid`)
    .all() as { readonly type: string; readonly name: string }[]
  for (const { type, name } of made) {
    if (streamOfName(name) !== stream) continue
    if (log === null || name === log || name.startsWith(`${stream}_${number}_`))
      connection.exec(`DROP ${type === 'table' ? 'TABLE' : 'TRIGGER'} IF EXISTS main.${quote(name)}`)
  }
}

/** Streams whose triggers note changes of a table. */
export function streamsOn(connection: Database.Database, { name }: TableName): readonly string[] {
  const triggers = connection
    .prepare(`SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?) ORDER BY name`)
    .pluck()
    .all(name) as string[]
  return [...new Set(triggers.flatMap((one) => streamOfName(one) ?? []))]
}
