/** Columns of a table as a query sees them: those of its archive, and what the source has besides. */
import { ruleFor } from '../../../archive/types/rule.ts'
import type { QueryColumn } from '../../../model/archiving/query-port.ts'
import type { StoredColumn, StoredTable } from '../../../model/archiving/stored-column.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'

/**
 * In the order of the source; columns that it has lost since the table was archived stand at the end.
 * @param stored null for a table that was never archived
 */
export function queryColumns({ columns }: TableSpec, stored: StoredTable | null): readonly QueryColumn[] {
  if (stored === null) return columns.map((column) => ({ ...ofColumn(column), archived: false, hot: true }))
  const archived = new Map(stored.columns.map((column) => [column.name, column]))
  const here = new Set(columns.map(({ name }) => name))
  const present = columns.flatMap((column): QueryColumn[] => {
    const known = archived.get(column.name)
    if (known !== undefined) return [{ ...known, archived: true, hot: true }]
    // What the source computes has values for archived rows too, and nobody here knows them.
    return column.generated === true ? [] : [{ ...ofColumn(column), archived: false, hot: true }]
  })
  const lost = stored.columns.filter(({ name }) => !here.has(name))
  return [...present, ...lost.map((column) => ({ ...column, archived: true, hot: false }))]
}

function ofColumn(column: Column): StoredColumn {
  return { name: column.name, physical: column.name, column, ...storedAs(column) }
}

/** As an archive would hold it; what has no rule is the text that the source prints. */
function storedAs(column: Column): Pick<StoredColumn, 'as' | 'stored'> {
  return ruleFor(column, false) ?? { as: { kind: 'native', name: column.native }, stored: 'string' }
}
