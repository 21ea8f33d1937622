import type { SqlTransaction } from '../model/run/sql-port.ts'

/** Catalog tables with the state of a version. For each key, the newest row at or below the version is valid. */
export type StateRelation = {
  readonly name: 'delta_metadata' | 'delta_protocols' | 'delta_txns' | 'delta_domains'
  /** Key column: a newer row replaces older rows with the same value. Null: a newer row replaces all older rows. */
  readonly key: string | null
}

export const STATE_RELATIONS: readonly StateRelation[] = [
  { name: 'delta_metadata', key: null },
  { name: 'delta_protocols', key: null },
  { name: 'delta_txns', key: 'app_id' },
  { name: 'delta_domains', key: 'domain' },
]

/**
 * Deletes commits and state of some versions. Queries for the valid state read the rows of all versions: an old row
 * left here could make a transaction or domain valid again that a new base lacks.
 */
export async function dropVersions(
  transaction: SqlTransaction,
  tableId: string,
  which: 'version > ?' | 'version < ?',
  version: number,
): Promise<void> {
  for (const relation of ['delta_commits', ...STATE_RELATIONS.map(({ name }) => name)]) {
    await transaction.run(`DELETE FROM ${relation} WHERE table_id = ? AND ${which}`, [tableId, version])
  }
}
