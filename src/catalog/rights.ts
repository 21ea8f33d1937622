/** Rights of a connection's login on the catalog, read from the server, without test writes. */
import type { SqlReader } from '../model/run/sql-port.ts'
import type { CatalogRights } from './access-level.ts'
import { dialectOf } from './dialect.ts'
import { relationNames } from './relation-names.ts'

/** Rights of the login; null for a catalog in a file, whose rights the file system decides. */
export async function catalogRights(reader: SqlReader): Promise<CatalogRights | null> {
  const dialect = dialectOf(reader)
  return (await dialect.rights?.(reader, relationNames(dialect))) ?? null
}
