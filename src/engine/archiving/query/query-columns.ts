/** Columns of a table as a query sees them: those of its archive, and what the source has besides. */
import { ruleFor } from '../../../archive/types/rule.ts'
import type { QueryColumn } from '../../../model/archiving/query-port.ts'
import type { StoredColumn, StoredTable } from '../../../model/archiving/stored-column.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'

/**
 * In the order of the source. Earlier types of its columns, and columns that it has lost since the last publication, stand at the end.
 * @param stored the archive as the table is now; null for a table that was never archived
 * @param noted columns of the archive as the ledger has them
 * @param has physical names that files of the archive have; null for all
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
  const present = columns.flatMap((column): QueryColumn[] => {
    const known = archived.get(column.name)
    if (known !== undefined && isFiled(known)) return [{ ...known, archived: true, hot: true }]
    // What the source computes has values for archived rows too, and nobody here knows them.
    return column.generated === true ? [] : [{ ...(known ?? ofColumn(column)), archived: false, hot: true }]
  })
  const earlier = (stored.kept ?? []).filter(isFiled)
  const shown = [...stored.columns.filter(({ name }) => columns.some((one) => one.name === name)), ...earlier]
  const lost = [...stored.columns, ...noted].filter(
    (one, i, all) =>
      isFiled(one) &&
      !shown.some(({ physical, name }) => physical === one.physical || name === one.name) &&
      all.findIndex(({ physical }) => physical === one.physical) === i,
  )
  return [...present, ...[...earlier, ...lost].map((column) => ({ ...column, archived: true, hot: false }))]
}

function ofColumn(column: Column): StoredColumn {
  return { name: column.name, physical: column.name, column, ...storedAs(column) }
}

/** As an archive would hold it; what has no rule is the text that the source prints. */
function storedAs(column: Column): Pick<StoredColumn, 'as' | 'stored'> {
  return ruleFor(column, false) ?? { as: { kind: 'native', name: column.native }, stored: 'string' }
}
