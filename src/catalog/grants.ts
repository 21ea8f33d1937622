/** The least rights that a login needs for its part of the work, as statements of the catalog's database. */
import type { SqlReader } from '../stores/port.ts'
import { SluiceError } from '../shared/errors.ts'
import type { GrantPlan, GrantWish } from './grant-plan.ts'
import { mysqlGrants } from './mysql/grants.ts'
import { postgresqlGrants } from './postgresql/grants.ts'

/**
 * @throws SluiceError BAD_FLAG for a role that does not exist, NOT_A_CATALOG where there is nothing yet to read or write,
 *   UNSUPPORTED_URL for a file
 */
export async function grantPlan(reader: SqlReader, wish: GrantWish): Promise<GrantPlan> {
  if (reader.dialect === 'postgresql') return postgresqlGrants(reader, wish)
  if (reader.dialect === 'mysql') return mysqlGrants(reader, wish)
  throw fileHasNoRoles(reader.dialect)
}

/** A file has no logins: who may use it is said by its permissions. */
export function fileHasNoRoles(kind: 'sqlite' | 'duckdb'): SluiceError {
  const name = kind === 'sqlite' ? 'SQLite' : 'DuckDB'
  return new SluiceError('UNSUPPORTED_URL', `a ${name} file has no roles to grant rights to`, {
    reason: 'whoever may read or write the file may read or write the catalog',
    hint:
      'set the permissions of the file: chown OWNER:GROUP FILE, then chmod 640 FILE for a group that reads or 660 for one that imports' +
      (kind === 'sqlite' ? '; who reads or imports needs the same on its folder, for the -wal and -shm files' : ''),
  })
}
