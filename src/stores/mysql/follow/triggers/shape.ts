/**
 * Schema fingerprint of a replicated table: changes if rows may have been added or removed without a trigger. InnoDB
 * gives a table, and each partition, a new id whenever it is recreated: by TRUNCATE, by an ALTER TABLE that rewrites
 * it, by EXCHANGE PARTITION. In MariaDB CREATE_TIME does not change by TRUNCATE (measured, 10.11).
 */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { columnsBeyond } from '../../copy/definitions.ts'
import { backquotedTable, mysqlTableSql, quoted } from '../../copy/names.ts'
import type { MysqlSession } from '../../session.ts'
import type { LogFingerprint } from './log.ts'
import { groupBy } from '../../../../shared/group-by.ts'

/** Error number: there is no such table. */
export const NO_TABLE = 1146

/** Schema fingerprint of a table; stored as JSON. */
export type MysqlTriggerShape = {
  /** As `SHOW CREATE TABLE` prints it, without the next number of AUTO_INCREMENT. */
  readonly created: string
  /** One text per column: name, type, nullability, collation, generation expression. */
  readonly columns: readonly string[]
  /** InnoDB's id of the table under '', or of each of its partitions by name. */
  readonly ids: Readonly<Record<string, string>>
  /** Columns of each unique BTREE index without prefixes, expressions and nullable columns, by index name. */
  readonly unique: Readonly<Record<string, readonly string[]>>
  /** Foreign keys of the table with a cascading action: no trigger fires for rows that it deletes or changes. */
  readonly cascades: readonly string[]
  /** CREATE_TIME of the table: in MariaDB every ALTER TABLE changes it, and TRUNCATE does not (measured, 10.11). */
  readonly altered: string
}

/** @returns null if there is no such table */
export async function readMysqlTriggerShape(
  session: MysqlSession,
  table: TableName,
): Promise<MysqlTriggerShape | null> {
  const created = await createdAs(session, table)
  if (created === null) return null
  return {
    created,
    columns: await columnTexts(session, table),
    ids: await tableIds(session, table),
    unique: await uniqueIndexes(session, table),
    cascades: await cascadesOf(session, table),
    altered: await alteredAt(session, table),
  }
}

export function parseMysqlShape(text: string | undefined): MysqlTriggerShape {
  if (text === undefined) return { created: '', columns: [], ids: {}, unique: {}, cascades: [], altered: '' }
  return JSON.parse(text) as MysqlTriggerShape
}

/** The table's CREATE statement; null if there is none. Locks the definition for the session's transaction. */
export async function createdAs(session: MysqlSession, table: TableName): Promise<string | null> {
  try {
    const [row] = await session.command(`SHOW CREATE TABLE ${backquotedTable(table)}`)
    return String(row?.[1] ?? '').replace(/ AUTO_INCREMENT=\d+/, '')
  } catch (error) {
    if (mysqlErrorNumber(error) === NO_TABLE) return null
    throw error
  }
}

/** See `MysqlTriggerShape.columns`. Without defaults and comments: triggers see the resulting values. */
export async function columnTexts(session: MysqlSession, table: TableName): Promise<readonly string[]> {
  const rows = await session.rows(
    `SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLLATION_NAME, GENERATION_EXPRESSION FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
    [table.schema ?? null, table.name],
  )
  const expressions = rows.map((row) => row[4])
  const exact = await columnsBeyond(expressions, session, table)
  return rows.map(([column, type, nullable, collation, text]) => {
    const expression = exact?.get(String(column))?.generated ?? text ?? ''
    return [column, type, nullable === 'YES' ? 'NULL' : 'NOT NULL', collation ?? '', expression].map(String).join(' ')
  })
}

/** InnoDB's id of a table, under '', or of its partitions, by InnoDB's spelling of names. Needs the right PROCESS. */
export async function tableIds(
  session: MysqlSession,
  { schema, name }: TableName,
): Promise<Readonly<Record<string, string>>> {
  const [[database, table] = []] = await session.rows(
    `SELECT ${spelled('COALESCE(?, DATABASE())', 'utf8mb4', 'filename')}, ${spelled('?', 'utf8mb4', 'filename')}`,
    [schema ?? null, name],
  )
  const file = `${String(database)}/${String(table)}`
  const rows = await session.rows(
    `SELECT NAME, CAST(TABLE_ID AS CHAR) FROM information_schema.${session.facts.flavour === 'mariadb' ? 'INNODB_SYS_TABLES' : 'INNODB_TABLES'}
     WHERE NAME = ? OR NAME LIKE ? ESCAPE '!' ORDER BY NAME`,
    [file, `${file.replaceAll(/[!%_]/g, '!$&')}#_#%`],
  )
  const ids = rows.flatMap(([found, id]) => {
    if (String(found) === file) return [['', String(id)]]
    const [, partition] = /^#p#(.*)$/is.exec(String(found).slice(file.length)) ?? []
    return partition === undefined ? [] : [[partition, String(id)]]
  })
  return Object.fromEntries(ids) as Record<string, string>
}

/** True if a partition holds rows. @param partition as `tableIds` returns it */
export async function hasRowsIn(session: MysqlSession, table: TableName, partition: string): Promise<boolean> {
  const [[name] = []] = await session.rows(`SELECT ${spelled('?', 'filename', 'utf8mb4')}`, [partition.replace(/#sp#.*$/is, '')]) // prettier-ignore
  const rows = await session.rows(`SELECT 1 FROM ${mysqlTableSql(table)} PARTITION (${quoted(String(name))}) LIMIT 1`)
  return rows.length > 0
}

/** Converts a name to or from InnoDB's spelling, which is the spelling of file names. */
function spelled(text: string, from: string, to: string): string {
  const of = from === 'filename' ? `CONVERT(CONVERT(${text} USING binary) USING filename)` : text
  return to === 'filename'
    ? `CONVERT(CONVERT(CONVERT(${of} USING filename) USING binary) USING utf8mb4)`
    : `CONVERT(${of} USING ${to})`
}

export async function uniqueIndexes(
  session: MysqlSession,
  { schema, name }: TableName,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const rows = await session.rows(
    `SELECT INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE, INDEX_TYPE FROM information_schema.STATISTICS
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
    [schema ?? null, name],
  )
  const found = [...groupBy(rows, ([index]) => String(index))].flatMap(([index, parts]) => {
    const isFit = parts.every(
      ([, column, prefix, nullable, type]) =>
        column != null && prefix == null && nullable !== 'YES' && type === 'BTREE',
    )
    return isFit ? [[index, parts.map(([, column]) => String(column))] as const] : []
  })
  return Object.fromEntries(found)
}

/** Number of unique indexes of a table, of any kind. */
export async function countUnique(session: MysqlSession, { schema, name }: TableName): Promise<number> {
  const [[count] = []] = await session.rows(
    `SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND NON_UNIQUE = 0`,
    [schema ?? null, name],
  )
  return Number(count)
}

async function alteredAt(session: MysqlSession, { schema, name }: TableName): Promise<string> {
  const [[at] = []] = await session.rows(
    'SELECT CAST(CREATE_TIME AS CHAR) FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?',
    [schema ?? null, name],
  )
  return String(at ?? '')
}

export async function cascadesOf(session: MysqlSession, { schema, name }: TableName): Promise<readonly string[]> {
  const rows = await session.rows(
    `SELECT CONSTRAINT_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS
     WHERE CONSTRAINT_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? ORDER BY CONSTRAINT_NAME`,
    [schema ?? null, name],
  )
  const quiet = new Set(['RESTRICT', 'NO ACTION'])
  return rows.flatMap(([key, database, parent, onDelete, onUpdate]) => {
    const does = [
      ...(quiet.has(String(onDelete)) ? [] : [`ON DELETE ${String(onDelete)}`]),
      ...(quiet.has(String(onUpdate)) ? [] : [`ON UPDATE ${String(onUpdate)}`]),
    ]
    return does.length === 0 ? [] : [`${String(key)} to ${String(database)}.${String(parent)} (${does.join(', ')})`]
  })
}

/** Current definitions of the named triggers of one database, by name. */
async function readTriggers(
  session: MysqlSession,
  schema: string | undefined,
  names: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const rows = await session.rows(
    `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, CAST(CREATED AS CHAR), DEFINER, SQL_MODE, ACTION_STATEMENT
     FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = COALESCE(?, DATABASE()) AND TRIGGER_NAME IN (${names.map(() => '?').join(', ')})`,
    [schema ?? null, ...names],
  )
  return Object.fromEntries(rows.map(([name, ...facts]) => [String(name), facts.map(String).join(' · ')]))
}

/** Current state of a log and its triggers. @param names of the triggers on the table, and of the guard of the log */
export async function readLogFingerprint(
  session: MysqlSession,
  table: TableName,
  log: TableName,
  names: { readonly triggers: readonly string[]; readonly guard: string },
): Promise<LogFingerprint> {
  const id = (await tableIds(session, log))[''] ?? ''
  const triggers = await readTriggers(session, table.schema, names.triggers)
  const guard = await readTriggers(session, log.schema, [names.guard])
  return { id, triggers: { ...triggers, ...guard } }
}
