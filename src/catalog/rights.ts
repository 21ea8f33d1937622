/** What the login of a connection may do with the catalog in its database, asked of the server and never tried. */
import type { SqlReader } from '../stores/port.ts'
import type { Rights } from './access-level.ts'
import { mysqlRights } from './mysql/rights.ts'
import { postgresqlRights } from './postgresql/rights.ts'

/** Null for a file, whose rights are those of the file system. */
export async function rightsOf(reader: SqlReader): Promise<Rights | null> {
  if (reader.dialect === 'postgresql') return postgresqlRights(reader)
  if (reader.dialect === 'mysql') return mysqlRights(reader)
  return null
}
