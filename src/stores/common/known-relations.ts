/** Tables and views that a statement can name, from one query of a system. */
import type { KnownRelation, SqlRow } from '../../model/run/sql-port.ts'
import { groupBy } from '../../shared/group-by.ts'

/** Maximum number of listed columns: more than a completion list needs. */
export const MOST_LISTED_COLUMNS = 50_000

/** @param rows relation, column and type; the columns of a relation follow one another */
export function relationsOfRows(rows: readonly SqlRow[]): readonly KnownRelation[] {
  return [...groupBy(rows, ([relation]) => String(relation))].map(([name, some]) => ({
    name,
    columns: some.map(([, column, type]) => ({ name: String(column), type: String(type ?? '') })),
  }))
}
