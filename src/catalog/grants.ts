/** Statements for the least rights that a login needs, in the catalog's database. */
import type { SqlReader } from '../model/run/sql-port.ts'
import { SluiceError } from '../shared/errors.ts'
import type { GrantPlan, GrantOptions } from './grant-plan.ts'
import { dialectOf } from './dialect.ts'
import { relationNames } from './relation-names.ts'

/** @throws SluiceError BAD_FLAG for an unknown role, NOT_A_CATALOG without a catalog, UNSUPPORTED_URL for a file */
export async function grantPlan(reader: SqlReader, options: GrantOptions): Promise<GrantPlan> {
  const dialect = dialectOf(reader)
  if (dialect.grants === undefined)
    throw new SluiceError('UNSUPPORTED_URL', `a catalog in ${reader.dialect} has no roles`)
  return await dialect.grants(reader, options, relationNames(dialect))
}

/** Error: a file has no logins, only permissions. @param title of its system @param beside what else needs them */
export function fileHasNoRoles(title: string, { beside }: { readonly beside?: string }): SluiceError {
  return new SluiceError('UNSUPPORTED_URL', `a ${title} file has no roles to grant rights to`, {
    reason: 'users that may read or write the file may read or write the catalog',
    hint:
      'set the permissions of the file: chown OWNER:GROUP FILE, then chmod 640 FILE for a group that reads or 660 for one that imports' +
      (beside === undefined ? '' : `; who reads or imports needs ${beside}`),
  })
}
