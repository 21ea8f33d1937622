/** Indexes, constraints and defaults of a table, from the dictionary and the table's CREATE statement. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { IndexPart, SchemaObject } from '../../../model/copy/schema-object.ts'
import { bracketElements, nameAt } from '../../common/definition-text.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { MysqlSession } from '../session.ts'
import { mysqlTableSql } from './names.ts'
import { groupBy } from '../../../shared/group-by.ts'

/** @param session must read backslashes as escapes, as the server prints them @returns [] if there is no such table */
export async function listMysqlObjects(session: MysqlSession, table: TableName): Promise<readonly SchemaObject[]> {
  const { schema = null, name } = table
  const here = 'COALESCE(?, DATABASE())'
  const [found] = await session.rows(
    `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${here} AND TABLE_NAME = ?`,
    [schema, name],
  )
  if (found === undefined) return []
  const [created] = await session.command(`SHOW CREATE TABLE ${mysqlTableSql(table)}`)
  const definitions = definitionsIn(String(created?.[1] ?? ''))
  const isMariadb = session.facts.flavour === 'mariadb'
  const expression = isMariadb ? 'NULL' : 'EXPRESSION'
  const statistics = await session.rows(
    `SELECT INDEX_NAME, NON_UNIQUE, COLUMN_NAME, COLLATION, SUB_PART, INDEX_TYPE, ${expression} FROM information_schema.STATISTICS
     WHERE TABLE_SCHEMA = ${here} AND TABLE_NAME = ? ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
    [schema, name],
  )
  const keys = await session.rows(
    `SELECT k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, r.DELETE_RULE,
       r.UPDATE_RULE FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
       ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
     WHERE k.TABLE_SCHEMA = ${here} AND k.TABLE_NAME = ? AND k.REFERENCED_TABLE_NAME IS NOT NULL
     ORDER BY k.CONSTRAINT_NAME, k.ORDINAL_POSITION`,
    [schema, name],
  )
  const columns = await session.rows(
    `SELECT COLUMN_NAME, COLUMN_DEFAULT, EXTRA, DATA_TYPE FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = ${here} AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
    [schema, name],
  )
  return [
    ...[...groupBy(statistics, ([index]) => String(index))].map(([index, rows]) =>
      indexObject(index, rows, definitions.keys.get(index) ?? ''),
    ),
    ...[...groupBy(keys, ([key]) => String(key))].map(([key, rows]) => foreignKey(key, rows)),
    ...[...definitions.checks].map(([check, own]): SchemaObject => ({
      kind: 'check',
      name: check,
      own,
      columns: null,
    })),
    ...columns.flatMap((row) => defaultOf(row, isMariadb)),
  ]
}

type Definitions = { readonly keys: ReadonlyMap<string, string>; readonly checks: ReadonlyMap<string, string> }

/** Definition of each key and check, by its name: the text after the name in the CREATE statement. */
function definitionsIn(sql: string): Definitions {
  const keys = new Map<string, string>()
  const checks = new Map<string, string>()
  for (const element of bracketElements(sql, 'backslash')) {
    const constraint = /^CONSTRAINT\s+/.exec(element)
    if (constraint !== null) {
      const named = nameAt(element.slice(constraint[0].length))
      if (named !== null && /^\s*CHECK\b/.test(named.rest)) checks.set(named.name, named.rest.trim())
      continue
    }
    const key = /^(?:(UNIQUE|FULLTEXT|SPATIAL|VECTOR)\s+)?KEY\s+/.exec(element)
    const named = key === null ? null : nameAt(element.slice(key[0].length))
    if (named !== null) keys.set(named.name, named.rest.trim())
  }
  return { keys, checks }
}

function indexObject(name: string, rows: readonly SqlRow[], own: string): SchemaObject {
  const [first = []] = rows
  const [, notUnique, , , , type] = first
  const expressions = rows.some(([, , column]) => column == null)
  const method = String(type).toLowerCase()
  return {
    kind: 'index',
    name,
    own,
    columns: expressions ? null : rows.map(([, , column]) => String(column)),
    unique: Number(notUnique) === 0,
    ...(name === 'PRIMARY' ? { primary: true } : {}),
    method,
    parts: rows.map(([, , column, order, prefix]): IndexPart => ({
      column: column == null ? null : String(column),
      ...(order === 'D' ? { descending: true } : {}),
      ...(prefix == null || method !== 'btree' ? {} : { prefix: Number(prefix) }),
    })),
    include: [],
  }
}

function foreignKey(name: string, rows: readonly SqlRow[]): SchemaObject {
  const [[, , schema, table, , onDelete, onUpdate] = []] = rows
  const from = rows.map(([, column]) => String(column))
  return {
    kind: 'foreign key',
    name,
    own: '',
    columns: from,
    from,
    to: {
      table: { schema: String(schema), name: String(table) },
      columns: rows.map(([, , , , column]) => String(column)),
    },
    onDelete: action(String(onDelete)),
    onUpdate: action(String(onUpdate)),
    rest: '',
  }
}

/** The rule of a foreign key: InnoDB treats RESTRICT and NO ACTION alike. */
function action(rule: string): string {
  return rule === 'RESTRICT' ? 'NO ACTION' : rule
}

/** The default of a column, as SQL. MariaDB stores it as SQL, MySQL stores the value. */
function defaultOf([name, value, extra, type]: SqlRow, isMariadb: boolean): readonly SchemaObject[] {
  const words = String(extra).toLowerCase()
  if (value == null || (isMariadb && value === 'NULL') || /\bgenerated\b(?<!default_generated)/.test(words)) return []
  const text = String(value)
  const quotedText = `'${text.replaceAll('\\', String.raw`\\`).replaceAll("'", "''")}'`
  const literal = isMariadb || String(type) === 'bit' ? text : quotedText
  const written = words.includes('default_generated') ? expressionOf(text) : literal
  const instant = /^\(?(?:now|current_timestamp)(?:\((\d*)\))?\)?$/i.exec(written)
  const digits = instant?.[1] === undefined || instant[1] === '' ? '' : `(${instant[1]})`
  const own = instant === null ? written : `CURRENT_TIMESTAMP${digits}`
  return [{ kind: 'default', name: String(name), own, columns: [String(name)] }]
}

/** Removes the backslashes that the dictionary puts before quotes: they are not valid SQL. */
function expressionOf(text: string): string {
  return `(${text.replaceAll(String.raw`\'`, "'")})`
}
