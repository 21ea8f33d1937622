/** What the login of a connection may do with the catalog in its database, asked of the server and never tried. */
import type { SqlReader } from '../model/run/sql-port.ts'
import type { Rights } from './access-level.ts'
import { dialectOf } from './dialect.ts'
import { relationNames } from './relation-names.ts'

/** Null for a file, whose rights are those of the file system. */
export async function rightsOf(reader: SqlReader): Promise<Rights | null> {
  const dialect = dialectOf(reader)
  return (await dialect.rights?.(reader, relationNames(dialect))) ?? null
}
