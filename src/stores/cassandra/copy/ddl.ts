/** Creates tables and their types, and waits until all nodes agree about the schema. */
import { tableText, type Column, type TableSpec, type UserType } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { Turn } from '../../../model/run/turn.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraError } from '../errors.ts'
import { cassandraTableName } from './names.ts'
import { settingTexts } from './table-settings.ts'
import { cqlTypeOf, freezesTypes } from './types.ts'
import { createType, userTypesOf } from './user-types.ts'

const AGREEMENT_TRIES = 3

/**
 * Creates a table with its types and options.
 * @returns options that the server refuses, each with its reason; the table is made without them
 * @throws SluiceError UNSUPPORTED_KEY, TABLE_REFUSED, TARGET_DENIED …
 */
export async function makeTable(
  link: CassandraLink,
  table: TableSpec,
  signal: AbortSignal,
): Promise<readonly string[]> {
  refuseUncreatable(table)
  const keyspace = table.table.schema ?? link.settings.keyspace ?? ''
  const place = { ...table, table: { schema: keyspace, name: table.table.name } }
  for (const type of table.types ?? []) await makeType(link, keyspace, type, signal)
  const settings = settingTexts(table.settings ?? {}, link.release)
  try {
    await changeSchema(link, createCassandraTable(place, settings), signal)
    return []
  } catch (error) {
    if (settings.length === 0 || !isRefused(error)) throw error
  }
  // The server refused an option: create the table without options, then set each one separately.
  await changeSchema(link, createCassandraTable(place), signal)
  const refused: string[] = []
  for (const setting of settings) {
    try {
      await changeSchema(link, `ALTER TABLE ${cassandraTableName(place.table)} WITH ${setting}`, signal)
    } catch (error) {
      if (!isRefused(error)) throw error
      const { reason, message } = error as SluiceError
      refused.push(`${setting}: ${reason ?? message}`)
    }
  }
  return refused
}

/** True if the server has parsed the statement and refuses it permanently. */
function isRefused(error: unknown): boolean {
  return error instanceof SluiceError && error.kind === 'target' && !error.retryable && error.code === 'TABLE_REFUSED'
}

/** Removes every row; the table stays. */
export async function truncate(link: CassandraLink, table: TableSpec, signal: AbortSignal): Promise<void> {
  await changeSchema(link, `TRUNCATE ${cassandraTableName(table.table)}`, signal)
}

/** @throws SluiceError UNSUPPORTED_KEY, TABLE_REFUSED */
export function refuseUncreatable(table: TableSpec): void {
  refuseNames(table)
  createCassandraTable(table)
}

/** CREATE TABLE with its key. @param settings `name = value` each @throws SluiceError UNSUPPORTED_KEY, TABLE_REFUSED */
export function createCassandraTable(table: TableSpec, settings: readonly string[] = []): string {
  const { columns, key, ring } = table
  if (key.length === 0) {
    throw new SluiceError(
      'UNSUPPORTED_KEY',
      `${tableText(table.table)} has no key, which every table of Cassandra needs`,
      {
        hint: 'name unique columns with --key; the first of them is the partition key',
      },
    )
  }
  // Without information about partitions the first key column is the partition key.
  const partition = key.slice(0, ring?.columns ?? 1)
  const clustering = key.slice(partition.length)
  const lines = columns.map((column) => declared(column, clustering.length > 0))
  const primary = [`(${partition.map(quotedName).join(', ')})`, ...clustering.map(quotedName)].join(', ')
  const descending = new Set(ring?.descending)
  const order = clustering.map((name) => `${quotedName(name)} ${descending.has(name) ? 'DESC' : 'ASC'}`).join(', ')
  const all = [...(descending.size === 0 ? [] : [`CLUSTERING ORDER BY (${order})`]), ...settings]
  const options = all.length === 0 ? '' : ` WITH ${all.join(' AND ')}`
  return `CREATE TABLE IF NOT EXISTS ${cassandraTableName(table.table)} (${lines.join(', ')}, PRIMARY KEY (${primary}))${options}`
}

function declared({ name, native, static: shared }: Column, clustered: boolean): string {
  return `${quotedName(name)} ${native}${shared === true && clustered ? ' static' : ''}`
}

/** Refuses table names other than ASCII letters, digits and _: they are folder names. Refuses empty column names. */
function refuseNames({ table, columns }: TableSpec): void {
  const { name } = table
  if (!/^\w{1,48}$/.test(name)) {
    throw new SluiceError('TABLE_REFUSED', `Cassandra does not accept a table named ${JSON.stringify(name)}`, {
      where: tableText(table),
      reason: 'a table name may have at most 48 characters: ASCII letters, digits and _',
      hint: 'give it another name with --to-table',
    })
  }
  if (!columns.some((column) => column.name === '')) return
  throw new SluiceError('TABLE_REFUSED', 'a column without a name cannot be created', {
    where: tableText(table),
    hint: 'rename the column in the source, or exclude it with --columns',
  })
}

/** Creates a user-defined type. @throws SluiceError TABLE_REFUSED if another type has its name */
async function makeType(link: CassandraLink, keyspace: string, type: UserType, signal: AbortSignal): Promise<void> {
  const sql = createType(keyspace, type)
  const there = await typeThere(link, keyspace, type.name)
  if (there === null) {
    await changeSchema(link, sql, signal)
    return
  }
  if (JSON.stringify(there) === JSON.stringify(type)) return
  throw new SluiceError('TABLE_REFUSED', `the type ${keyspace}.${type.name} differs from that of the source`, {
    reason: `in the source it has ${there.fields.map(({ name, native }) => `${name} ${native}`).join(', ')}`,
    hint: `copy into another keyspace, or recreate it: ${sql}`,
  })
}

async function typeThere({ client, release }: CassandraLink, keyspace: string, name: string): Promise<UserType | null> {
  const found = (await client.metadata.getUdt(keyspace, name)) as { readonly fields: readonly object[] } | null
  if (found === null) return null
  const info = { code: USER_TYPE, info: { name, fields: found.fields } }
  return userTypesOf([cqlTypeOf(info, freezesTypes(release))]).find((one) => one.name === name) ?? null
}

const USER_TYPE = 0x30

const turns = new WeakMap<CassandraLink, Turn>()

/**
 * Changes the schema; returns when all nodes that are up have the change. One change at a time: releases before 3.0
 * write a table's whole definition with each change, so the later of two concurrent changes would undo the earlier.
 */
export async function changeSchema(link: CassandraLink, sql: string, signal: AbortSignal): Promise<void> {
  const turn = turns.get(link) ?? new Turn()
  turns.set(link, turn)
  await turn.take(() => changeInTurn(link, sql, signal))
}

async function changeInTurn(link: CassandraLink, sql: string, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(signal)
    try {
      // The driver answers once the nodes agree, or after its own timeout.
      const { info } = await link.client.execute(sql, [], { isIdempotent: true })
      const { isSchemaInAgreement } = info as { readonly isSchemaInAgreement?: boolean }
      if (isSchemaInAgreement === true || (await agreed(link))) return
    } catch (thrown) {
      const error = cassandraError(thrown, link.settings, 'schema')
      if (!error.retryable || attempt >= AGREEMENT_TRIES) throw error
      continue
    }
    if (attempt >= AGREEMENT_TRIES) throw noAgreement(link)
  }
}

async function agreed({ client }: CassandraLink): Promise<boolean> {
  // The driver has this method; its types do not declare it.
  const metadata = client.metadata as typeof client.metadata & { checkSchemaAgreement(): Promise<boolean> }
  return await metadata.checkSchemaAgreement()
}

function noAgreement({ settings }: CassandraLink): SluiceError {
  return new SluiceError('TARGET_BUSY', 'the nodes do not agree about the schema', {
    where: settings.label,
    reason: 'a table was created, and some nodes do not have it yet: they could refuse rows',
    hint: 'find the node with another schema version (nodetool describecluster), then run the same command again',
    retryable: true,
  })
}
