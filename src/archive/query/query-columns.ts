/** Columns of a table in a query: columns of the source and of its archive. */
import { canShowAs } from '../types/index.ts'
import { ruleFor } from '../types/rule.ts'
import type { QueryColumn } from '../../model/archive/query-port.ts'
import type { StoredColumn, StoredTable } from '../../model/archive/stored-column.ts'
import type { Column, TableSpec } from '../../model/copy/column-type.ts'

/**
 * Columns in the order of the source. At the end: columns with an earlier type whose values do not fit the present
 * type, and columns that were dropped since the last publication.
 * @param stored the archive with the table's present columns; null for a table that was never archived
 * @param noted columns of the archive in the ledger
 * @param has physical names that the files of the archive have; null: all
 */
export function queryColumns(
  { columns }: TableSpec,
  stored: StoredTable | null,
  noted: readonly StoredColumn[] = [],
  has: ReadonlySet<string> | null = null,
): readonly QueryColumn[] {
  if (stored === null) return columns.map((column) => ({ ...ofColumn(column), archived: false, hot: true }))
  const archived = new Map(stored.columns.map((column) => [column.name, column]))
  const isFiled = ({ physical }: StoredColumn): boolean => has === null || has.has(physical)
  const kept = stored.kept ?? []
  const earlierOf = (column: StoredColumn): readonly string[] =>
    (column.was ?? []).filter((name) =>
      kept.some((one) => one.physical === name && isFiled(one) && canShowAs(one, column)),
    )
  const present = columns.map((column): QueryColumn => {
    const known = archived.get(column.name)
    const before = known === undefined ? [] : earlierOf(known)
    if (known !== undefined && (isFiled(known) || before.length > 0)) {
      return { ...known, archived: true, hot: true, ...(before.length === 0 ? {} : { earlier: before }) }
    }
    return { ...(known ?? ofColumn(column)), archived: false, hot: true }
  })
  const shownAgain = new Set(present.flatMap((column) => column.earlier ?? []))
  const earlier = kept.filter((one) => isFiled(one) && !shownAgain.has(one.physical))
  const shown = [...stored.columns.filter(({ name }) => columns.some((one) => one.name === name)), ...earlier]
  const lost = [...stored.columns, ...noted].filter(
    (one, i, all) =>
      isFiled(one) &&
      !shownAgain.has(one.physical) &&
      !shown.some(({ physical, name }) => physical === one.physical || name === one.name) &&
      all.findIndex(({ physical }) => physical === one.physical) === i,
  )
  return [...present, ...[...earlier, ...lost].map((column) => ({ ...column, archived: true, hot: false }))]
}

function ofColumn(column: Column): StoredColumn {
  return { name: column.name, physical: column.name, column, ...storedAs(column) }
}

/** The type that an archive would use; without a rule, the text that the source prints. */
function storedAs(column: Column): Pick<StoredColumn, 'as' | 'stored'> {
  return ruleFor(column, false) ?? { as: { kind: 'native', name: column.native }, stored: 'string' }
}
