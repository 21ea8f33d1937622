/** Secondary indexes of a table, from the cluster's own tables. Releases before 3.0 keep them with the columns. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { IndexObject, SchemaObject } from '../../../model/copy/schema-object.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { whileBusy } from '../busy.ts'
import type { CassandraLink } from '../connect.ts'
import { plainMap, textLiteral } from './names.ts'
import { isBefore } from './types.ts'

/** Method of an index without a class. */
export const PLAIN = 'secondary'
export const SASI = 'org.apache.cassandra.index.sasi.SASIIndex'
export const SAI = 'StorageAttachedIndex'

/** Names of the part of a collection that is indexed; default `values`. */
const FUNCTIONS: ReadonlySet<string> = new Set(['keys', 'values', 'entries', 'full'])

type Found = { readonly name: string; readonly target: string; readonly options: Readonly<Record<string, string>> }

/** @throws errors of the driver */
export async function indexesOf(link: CassandraLink, { table, columns }: TableSpec): Promise<readonly SchemaObject[]> {
  const names = [table.schema ?? link.settings.keyspace ?? '', table.name]
  const found = isBefore(link.release, 3, 0) ? await oldIndexes(link, names) : await newIndexes(link, names)
  const known = new Set(columns.map(({ name }) => name))
  return found.map((index) => indexObject(index, known)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function newIndexes(link: CassandraLink, names: readonly string[]): Promise<readonly Found[]> {
  const cql = 'SELECT index_name, options FROM system_schema.indexes WHERE keyspace_name = ? AND table_name = ?'
  const rows = await ask(link, cql, names)
  return rows.map((row) => {
    const { target = '', ...options } = plainMap(row['options'])
    return { name: String(row['index_name']), target, options }
  })
}

async function oldIndexes(link: CassandraLink, names: readonly string[]): Promise<readonly Found[]> {
  const cql =
    'SELECT column_name, index_name, index_options FROM system.schema_columns WHERE keyspace_name = ? AND columnfamily_name = ?'
  const rows = await ask(link, cql, names)
  return rows.flatMap((row) => {
    const [name, text] = [row['index_name'], row['index_options']]
    if (typeof name !== 'string') return []
    const all = JSON.parse(typeof text === 'string' ? text : '{}') as Readonly<Record<string, string>> | null
    const { index_keys: keys, index_values: _values, index_keys_and_values: entries, ...options } = all ?? {}
    const column = quotedName(String(row['column_name']))
    const target = keys !== undefined ? `keys(${column})` : entries !== undefined ? `entries(${column})` : column
    return [{ name, target, options }]
  })
}

/** @param known columns of the table: releases differ in whether they quote a column's name */
function indexObject({ name, target, options }: Found, known: ReadonlySet<string>): IndexObject {
  const [, word = '', inner = ''] = /^(\w+)\((.*)\)$/s.exec(target) ?? []
  const isFunction = FUNCTIONS.has(word) && !known.has(target)
  const column = columnOf(isFunction ? inner : target, known)
  const { class_name: method, ...rest } = options
  // `values` is the default for an index of a collection.
  const special = isFunction && word !== 'values' ? { special: word } : {}
  return {
    kind: 'index',
    name,
    own: optionsText(rest),
    columns: [column],
    unique: false,
    method: methodOf(method),
    parts: [{ column, ...special }],
    include: [],
  }
}

/** The class of an index. Servers list it as it was written: `sai` is short for storage-attached indexes. */
function methodOf(written: string | undefined): string {
  if (written === undefined) return PLAIN
  return /^sai$/i.test(written) ? SAI : written.replace(/^org\.apache\.cassandra\.index\.sai\./, '')
}

function columnOf(text: string, known: ReadonlySet<string>): string {
  if (known.has(text)) return text
  return /^"(.*)"$/s.exec(text)?.[1]?.replaceAll('""', '"') ?? text
}

function optionsText(options: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(options).map(([name, value]) => `${textLiteral(name)}: ${textLiteral(value)}`)
  return pairs.length === 0 ? '' : ` WITH OPTIONS = {${pairs.join(', ')}}`
}

async function ask(
  link: CassandraLink,
  cql: string,
  parameters: readonly string[],
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { rows } = await whileBusy(
    () => link.client.execute(cql, [...parameters], { prepare: true, consistency: 1 }),
    link,
  )
  return rows.map((row) => Object.fromEntries(row.keys().map((key) => [key, row.get(key) as unknown])))
}
