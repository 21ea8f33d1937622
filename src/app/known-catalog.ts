/** Names in a catalog, for completion. Read-only. */
import { readableTable } from '../catalog/catalog.ts'
import { schemaAt } from '../catalog/query/state.ts'
import { withCatalog } from '../engine/lake/catalog-session.ts'
import type { KnownName } from './known-names.ts'
import { knownTables } from '../engine/lake/import/known-tables.ts'
import { resolveTable, tableKey } from '../engine/lake/resolve.ts'

/** `catalog table`: ends of table paths, and table ids. `catalog column`: columns of one table. */
export type CatalogNamedKind = 'catalog table' | 'catalog column'

/**
 * @param url URL of a catalog @param table the table whose columns are listed, as typed in a command
 * @throws SluiceError CONNECT_FAILED, NOT_A_CATALOG, NO_SUCH_TABLE
 */
export async function knownInCatalog(
  url: string,
  kind: CatalogNamedKind,
  table: string | undefined,
): Promise<readonly KnownName[]> {
  return await withCatalog(url, async (database) => {
    if (kind === 'catalog column') {
      if (table === undefined) return []
      const { tableId, version } = await readableTable(database, await tableKey(await resolveTable(table, database)))
      const { schema } = await schemaAt(database, tableId, version)
      return schema.fields.map(({ name }) => ({ name, meaning: '' }))
    }
    const tables = await knownTables(database)
    const ends = pathEnds(tables.map(({ location }) => location))
    return [
      ...tables.map(({ tableId }, at) => ({ name: ends[at] ?? tableId, meaning: tableId })),
      ...tables.map(({ tableId, location }) => ({ name: tableId, meaning: location })),
    ]
  })
}

/** Paths without their common folders; a single path is shortened to its last two parts. */
export function pathEnds(locations: readonly string[]): readonly string[] {
  const paths = locations.map((location) => location.replace(/\/+$/, '').split('/'))
  const [first = []] = paths
  if (paths.length === 1) return [first.slice(-2).join('/')]
  const shortest = Math.min(...paths.map((path) => path.length))
  let shared = 0
  while (shared < shortest - 1 && paths.every((path) => path[shared] === first[shared])) shared += 1
  return paths.map((path) => path.slice(shared).join('/'))
}
