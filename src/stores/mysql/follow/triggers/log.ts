/**
 * Objects of a stream by triggers at the source: a progress row and, for each table, a log of keys and three triggers.
 * All are in the database of the URL, except the triggers: a server has these only in the database of their table.
 */
import { tableText, type Column, type TableName } from '../../../../model/copy/column-type.ts'
import { isMembered } from '../../../../model/copy/members.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import type { MysqlSession } from '../../session.ts'
import { backquotedTable } from '../../copy/names.ts'
import { backquotedName } from '../../../../shared/sql-text.ts'

/** Id of a row that is never reported and never deleted: a log without it was emptied. */
export const FIRST_NOTE = 1
/** Suffixes of trigger names, after the number of the table. */
const EVENTS = ['ins', 'upd', 'del'] as const
const OURS = /^sluice_[a-z0-9_]{1,40}$/
/** A token has no quote, so that SQL text can contain it. */
const TOKEN = /^[0-9a-f-]{36}$/

/** The log of one table as it was created; stored as JSON. */
export type MysqlTableLog = {
  /** Number of the table within its stream. */
  readonly number: number
  readonly table: TableName
  /** Columns of the key, in the order of the columns of the log. */
  readonly key: readonly string[]
  /** The unique index of the table by which rows are found. */
  readonly index: string
  /** The log and its triggers as they were created: InnoDB ids, definitions, times. */
  readonly made: LogFingerprint
}

export type LogFingerprint = {
  /** InnoDB's id of the log. */
  readonly id: string
  /** Table, timing, event, creation time, definer, sql_mode and body of each trigger and of the guard, by name. */
  readonly triggers: Readonly<Record<string, string>>
}

/** @throws SluiceError BAD_CONFIG for a name that no stream of sluice can have */
export function refuseForeignName(name: string): void {
  if (isOwnTriggerLog(name)) return
  throw new SluiceError('BAD_CONFIG', `${name} is not a valid name for a stream of sluice`, {
    hint: 'use a name that begins with sluice_ and has only lower-case letters, digits and underscores, 47 at most',
  })
}

export function isOwnTriggerLog(name: string): boolean {
  return OURS.test(name)
}

/** Name of the fact that holds the log of a table. */
export function mysqlLogFact(table: TableName): string {
  return `log of ${tableText(table)}`
}

/** @throws Error if the stream has no log of the table */
export function mysqlLogOf(startRecord: StreamStart, table: FollowedTable): MysqlTableLog {
  const found = logsOf(startRecord).get(mysqlLogFact(table.table.table))
  if (found === undefined) throw new Error(`stream ${startRecord.slot} has no log of ${tableText(table.table.table)}`)
  return found
}

/** All logs of a stream, by the name of the fact. */
export function logsOf({ facts }: Pick<StreamStart, 'facts'>): ReadonlyMap<string, MysqlTableLog> {
  const logs = Object.entries(facts).filter(([name]) => name.startsWith('log of '))
  return new Map(logs.map(([name, text]) => [name, JSON.parse(text) as MysqlTableLog]))
}

export function mysqlProgressTable(database: string, name: string): TableName {
  return { schema: database, name: `${name}_progress` }
}

/** Holds the owner of the stream: one row. Created with the first owner, because streams of older programs lack it. */
export function mysqlFollowerTable(database: string, name: string): TableName {
  return { schema: database, name: `${name}_follower` }
}

/** Name of a table's log, by the table's number. */
export function mysqlLogTable(database: string, name: string, number: number): TableName {
  return { schema: database, name: `${name}_keys_${number}` }
}

/** Names of the three triggers of a table. */
export function triggerNames(name: string, number: number): readonly string[] {
  return EVENTS.map((event) => `${name}_${number}_${event}`)
}

/** @param name absent: of any stream @returns the stream to which a trigger on a user's table belongs; null if none */
export function streamOfTrigger(trigger: string, name?: string): string | null {
  const [, stream] = /^(sluice_[a-z0-9_]+)_\d+_(?:ins|upd|del)$/.exec(trigger) ?? []
  return stream === undefined || (name !== undefined && stream !== name) ? null : stream
}

/** Statements that create the progress row; see `position.ts`. */
export function progressStatements(database: string, name: string, token: string): readonly string[] {
  const table = backquotedTable(mysqlProgressTable(database, name))
  if (!TOKEN.test(token)) throw new Error(`${token} is not a token`)
  return [
    `CREATE TABLE ${table} (one TINYINT NOT NULL PRIMARY KEY, token CHAR(36) CHARACTER SET ascii NOT NULL, counter BIGINT UNSIGNED NOT NULL,
       shown BIGINT UNSIGNED NOT NULL, forgotten BIGINT UNSIGNED NOT NULL) ENGINE = InnoDB`,
    `INSERT INTO ${table} VALUES (1, '${token}', 0, 0, 0)`,
    'COMMIT',
  ]
}

/** Statements that create a log, its first note and its guard trigger. @param columns of the key */
export function logStatements(
  log: TableName,
  columns: readonly KeyColumn[],
  { stream, token, number }: { readonly stream: string; readonly token: string; readonly number: number },
): readonly string[] {
  const keys = columns.map(
    ({ declared }, at) => `${backquotedName(mysqlLogKeyColumn(at))} ${declared} NULL DEFAULT NULL`,
  )
  const said = `the log of stream ${stream} of sluice: what is taken out of it is lost`
  return [
    `CREATE TABLE ${backquotedTable(log)} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, ${keys.join(', ')}) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`,
    `INSERT INTO ${backquotedTable(log)} (id) VALUES (${FIRST_NOTE})`,
    'COMMIT',
    `CREATE TRIGGER ${backquotedTable({ ...log, name: `${stream}_${number}_guard` })} BEFORE DELETE ON ${backquotedTable(log)} FOR EACH ROW
     BEGIN IF NOT (@sluice_forgets <=> '${token}') OR OLD.id = ${FIRST_NOTE} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '${said}'; END IF; END`,
  ]
}

/**
 * Statements that create the triggers of a table. They fire after all other triggers of their event, so they see the
 * row as the user's BEFORE triggers have changed it. An UPDATE notes the new key, and also the old one if `exactSql`
 * differs: `a` and `A` may be one value in the key, and two in the target.
 */
export function triggerStatements(
  table: TableName,
  log: TableName,
  columns: readonly KeyColumn[],
  { stream, number }: { readonly stream: string; readonly number: number },
): readonly string[] {
  const into = `INSERT INTO ${backquotedTable(log)} (${columns.map((_, at) => backquotedName(mysqlLogKeyColumn(at))).join(', ')})`
  const note = (row: 'OLD' | 'NEW'): string =>
    `${into} VALUES (${columns.map(({ name }) => `${row}.${backquotedName(name)}`).join(', ')})`
  const same = columns.map(
    ({ name, exact }) => `${exact(`OLD.${backquotedName(name)}`)} <=> ${exact(`NEW.${backquotedName(name)}`)}`,
  )
  const bodies: Readonly<Record<(typeof EVENTS)[number], string>> = {
    ins: note('NEW'),
    upd: `BEGIN ${note('NEW')}; IF NOT (${same.join(' AND ')}) THEN ${note('OLD')}; END IF; END`,
    del: note('OLD'),
  }
  const words = { ins: 'INSERT', upd: 'UPDATE', del: 'DELETE' } as const
  return EVENTS.map((event, at) => {
    const trigger = { ...table, name: triggerNames(stream, number)[at] ?? '' }
    return `CREATE TRIGGER ${backquotedTable(trigger)} AFTER ${words[event]} ON ${backquotedTable(table)} FOR EACH ROW ${bodies[event]}`
  })
}

export function mysqlLogKeyColumn(at: number): string {
  return `k${at}`
}

type KeyColumn = {
  readonly name: string
  /** Type, character set and collation as in the table, so that no value is converted when it is noted. */
  readonly declared: string
  /** `exactSql` of the column. */
  readonly exact: (expression: string) => string
}

/** @returns key columns of a log, in the order of `key` */
export async function logKeyColumns(
  session: MysqlSession,
  { schema, name }: TableName,
  key: readonly Pick<Column, 'name' | 'collation'>[],
): Promise<readonly KeyColumn[]> {
  const rows = await session.rows(
    `SELECT COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?`,
    [schema ?? null, name],
  )
  return key.map(({ name: column, collation }) => {
    const [, type, charset, collate] = rows.find(([found]) => found === column) ?? []
    if (type == null) throw new SluiceError('NOT_FOLLOWABLE', `${tableText({ schema: schema ?? '', name })} has no column ${column}`) // prettier-ignore
    const text = charset == null ? '' : ` CHARACTER SET ${String(charset)} COLLATE ${String(collate)}`
    const exact = (expression: string): string => exactSql(expression, { native: String(type), collation })
    return { name: column, declared: `${String(type)}${text}`, exact }
  })
}

/**
 * Expression with different values for all keys that may be different in the target. For a text with a collation: its
 * bytes. For an enum or a set: its number, because number 0 is printed like the empty member.
 */
export function exactSql(
  expression: string,
  { native, collation }: { readonly native: string; readonly collation?: string | undefined },
): string {
  if (isMembered(native)) return `${expression} + 0`
  return collation === undefined || collation === 'uuid' ? expression : `CAST(${expression} AS BINARY)`
}
