/** Indexes, constraints and defaults of tables, from the dictionary and each table's CREATE statement. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { IndexPart, SchemaObject } from '../../../model/copy/schema-object.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { MysqlSession } from '../session.ts'
import { lacksCharacters, mysqlDefinitions, type Definitions } from './definitions.ts'
import { mysqlTableSql, quoted } from './names.ts'
import { Dictionary } from './tables.ts'
import { isBytes } from './types.ts'
import { groupBy } from '../../../shared/group-by.ts'

/** Tables per query. */
const AT_ONCE = 200

/**
 * @param session must read backslashes as escapes, as the server prints them
 * @returns objects of each table, in the order of `tables`; none of a table that does not exist
 */
export async function listMysqlObjects(
  session: MysqlSession,
  tables: readonly TableName[],
): Promise<readonly (readonly SchemaObject[])[]> {
  const [[current] = []] = await session.rows('SELECT DATABASE()')
  const found = new Map<TableName, readonly SchemaObject[]>()
  for (const [schema, some] of groupBy(tables, (table) => table.schema ?? String(current))) {
    for (let at = 0; at < some.length; at += AT_ONCE) {
      await listInSchema(session, schema, some.slice(at, at + AT_ONCE), found)
    }
  }
  return tables.map((table) => found.get(table) ?? [])
}

async function listInSchema(
  session: MysqlSession,
  schema: string,
  tables: readonly TableName[],
  found: Map<TableName, readonly SchemaObject[]>,
): Promise<void> {
  // A server that ignores case may have a created table under a name in small letters.
  const spellings = ({ name }: TableName): readonly string[] =>
    session.facts.foldsTables ? [name, name.toLowerCase()] : [name]
  const dictionary = new Dictionary(session, schema, [...new Set(tables.flatMap(spellings))])
  const isMariadb = session.facts.flavour === 'mariadb'
  const existing = await dictionary.rows('TABLES', '1')
  const statistics = await dictionary.rows(
    'STATISTICS',
    `INDEX_NAME, NON_UNIQUE, COLUMN_NAME, COLLATION, SUB_PART, INDEX_TYPE, ${isMariadb ? 'NULL' : 'EXPRESSION'}`,
    'ORDER BY INDEX_NAME, SEQ_IN_INDEX',
  )
  const keys = await dictionary.rows(
    'KEY_COLUMN_USAGE',
    'CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME',
    'AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY CONSTRAINT_NAME, ORDINAL_POSITION',
  )
  const rules = await dictionary.rows(
    'REFERENTIAL_CONSTRAINTS',
    'CONSTRAINT_NAME, DELETE_RULE, UPDATE_RULE',
    '',
    'CONSTRAINT_SCHEMA',
  )
  const columns = await dictionary.rows(
    'COLUMNS',
    'COLUMN_NAME, COLUMN_DEFAULT, EXTRA, DATA_TYPE',
    'ORDER BY ORDINAL_POSITION',
  )
  for (const table of tables) {
    const name = spellings(table).find((one) => existing.has(one))
    if (name === undefined) continue
    const definitions = await mysqlDefinitions(session, table)
    const defaults = (columns.get(name) ?? []).flatMap((row) => defaultOf(row, definitions, isMariadb))
    found.set(table, [
      ...[...groupBy(statistics.get(name) ?? [], ([index]) => String(index))].map(([index, rows]) =>
        indexObject(index, rows, definitions.keys.get(index) ?? ''),
      ),
      ...[...groupBy(keys.get(name) ?? [], ([key]) => String(key))].map(([key, rows]) =>
        foreignKey(key, rows, rules.get(name)?.find(([constraint]) => constraint === key) ?? []),
      ),
      ...[...definitions.checks].map(([check, own]): SchemaObject => {
        return { kind: 'check', name: check, own, columns: null }
      }),
      ...(await withExactTexts(session, table, defaults)),
    ])
  }
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

function foreignKey(name: string, rows: readonly SqlRow[], [, onDelete, onUpdate]: SqlRow): SchemaObject {
  const [[, , schema, table] = []] = rows
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
