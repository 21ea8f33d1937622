/** Indexes, constraints and defaults of a table, from the dictionary and the table's CREATE statement. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { IndexPart, SchemaObject } from '../../../model/copy/schema-object.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { MysqlSession } from '../session.ts'
import { lacksCharacters, mysqlDefinitions, type Definitions } from './definitions.ts'
import { mysqlTableSql, quoted } from './names.ts'
import { isBytes } from './types.ts'
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
  const definitions = await mysqlDefinitions(session, table)
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
  const defaults = columns.flatMap((row) => defaultOf(row, definitions, isMariadb))
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
    ...(await withExactTexts(session, table, defaults)),
  ]
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

type ColumnDefault = { readonly name: string; readonly own: string; readonly inexact?: 'text' | 'bytes' }

/** The default of a column, as SQL, with its ON UPDATE clause. MariaDB stores it as SQL, MySQL stores the value. */
function defaultOf(row: SqlRow, definitions: Definitions, isMariadb: boolean): readonly ColumnDefault[] {
  const [column, , extra] = row
  const name = String(column)
  const value = valueOf(row, definitions, isMariadb)
  const [, instant] = /\bon update (\S*?)(?:,|$)/i.exec(String(extra)) ?? []
  if (instant === undefined) return value === null ? [] : [{ name, ...value }]
  const update = `ON UPDATE ${withInstant(instant)}`
  return [{ name, own: value === null ? update : `${value.own} ${update}` }]
}

function valueOf(
  [column, value, extra, type]: SqlRow,
  { columns }: Definitions,
  isMariadb: boolean,
): Omit<ColumnDefault, 'name'> | null {
  const words = String(extra).toLowerCase()
  if (value == null || (isMariadb && value === 'NULL') || /\bgenerated\b(?<!default_generated)/.test(words)) return null
  const text = String(value)
  const isExpression = isMariadb ? !text.startsWith("'") : words.includes('default_generated')
  if (isExpression) {
    const shown = lacksCharacters(text) ? columns.get(String(column))?.value : null
    return { own: withInstant(shown ?? (isMariadb ? text : expressionOf(text))) }
  }
  // MySQL prints bytes as a number.
  if (!isMariadb && (String(type) === 'bit' || isBytes(String(type)))) return { own: text }
  const own = isMariadb ? text : textLiteral(text)
  return { own, ...(lacksCharacters(text) ? { inexact: isBytes(String(type)) ? 'bytes' : 'text' } : {}) }
}

/** The defaults with the values themselves in place of texts that are not printed as they are. */
async function withExactTexts(
  session: MysqlSession,
  table: TableName,
  defaults: readonly ColumnDefault[],
): Promise<readonly SchemaObject[]> {
  const asked = defaults.filter(({ inexact }) => inexact !== undefined)
  const values = asked.map(({ name, inexact }) => {
    const value = `DEFAULT(t.${quoted(name)})`
    return inexact === 'bytes' ? `HEX(${value})` : `HEX(CONVERT(${value} USING utf8mb4))`
  })
  // The join finds the defaults of an empty table, too, except those of NOT NULL columns.
  const [row = []] =
    asked.length === 0
      ? []
      : await session.rows(
          `SELECT ${values.join(', ')} FROM (SELECT 1 AS one) o LEFT JOIN ${mysqlTableSql(table)} t ON TRUE LIMIT 1`,
        )
  const exact = (one: ColumnDefault): string => {
    const hex = row[asked.indexOf(one)]
    if (hex == null) return ''
    return one.inexact === 'bytes' ? `x'${String(hex)}'` : textLiteral(Buffer.from(String(hex), 'hex').toString())
  }
  return defaults.map((one): SchemaObject => {
    const own = one.inexact === undefined ? one.own : exact(one)
    return { kind: 'default', name: one.name, own, columns: [one.name] }
  })
}

/** A literal for sessions that read backslashes as escapes. */
function textLiteral(text: string): string {
  return `'${text.replaceAll('\\', String.raw`\\`).replaceAll("'", "''")}'`
}

/** All spellings of the present time alike. */
function withInstant(sql: string): string {
  const instant = /^\(?(?:now|current_timestamp)(?:\((\d*)\))?\)?$/i.exec(sql)
  if (instant === null) return sql
  return `CURRENT_TIMESTAMP${instant[1] === undefined || instant[1] === '' ? '' : `(${instant[1]})`}`
}

/** Removes the backslashes that the dictionary puts before quotes: they are not valid SQL. */
function expressionOf(text: string): string {
  return `(${text.replaceAll(String.raw`\'`, "'")})`
}
