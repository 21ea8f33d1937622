/** Refuses tables with columns that the login has no right to read: they would be deleted without being archived. */
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

/** @throws SluiceError SOURCE_DENIED */
export function refuseHiddenColumns({ table, columns, hidesColumns }: TableSpec): void {
  if (hidesColumns !== true) return
  throw new SluiceError('SOURCE_DENIED', `${tableText(table)} has columns that the login may not read`, {
    where: tableText(table),
    reason: `the login can read only ${columns.map(({ name }) => name).join(', ')}, and values of the other columns would not be archived`,
    hint: `as an administrator, run GRANT SELECT ON ${tableText(table)} TO USER, with the user of this login`,
    kind: 'source',
  })
}
