/** Tables and views that a statement can name, as one query of a system tells them. */
import type { KnownRelation, SqlRow } from '../../model/run/sql-port.ts'

/** More columns than anybody completes from. */
export const MOST_COLUMNS = 50_000

/** @param rows relation, column and type, all columns of a relation one behind the other */
export function relationsOfRows(rows: readonly SqlRow[]): readonly KnownRelation[] {
  const found = new Map<string, { name: string; type: string }[]>()
  for (const [relation, column, type] of rows) {
    const columns = found.get(String(relation)) ?? []
    columns.push({ name: String(column), type: String(type ?? '') })
    found.set(String(relation), columns)
  }
  return [...found].map(([name, columns]) => ({ name, columns }))
}
