/**
 * Reads the cluster's own schema tables for names and ids of tables, which the driver does not keep. Releases before
 * 3.0 have other schema tables.
 */
import type { types } from 'cassandra-driver'
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { whileBusy } from '../busy.ts'
import type { CassandraLink } from '../connect.ts'

export type ListedTable = {
  readonly keyspace: string
  readonly name: string
  /** Different for each created table, even under the same name. */
  readonly id: string
  /** Base table of a materialized view; null for an ordinary table. */
  readonly viewOf: string | null
}

/** Keyspaces that belong to the server. */
const SYSTEM = /^(?:system|system_\w+|dse\w*|solr_\w+|OpsCenter)$/

type Words = {
  readonly tables: string
  readonly table: string
  readonly id: string
  readonly columns: string
  /** Select list for the facts of a column: its name, and since 3.0 also its kind and its type. */
  readonly column: string
}

const NEW: Words = {
  tables: 'system_schema.tables',
  table: 'table_name',
  id: 'id',
  columns: 'system_schema.columns',
  column: 'column_name, kind, type',
}
const OLD: Words = {
  tables: 'system.schema_columnfamilies',
  table: 'columnfamily_name',
  id: 'cf_id',
  columns: 'system.schema_columns',
  column: 'column_name',
}

/** @param keyspace lists only tables of this one; null: tables of all keyspaces except those of the server */
export async function listCassandraTables(
  link: CassandraLink,
  keyspace: string | null,
): Promise<readonly ListedTable[]> {
  const words = wordsOf(link)
  const { tables, table, id } = words
  const listed = await ask(link, `SELECT keyspace_name, ${table}, ${id} FROM ${tables}`, keyspace)
  const views =
    words === OLD
      ? []
      : await ask(link, 'SELECT keyspace_name, view_name, id, base_table_name FROM system_schema.views', keyspace)
  return [...listed, ...views]
    .map(([ks, name, found, base]) => ({
      keyspace: String(ks),
      name: String(name),
      id: String(found),
      viewOf: base === undefined ? null : base.toString(),
    }))
    .filter((one) => keyspace !== null || !SYSTEM.test(one.keyspace))
}

/**
 * Checks that the table is still the planned one: some releases read dropped columns as nulls, and a table that was
 * dropped and recreated would be read without notice.
 * @throws SluiceError SOURCE_GONE
 */
export async function refuseChanged(link: CassandraLink, { table, identity, columns }: TableSpec): Promise<void> {
  const { schema = '', name } = table
  const { tables, table: named, id, columns: ofColumns, column: what } = wordsOf(link)
  const [listed, found] = await Promise.all([
    ask(link, `SELECT ${id} FROM ${tables} WHERE keyspace_name = ? AND ${named} = ?`, schema, name),
    ask(link, `SELECT ${what} FROM ${ofColumns} WHERE keyspace_name = ? AND ${named} = ?`, schema, name),
  ])
  const [[now] = []] = listed
  // A materialized view is not listed with the tables, and always has the columns with which it was created.
  if (now === undefined && found.length === 0) throw gone(tableText(table), 'it is gone')
  if (now !== undefined && now.toString() !== identity) throw gone(tableText(table), 'another table has its name now')
  const there = new Set(found.map(([column]) => String(column)))
  const lost = columns.filter((column) => !there.has(column.name)).map((column) => column.name)
  if (lost.length > 0) throw gone(tableText(table), `it no longer has ${lost.join(', ')}`)
  const planned = new Set(columns.map((column) => column.name))
  const added = shownColumns(found.filter(([column]) => !planned.has(String(column))))
  if (added.length > 0) throw gone(tableText(table), `it now has ${added.join(', ')}`)
}

/**
 * Names of visible columns. A table WITH COMPACT STORAGE has hidden columns: a column of type `empty`, or, if its
 * visible columns are static, a clustering column and a value column.
 * @param rows columns that are not planned
 */
function shownColumns(rows: Awaited<ReturnType<typeof ask>>): readonly string[] {
  // ALTER cannot add a clustering column, so an unplanned one is a hidden one.
  const isCompact = rows.some(([, kind]) => String(kind) === 'clustering')
  return rows.flatMap(([name, kind, type]) => {
    const isHidden = String(type) === 'empty' || (isCompact && String(kind) !== 'static')
    return isHidden || String(name) === '' ? [] : [String(name)]
  })
}

/** Different for each created table, even under the same name; null if there is no such table. */
export async function tableId(link: CassandraLink, { schema, name }: TableName): Promise<string | null> {
  const { tables, table, id } = wordsOf(link)
  const sql = `SELECT ${id} FROM ${tables} WHERE keyspace_name = ? AND ${table} = ?`
  const [[found] = []] = await ask(link, sql, schema ?? link.settings.keyspace ?? '', name)
  return found === undefined ? null : found.toString()
}

function gone(table: string, reason: string): SluiceError {
  return new SluiceError('SOURCE_GONE', `${table} has changed since it was planned`, {
    where: table,
    reason,
    hint: 'run the same command again',
  })
}

function wordsOf({ release }: CassandraLink): Words {
  return Number.parseInt(release, 10) < 3 ? OLD : NEW
}

async function ask(
  link: CassandraLink,
  query: string,
  keyspace: string | null,
  name?: string,
): Promise<readonly (readonly (string | { toString(): string } | undefined)[])[]> {
  const where = keyspace === null || query.includes('WHERE') ? '' : ' WHERE keyspace_name = ?'
  const parameters = [...(keyspace === null ? [] : [keyspace]), ...(name === undefined ? [] : [name])]
  // Level ONE is enough: each node has the whole schema.
  const options = { prepare: true, consistency: 1 }
  const read = (pageState?: string): Promise<types.ResultSet> =>
    link.client.execute(`${query}${where}`, parameters, {
      ...options,
      ...(pageState === undefined ? {} : { pageState }),
    })
  const all: types.Row[] = []
  for (let page = await whileBusy(read, link); ;) {
    all.push(...page.rows)
    const { pageState } = page
    if (pageState == null) break
    page = await whileBusy(() => read(pageState), link)
  }
  return all.map((row) => row.values() as (string | { toString(): string } | undefined)[])
}
