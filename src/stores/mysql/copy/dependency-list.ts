/** Dependencies of tables of MySQL and MariaDB that a copy leaves out, from the server's dictionary. */
import { streamOfTrigger } from '../follow/triggers/log.ts'
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { groupDependencies, dependencyOf, type LeftBehind, type LeftKind } from '../../../model/copy/dependencies.ts'
import type { DependencyScope } from '../../../model/copy/dependency-port.ts'
import { LEDGER_MARKS } from '../../common/own-tables.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { MysqlSession } from '../session.ts'
import { isDictionaryName } from './names.ts'

/** Tables per query. */
const AT_ONCE = 100
const OWN = "('information_schema', 'mysql', 'performance_schema', 'sys')"

type Found = [LeftKind, string | undefined, string | null]

/** @param own database of tables whose name has no schema */
export async function listMysqlDependencies(
  session: MysqlSession,
  { tables: asked, all }: DependencyScope,
  own: string,
): Promise<readonly LeftBehind[]> {
  const tables = asked.filter(({ name }) => isDictionaryName(name))
  const rows: Found[] = []
  for (let at = 0; at < tables.length; at += AT_ONCE) {
    rows.push(...(await ofTables(session, tables.slice(at, at + AT_ONCE), own)))
  }
  const schemas = [...new Set([own, ...tables.map(({ schema }) => schema ?? own)])]
  if (all) rows.push(...(await ofDatabases(session, schemas)))
  const named = new Set(rows.flatMap(([kind, table, name]) => (kind === 'view' && table !== undefined ? [name] : [])))
  const fresh = rows.filter(([kind, table, name]) => kind !== 'view' || table !== undefined || !named.has(name))
  return [...groupDependencies(fresh), ...(tables.length === 0 ? [] : await hiddenFrom(session))]
}

async function ofTables(session: MysqlSession, tables: readonly TableName[], own: string): Promise<readonly Found[]> {
  const marks = tables.map(() => '(?, ?)').join(', ')
  const names = tables.flatMap(({ schema, name }) => [schema ?? own, name])
  const text = (schema: unknown, name: unknown): string | undefined => {
    const same = (table: TableName): boolean => (table.schema ?? own) === String(schema) && table.name === String(name)
    const table = tables.find(same)
    return table === undefined ? undefined : tableText(table)
  }
  const found: Found[] = []
  const ask = async (sql: string): Promise<void> => {
    for (const [schema, name, kind, what] of await session.rows(sql, names)) {
      const table = text(schema, name)
      const isOurs = kind === 'trigger' && streamOfTrigger(String(what)) !== null
      if (table !== undefined && !isOurs)
        found.push([String(kind) as LeftKind, table, what == null ? null : String(what)])
    }
  }
  await ask(`SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, 'trigger', TRIGGER_NAME FROM information_schema.TRIGGERS
    WHERE (EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE) IN (${marks})`)
  await ask(`SELECT TABLE_SCHEMA, TABLE_NAME, 'grant', CONCAT(LOWER(PRIVILEGE_TYPE), ' to ', GRANTEE) FROM information_schema.TABLE_PRIVILEGES
    WHERE (TABLE_SCHEMA, TABLE_NAME) IN (${marks})`)
  await ask(`SELECT TABLE_SCHEMA, TABLE_NAME, 'grant', CONCAT(LOWER(PRIVILEGE_TYPE), ' (', COLUMN_NAME, ') to ', GRANTEE)
    FROM information_schema.COLUMN_PRIVILEGES WHERE (TABLE_SCHEMA, TABLE_NAME) IN (${marks})`)
  await ask(`SELECT TABLE_SCHEMA, TABLE_NAME, 'comment', COLUMN_NAME FROM information_schema.COLUMNS
    WHERE COLUMN_COMMENT <> '' AND (TABLE_SCHEMA, TABLE_NAME) IN (${marks})`)
  await ask(`SELECT TABLE_SCHEMA, TABLE_NAME, 'collation', COLUMN_NAME FROM information_schema.COLUMNS
    WHERE (COLLATION_NAME LIKE '%\\_ci' OR COLLATION_NAME LIKE '%\\_ai\\_%') AND (TABLE_SCHEMA, TABLE_NAME) IN (${marks})`)
  // MariaDB: a default that takes numbers from a sequence.
  await ask(`SELECT TABLE_SCHEMA, TABLE_NAME, 'sequence', COLUMN_NAME FROM information_schema.COLUMNS
    WHERE COLUMN_DEFAULT LIKE 'nextval(%' AND DATA_TYPE LIKE '%int' AND (TABLE_SCHEMA, TABLE_NAME) IN (${marks})`)
  await ask(`SELECT TABLE_SCHEMA, TABLE_NAME, 'invisible column', COLUMN_NAME FROM information_schema.COLUMNS
    WHERE EXTRA LIKE '%INVISIBLE%' AND (TABLE_SCHEMA, TABLE_NAME) IN (${marks})`)
  await ask(`SELECT TABLE_SCHEMA, TABLE_NAME, 'update time', COLUMN_NAME FROM information_schema.COLUMNS
    WHERE EXTRA LIKE '%on update %' AND (TABLE_SCHEMA, TABLE_NAME) IN (${marks})`)
  for (const [schema, name, comment, type, options] of await session.rows(
    `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_COMMENT, TABLE_TYPE, CREATE_OPTIONS FROM information_schema.TABLES
     WHERE (TABLE_SCHEMA, TABLE_NAME) IN (${marks})`,
    names,
  )) {
    const table = text(schema, name)
    if (table === undefined) continue
    if (String(comment ?? '') !== '') found.push(['comment', table, 'of the table'])
    if (String(type) === 'SYSTEM VERSIONED') found.push(['system versioning', table, null])
    if (/\bpartitioned\b/i.test(String(options ?? ''))) found.push(['partitioning', table, null])
  }
  return [...found, ...(await viewsOf(session, tables, own))]
}

/** MariaDB does not list the tables that a view reads, but the view's definition has their names with the database. */
async function viewsOf(session: MysqlSession, tables: readonly TableName[], own: string): Promise<readonly Found[]> {
  const views = await session.rows(
    `SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN ${OWN}`,
  )
  return views.flatMap(([schema, name, definition]) => {
    const text = String(definition ?? '')
    return tables.flatMap((table): readonly Found[] => {
      const quoted = (mark: string): string =>
        [table.schema ?? own, table.name].map((part) => mark + part.replaceAll(mark, mark + mark) + mark).join('.')
      const reads = text.includes(quoted('`')) || text.includes(quoted('"'))
      return reads ? [['view', tableText(table), `${String(schema)}.${String(name)}`]] : []
    })
  })
}

async function ofDatabases(session: MysqlSession, schemas: readonly string[]): Promise<readonly Found[]> {
  const marks = schemas.map(() => '?').join(', ')
  const found: Found[] = []
  const ask = async (kind: LeftKind, sql: string): Promise<void> => {
    const rows: readonly SqlRow[] = await session.rows(sql, [...schemas])
    for (const [name] of rows) found.push([kind, undefined, String(name)])
  }
  await ask(
    'view',
    `SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.VIEWS WHERE TABLE_SCHEMA IN (${marks})`,
  )
  await ask(
    'free sequence',
    `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'SEQUENCE' AND TABLE_SCHEMA IN (${marks})`,
  )
  await ask('function', `SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN (${marks})`)
  await ask('event', `SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA IN (${marks})`)
  await ask(
    'schema',
    `SELECT CONCAT(TABLE_SCHEMA, ' (', COUNT(*), IF(COUNT(*) = 1, ' table)', ' tables)')) FROM information_schema.TABLES t
     WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN ${OWN} AND TABLE_SCHEMA NOT IN (${marks})
       AND NOT EXISTS (SELECT 1 FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME
         AND (${LEDGER_MARKS.map(([table, column]) => `c.TABLE_NAME = '${table}' AND c.COLUMN_NAME = '${column}'`).join(' OR ')}))
     GROUP BY TABLE_SCHEMA ORDER BY TABLE_SCHEMA`,
  )
  return found
}

/** Reports triggers and views as unread if the user lacks TRIGGER or SHOW VIEW: the dictionary hides them silently. */
async function hiddenFrom(session: MysqlSession): Promise<readonly LeftBehind[]> {
  const grants = (await session.command('SHOW GRANTS')).map(([text]) => String(text).toUpperCase())
  const has = (right: string): boolean => grants.some((text) => text.includes('ALL PRIVILEGES') || text.includes(right))
  const hidden = [...(has('TRIGGER') ? [] : ['triggers']), ...(has('SHOW VIEW') ? [] : ['views'])]
  if (hidden.length === 0) return []
  return [
    dependencyOf('unread', hidden, undefined, 'the user has no right TRIGGER or SHOW VIEW, so the server hides them'),
  ]
}
