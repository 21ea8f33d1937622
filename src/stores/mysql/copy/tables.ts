/** Tables as described by the server's dictionary. */
import { calledExactly, type Column, type TableSpec } from '../../../model/copy/column-type.ts'
import { duplicateMember, isMembered } from '../../../model/copy/members.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import type { MysqlSession } from '../session.ts'
import { isJsonCheck } from './definitions.ts'
import { readsAll } from './hidden-columns.ts'
import { chooseKey, type MysqlIndexPart } from './keys.ts'
import { isDictionaryName, tablePattern, type NameTest } from './names.ts'
import { isDated } from './printed-days.ts'
import { baseTypeName, isByBytes, isHexed, isGeometry, mysqlColumnType } from './types.ts'
import { groupBy } from '../../../shared/group-by.ts'
import { numberOrNull, bigintOf, textOrNull } from '../../common/cells.ts'

/** The server's own databases. */
const OWN = new Set(['information_schema', 'mysql', 'performance_schema', 'sys'])
const KINDS = "('BASE TABLE', 'SYSTEM VERSIONED')"
/** Tables per query. */
const AT_ONCE = 200

/**
 * @param pattern `db.table` or `table`, with `*` for any characters; without `db`: tables of the URL's database
 * @param server identifies this server, for the identity of a table
 * @returns sorted by name
 */
export async function findMysqlTables(
  session: MysqlSession,
  pattern: string,
  server: string,
): Promise<readonly TableSpec[]> {
  const [[current] = []] = await session.rows('SELECT DATABASE()')
  const wanted = tablePattern(pattern, session.facts.foldsTables)
  const schemas = wanted.schema === null ? [String(current)] : await matchingSchemas(session, wanted.schema)
  const tables: TableSpec[] = []
  // MySQL's statistics may be a day old unless this is set.
  if (session.facts.flavour === 'mysql') await session.command('SET SESSION information_schema_stats_expiry = 0')
  for (const schema of schemas) {
    const rows = await session.rows(
      `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE IN ${KINDS}`,
      [schema],
    )
    const names = rows.map(([name]) => String(name)).filter((name) => wanted.table(name))
    for (let at = 0; at < names.length; at += AT_ONCE) {
      tables.push(...(await describe(session, schema, names.slice(at, at + AT_ONCE), server)))
    }
  }
  return calledExactly(tables, pattern, ({ table }) => table).toSorted(
    (a, b) => compare(a.table.schema ?? '', b.table.schema ?? '') || compare(a.table.name, b.table.name),
  )
}

async function matchingSchemas(session: MysqlSession, fits: NameTest): Promise<readonly string[]> {
  const rows = await session.rows('SELECT SCHEMA_NAME FROM information_schema.SCHEMATA')
  return rows.map(([name]) => String(name)).filter((name) => fits(name) && !OWN.has(name.toLowerCase()))
}

async function describe(
  session: MysqlSession,
  schema: string,
  names: readonly string[],
  server: string,
): Promise<readonly TableSpec[]> {
  const dictionary = new Dictionary(session, schema, names)
  const facts = await dictionary.rows(
    'TABLES',
    'CREATE_TIME, CAST(TABLE_ROWS AS CHAR), CAST(COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0) AS CHAR)',
  )
  const json = await jsonColumns(dictionary, session.facts.flavour === 'mariadb')
  const columns = await dictionary.rows(
    'COLUMNS',
    'COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, ' +
      'NUMERIC_SCALE, DATETIME_PRECISION, COLLATION_NAME, ORDINAL_POSITION',
    'ORDER BY TABLE_NAME, ORDINAL_POSITION',
  )
  const indexes = await dictionary.rows(
    'STATISTICS',
    'INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE, INDEX_TYPE',
    'AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX',
  )
  const partitions = await dictionary.rows(
    'PARTITIONS',
    'MIN(PARTITION_METHOD), MIN(PARTITION_EXPRESSION), COUNT(DISTINCT PARTITION_NAME)',
    'AND PARTITION_NAME IS NOT NULL GROUP BY TABLE_NAME, CAST(TABLE_NAME AS BINARY)',
  )
  const specs: TableSpec[] = []
  for (const name of names) {
    const [found] = facts.get(name) ?? []
    if (found === undefined) continue
    const [created, rows, bytes] = found
    const known = (columns.get(name) ?? []).map((row) =>
      columnOf(row, json.get(name)?.has(String(row[0])) === true, session.facts.flavour === 'mariadb'),
    )
    const places = (columns.get(name) ?? []).map((row) => Number(row.at(-1)))
    const hides = places.some((place, i) => place !== i + 1) || !(await readsAll(session, { schema, name }))
    const partitioning = partitioningOf(partitions.get(name)?.[0])
    specs.push({
      table: { schema, name },
      identity: `${server}/${schema}/${name}@${String(created ?? '')}`,
      columns: known,
      ...chooseKey((indexes.get(name) ?? []).map(partOf), known),
      rows: bigintOf(rows),
      bytes: bigintOf(bytes),
      ...(partitioning === null ? {} : { partitioning }),
      ...(hides ? { hidesColumns: true } : {}),
    })
  }
  return specs
}

/** Queries the dictionary for several tables at once. */
export class Dictionary {
  readonly #session: MysqlSession
  readonly #schema: string
  readonly #names: readonly string[]

  constructor(session: MysqlSession, schema: string, names: readonly string[]) {
    this.#session = session
    this.#schema = schema
    this.#names = names
  }

  /** Rows by the name of their table. */
  async rows(from: string, list: string, tail = '', schemaColumn = 'TABLE_SCHEMA'): Promise<Map<string, SqlRow[]>> {
    const marks = this.#names.map(() => '?').join(', ')
    // The dictionary ignores case: of names that differ only in case, an IN list would find one. So bytes are compared.
    // For a single name, `=` is added, which is fast. It is omitted if the name has characters that no table name can
    // have, because comparing these is an error.
    const alone = this.#names.length === 1 && isDictionaryName(this.#names[0] ?? '')
    const rows = await this.#session.rows(
      `SELECT TABLE_NAME, ${list} FROM information_schema.${from} WHERE ${schemaColumn} = ?${alone ? ' AND TABLE_NAME = ?' : ''}
         AND CAST(TABLE_NAME AS BINARY) IN (${marks}) ${tail}`,
      [this.#schema, ...(alone ? this.#names : []), ...this.#names],
    )
    const byTable = groupBy(rows, ([name]) => String(name))
    return new Map([...byTable].map(([name, some]) => [name, some.map(([, ...row]) => row)]))
  }
}

/** Columns of type JSON: in MariaDB they are texts with a constraint. */
async function jsonColumns(
  dictionary: Dictionary,
  isMariadb: boolean,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  if (!isMariadb) return new Map()
  const rows = await dictionary.rows(
    'CHECK_CONSTRAINTS',
    'CONSTRAINT_NAME, CHECK_CLAUSE',
    "AND LEVEL = 'Column'",
    'CONSTRAINT_SCHEMA',
  )
  const json = new Map<string, ReadonlySet<string>>()
  for (const [table, constraints] of rows) {
    const names = constraints.filter(([name, clause]) => isJsonCheck(String(name), String(clause)))
    json.set(table, new Set(names.map(([name]) => String(name))))
  }
  return json
}

function columnOf(row: SqlRow, isJson: boolean, isMariadb: boolean): Column {
  const [name, base, declared, nullable, fallback, extra, characters, precision, scale, fraction, collation] = row
  const words = String(extra).toLowerCase()
  const native = isJson ? 'json' : String(declared)
  const type = mysqlColumnType({
    base: isJson ? 'json' : baseTypeName(String(base)),
    native,
    characters: numberOrNull(characters),
    precision: numberOrNull(precision),
    scale: numberOrNull(scale),
    fraction: numberOrNull(fraction),
  })
  const identity = words.includes('auto_increment')
  // MariaDB reports NULL as the default of a nullable column.
  const hasDefault = (fallback != null && !(isMariadb && fallback === 'NULL')) || identity
  const order = collationOf(base, collation)
  return {
    name: String(name),
    type,
    native,
    ...(isJson ? { spelled: true } : {}),
    ...(isDated(native) ? { exactAs: native } : {}),
    ...(type.kind === 'decimal' && type.scale !== 0 ? { zeros: true } : {}),
    ...(isGeometry(String(base)) ? { portable: 'ewkb' } : {}),
    ...(isHexed(String(base)) ? { hexed: true } : {}),
    ...(isMembered(native) && duplicateMember(native) !== null ? { oneWay: true } : {}),
    nullable: nullable === 'YES',
    ...(/\b(?:virtual|stored|persistent) generated\b/.test(words) ? { generated: true } : {}),
    ...(identity ? { identity: true } : {}),
    ...(hasDefault ? { hasDefault: true } : {}),
    ...(order === null ? {} : { collation: order }),
  }
}

/** Collation; null if the column compares by bytes. `uuid`: MariaDB sorts UUIDs by their parts in reverse order. */
function collationOf(base: SqlValue | undefined, collation: SqlValue | undefined): string | null {
  if (base === 'uuid') return 'uuid'
  return collation == null || isByBytes(String(collation)) ? null : String(collation)
}

function partOf([index, column, prefix, nullable, kind]: SqlRow): MysqlIndexPart {
  return {
    index: String(index),
    column: textOrNull(column),
    whole: prefix == null && String(kind).toUpperCase() === 'BTREE',
    nullable: nullable === 'YES',
  }
}

function partitioningOf(row: SqlRow | undefined): string | null {
  const [method, expression, partitions] = row ?? []
  if (method == null) return null
  const by = expression == null ? '' : ` (${String(expression).replaceAll(/[`"]/g, '')})`
  return `${String(method).toLowerCase()}${by}, ${String(partitions)} partitions`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
