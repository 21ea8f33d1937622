/** Maps the columns of a table to columns of an archive: types and names. */
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import type { StoredTable } from '../../model/archive/stored-column.ts'
import { SluiceError } from '../../shared/errors.ts'
import { ruled } from './ruled.ts'
import { recomputed } from './evolve.ts'
import { partitionColumnName, physicalNames } from './names.ts'

export { otherMeaning, renamedMember } from './declared.ts'
export { doubtful } from './doubt.ts'
export { isContained as isCarried, canShowAs, isWidening } from './same-type.ts'
export { travelsAs } from './rule.ts'
export {
  evolved,
  isAsText,
  hasOtherExpression as isComputedOtherwise,
  retypedText,
  unsureOf,
  withNumbers,
  type ColumnChange,
  type EvolveOptions,
  type Unsure,
} from './evolve.ts'
export { type TakenName } from './taken-names.ts'

export type StoringOptions = {
  /** Columns that are stored as the text that their source prints. */
  readonly asText: readonly string[]
  /** True if the source does not enforce column types (`StoreAbilities.looseTypes`). */
  readonly isLoose?: boolean
  /** Comments of columns, by name. */
  readonly comments: Readonly<Record<string, string>>
  /** Columns by which the rows of a file are sorted. */
  readonly sortBy: readonly string[]
}

/**
 * The archive's columns for a table. Generated columns are stored as values like all others; a restore does not write
 * columns with `column.generated`.
 * @throws SluiceError UNSUPPORTED_TYPE for a column whose type has no rule, and a table without columns; BAD_FLAG if an
 * option names an unknown column
 */
export function storedTable(table: TableSpec, options: StoringOptions): StoredTable {
  const where = tableText(table.table)
  const { columns } = table
  if (columns.length === 0) {
    throw new SluiceError('UNSUPPORTED_TYPE', `${where} has no columns, so nothing can be archived`, {
      where,
    })
  }
  const asText = known(table, options.asText, '--as-text')
  const sortBy = known(table, options.sortBy, 'the order of its rows')
  const names = columns.map(({ name }) => name)
  const { physical, mapped } = physicalNames(names)
  return {
    columns: columns.map(({ expression, typeSql, ...column }, i) => {
      const comment = Object.hasOwn(options.comments, column.name) ? options.comments[column.name] : undefined
      const stored = {
        name: column.name,
        physical: physical[i] ?? column.name,
        column,
        ...ruled(column, asText.has(column.name), where, options.isLoose),
        ...(comment === undefined || comment === '' ? {} : { comment }),
      }
      return recomputed(stored, expression)
    }),
    partitionColumn: partitionColumnName(names),
    mapped,
    sortBy: [...sortBy],
  }
}

function known({ table, columns }: TableSpec, names: readonly string[], what: string): ReadonlySet<string> {
  const missing = names.find((name) => columns.every((column) => column.name !== name))
  if (missing === undefined) return new Set(names)
  throw new SluiceError('BAD_FLAG', `${tableText(table)} has no column ${missing}, which ${what} names`, {
    where: tableText(table),
    hint: `its columns are ${columns.map(({ name }) => name).join(', ')}`,
  })
}
