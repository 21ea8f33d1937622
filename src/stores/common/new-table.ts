/** Limits of a system for new tables. A plan checks them before anything is created. */
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

export type NewTableLimits = {
  /** Name of the system, for messages. */
  readonly title: string
  /** Maximum number of columns of one table; absent if only memory limits it. */
  readonly columns?: number
  /** Why the system refuses a name, in words; null if it accepts the name. */
  readonly nameError: (name: string) => string | null
}

/** @throws SluiceError TABLE_REFUSED for names, or a number of columns, that the system does not accept */
export function refuseUnmakeable(table: TableSpec, { title, columns, nameError }: NewTableLimits): void {
  const refuse = (what: string, reason: string, hint: string): never => {
    throw new SluiceError('TABLE_REFUSED', `${title} does not accept a ${what}`, {
      where: tableText(table.table),
      reason,
      hint,
    })
  }
  const inTable = nameError(table.table.name)
  if (inTable !== null)
    refuse(`table named ${JSON.stringify(table.table.name)}`, inTable, 'give it another name with --to-table')
  for (const { name } of table.columns) {
    const reason = nameError(name)
    if (reason === null) continue
    const hint = 'give it another name with --rename, or exclude it with --columns'
    refuse(`column named ${JSON.stringify(name)}`, reason, hint)
  }
  const { length } = table.columns
  if (columns !== undefined && length > columns)
    refuse(`table of ${length} columns`, `the limit is ${columns}`, 'copy fewer columns with --columns')
}

/** Why SQL cannot contain a name even if it is delimited by quotes; null if it can. */
export function sqlNameError(name: string): string | null {
  if (name === '') return 'a name has at least one character'
  return name.includes('\0') ? 'the name contains the character U+0000' : null
}
