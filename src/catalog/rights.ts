/** Rights of a connection's login on the catalog, asked of the server, never tested by trying. */
import type { SqlReader } from '../model/run/sql-port.ts'
import type { CatalogRights } from './access-level.ts'
import { dialectOf } from './dialect.ts'
import { relationNames } from './relation-names.ts'

/** Null for a file: its rights are those of the file system. */
export async function catalogRights(reader: SqlReader): Promise<CatalogRights | null> {
  const dialect = dialectOf(reader)
  return (await dialect.rights?.(reader, relationNames(dialect))) ?? null
}
