/** What refuses a copy as a whole before anything is made. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { refuseUnknownTables } from '../../look/look-earlier.ts'
import type { PlannedCopy } from '../../plan/plan-copy.ts'
import type { CopyOperation } from './declaration.ts'

/** @throws SluiceError BAD_FLAG for tables that --accept-difference names and that are not copied */
export function refuseUnknownNames({ acceptDifference = [] }: CopyOperation, tables: PlannedCopy['tables']): void {
  refuseUnknownTables(
    acceptDifference,
    tables.map(({ source, targetName }) => [
      tableText(source.table),
      source.table.name,
      targetName.name,
      tableText(targetName),
    ]),
  )
}
