/**
 * What a stream by triggers keeps at the source: a row of progress and, of each followed table, a log of keys and three triggers. All of it lies in the database
 * of the URL, but for the triggers, which a server has only where their table is.
 */
import { tableText, type Column, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FollowedTable, StreamBirth } from '../../../../model/follow/port.ts'
import type { Session } from '../../session.ts'
import { tick, ticked } from '../../partition/maintenance/options.ts'

/** The row that no round tells and nobody forgets: a log without it was emptied. */
export const FIRST_NOTE = 1
/** What triggers are called behind the number of their table. */
const EVENTS = ['ins', 'upd', 'del'] as const
const OURS = /^sluice_[a-z0-9_]{1,40}$/
/** A text that is no word of SQL: a token has no quote in it. */
const TOKEN = /^[0-9a-f-]{36}$/

/** The log of one table, as it was made; stored as JSON. */
export type TableLog = {
  /** Of the table within its stream. */
  readonly number: number
  readonly table: TableName
  /** Columns of the key, in the order of the columns of the log. */
  readonly key: readonly string[]
  /** The unique index of the table by which rows are found. */
  readonly index: string
  /** The log and its triggers as they were made: numbers of InnoDB, definitions, times. */
  readonly made: LogMarks
}

export type LogMarks = {
  /** InnoDB's number of the log. */
  readonly id: string
  /** Of the three triggers, by name: when it was made, by whom, under which mode, and what it does. */
  readonly triggers: Readonly<Record<string, string>>
}

/** @throws SluiceError BAD_CONFIG for a name that is none of ours */
export function refuseForeignName(name: string): void {
  if (isOurs(name)) return
  throw new SluiceError('BAD_CONFIG', `${name} is no name for a stream of this program`, {
    hint: 'it has to begin with sluice_, and to have lower-case letters, digits and underscores only, 47 at most',
  })
}

export function isOurs(name: string): boolean {
  return OURS.test(name)
}

/** Under which name the facts of a stream have the log of a table. */
export function logFact(table: TableName): string {
  return `log of ${tableText(table)}`
}

/** @throws Error for a stream that has no log of the table */
export function logOf(birth: StreamBirth, table: FollowedTable): TableLog {
  const found = logsOf(birth).get(logFact(table.table.table))
  if (found === undefined) throw new Error(`stream ${birth.slot} has no log of ${tableText(table.table.table)}`)
  return found
}

/** All logs of a stream, by the name of the fact. */
export function logsOf({ facts }: Pick<StreamBirth, 'facts'>): ReadonlyMap<string, TableLog> {
  const logs = Object.entries(facts).filter(([name]) => name.startsWith('log of '))
  return new Map(logs.map(([name, text]) => [name, JSON.parse(text) as TableLog]))
}

export function progressTable(database: string, name: string): TableName {
  return { schema: database, name: `${name}_progress` }
}

/** Of who follows: one row. Made with the first note, as streams of older programs do not have it. */
export function followerTable(database: string, name: string): TableName {
  return { schema: database, name: `${name}_follower` }
}

/** How the log of a table is called, by the table's number. */
export function logTable(database: string, name: string, number: number): TableName {
  return { schema: database, name: `${name}_keys_${number}` }
}

/** Names of the three triggers of a table. */
export function triggerNames(name: string, number: number): readonly string[] {
  return EVENTS.map((event) => `${name}_${number}_${event}`)
}

/** Whether a trigger on a user's table is one of a stream. @param name absent: of any stream */
export function streamOfTrigger(trigger: string, name?: string): string | null {
  const [, stream] = /^(sluice_[a-z0-9_]+)_\d+_(?:ins|upd|del)$/.exec(trigger) ?? []
  return stream === undefined || (name !== undefined && stream !== name) ? null : stream
}

/** The row that counts; see `position.ts`. */
export function progressStatements(database: string, name: string, token: string): readonly string[] {
  const table = ticked(progressTable(database, name))
  if (!TOKEN.test(token)) throw new Error(`${token} is no token`)
  return [
    `CREATE TABLE ${table} (one TINYINT NOT NULL PRIMARY KEY, token CHAR(36) CHARACTER SET ascii NOT NULL, counter BIGINT UNSIGNED NOT NULL,
       shown BIGINT UNSIGNED NOT NULL, forgotten BIGINT UNSIGNED NOT NULL) ENGINE = InnoDB`,
    `INSERT INTO ${table} VALUES (1, '${token}', 0, 0, 0)`,
    'COMMIT',
  ]
}

/** The statements that make a log, with its first note and its guard. @param columns of the key */
export function logStatements(
  log: TableName,
  columns: readonly KeyColumn[],
  { stream, token, number }: { readonly stream: string; readonly token: string; readonly number: number },
): readonly string[] {
  const keys = columns.map(({ declared }, at) => `${tick(keyName(at))} ${declared} NULL DEFAULT NULL`)
  const said = `the log of stream ${stream} of sluice: what is taken out of it is lost`
  return [
    `CREATE TABLE ${ticked(log)} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, ${keys.join(', ')}) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`,
    `INSERT INTO ${ticked(log)} (id) VALUES (${FIRST_NOTE})`,
    'COMMIT',
    `CREATE TRIGGER ${ticked({ ...log, name: `${stream}_${number}_guard` })} BEFORE DELETE ON ${ticked(log)} FOR EACH ROW
     BEGIN IF NOT (@sluice_forgets <=> '${token}') OR OLD.id = ${FIRST_NOTE} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '${said}'; END IF; END`,
  ]
}

/**
 * The triggers of a table. They come behind all others of their event, and so they see what BEFORE triggers of others have made of a row. An UPDATE notes the key
 * that a row has, and the one that it had where its bytes are others: `a` and `A` may be one to the key, and two to the target.
 */
export function triggerStatements(
  table: TableName,
  log: TableName,
  columns: readonly KeyColumn[],
  { stream, number }: { readonly stream: string; readonly number: number },
): readonly string[] {
  const into = `INSERT INTO ${ticked(log)} (${columns.map((_, at) => tick(keyName(at))).join(', ')})`
  const note = (row: 'OLD' | 'NEW'): string =>
    `${into} VALUES (${columns.map(({ name }) => `${row}.${tick(name)}`).join(', ')})`
  const same = columns.map(({ name, isFolded: byBytes }) => {
    const [before, after] = (['OLD', 'NEW'] as const).map((row) =>
      byBytes ? `CAST(${row}.${tick(name)} AS BINARY)` : `${row}.${tick(name)}`,
    )
    return `${before} <=> ${after}`
  })
  const bodies: Readonly<Record<(typeof EVENTS)[number], string>> = {
    ins: note('NEW'),
    upd: `BEGIN ${note('NEW')}; IF NOT (${same.join(' AND ')}) THEN ${note('OLD')}; END IF; END`,
    del: note('OLD'),
  }
  const words = { ins: 'INSERT', upd: 'UPDATE', del: 'DELETE' } as const
  return EVENTS.map((event, at) => {
    const trigger = { ...table, name: triggerNames(stream, number)[at] ?? '' }
    return `CREATE TRIGGER ${ticked(trigger)} AFTER ${words[event]} ON ${ticked(table)} FOR EACH ROW ${bodies[event]}`
  })
}

export function keyName(at: number): string {
  return `k${at}`
}

/** A column of a key. */
type KeyColumn = {
  readonly name: string
  /** Type, character set and collation as the table has them: then no value is converted on its way into the log. */
  readonly declared: string
  /** Texts that differ in their bytes may be equal. */
  readonly isFolded: boolean
}

/** @returns in the order of the names */
export async function keyColumns(
  session: Session,
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
    return { name: column, declared: `${String(type)}${text}`, isFolded: isFolded({ collation }) }
  })
}

/** Whether texts of a column may be equal that differ in their bytes. */
export function isFolded({ collation }: { readonly collation?: string | undefined }): boolean {
  return collation !== undefined && collation !== 'uuid'
}
