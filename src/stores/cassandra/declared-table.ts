/**
 * Tables with fixed names in Cassandra. Cassandra's tables have no owners, so a user's table of the same name is
 * recognised by its different columns or key.
 */
import { SluiceError } from '../../shared/errors.ts'
import { quotedName } from '../../shared/sql-text.ts'
import type { CassandraLink } from './connect.ts'
import { cqlText, cqlTypeOf, freezesTypes } from './copy/types.ts'

export type DeclaredTable = {
  readonly name: string
  /** Types by column, in CQL. */
  readonly columns: Readonly<Record<string, string>>
  readonly partition: readonly string[]
  readonly clustering: readonly string[]
}

/** The statement that creates the table if it is missing. */
export function createTable(keyspace: string, { name, columns, partition, clustering }: DeclaredTable): string {
  const declared = Object.entries(columns).map(([column, type]) => `${column} ${type}`)
  const key = keyText(partition, clustering)
  return `CREATE TABLE IF NOT EXISTS ${quotedName(keyspace)}.${quotedName(name)} (${declared.join(', ')}, PRIMARY KEY (${key}))`
}

/**
 * Checks each of the tables that exists; further columns outside the key are allowed.
 * @throws SluiceError TABLE_REFUSED if one lacks a column, or has another type or key; errors of the driver
 */
export async function refuseOtherColumns(
  link: CassandraLink,
  keyspace: string,
  tables: readonly DeclaredTable[],
): Promise<void> {
  for (const table of tables) {
    const why = await misfit(link, keyspace, table)
    if (why === null) continue
    throw new SluiceError('TABLE_REFUSED', `the keyspace has another table under the reserved name ${table.name}`, {
      where: `${quotedName(keyspace)}.${table.name}`,
      reason: why,
      hint: 'use another keyspace, or drop that table if nothing needs it; nothing was created or changed',
    })
  }
}

/** @returns what differs, as text; null if nothing differs, or there is no such table */
async function misfit(link: CassandraLink, keyspace: string, declared: DeclaredTable): Promise<string | null> {
  const found = await link.client.metadata.getTable(keyspace, declared.name)
  // The driver gives null, although its types exclude it.
  if ((found as unknown) == null) return null
  const isOld = freezesTypes(link.release)
  const types = new Map(found.columns.map(({ name, type }) => [name, cqlText(cqlTypeOf(type, isOld))]))
  for (const [column, type] of Object.entries(declared.columns)) {
    const has = types.get(column)
    if (has === undefined) return `that table has no column ${column}`
    if (has !== type) return `its column ${column} has the type ${has}, not ${type}`
  }
  const key = keyText(
    found.partitionKeys.map(({ name }) => name),
    found.clusteringKeys.map(({ name }) => name),
  )
  const wanted = keyText(declared.partition, declared.clustering)
  return key === wanted ? null : `its primary key is (${key}), not (${wanted})`
}

function keyText(partition: readonly string[], clustering: readonly string[]): string {
  return [`(${partition.join(', ')})`, ...clustering].join(', ')
}
