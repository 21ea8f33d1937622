/** Tables and views that a statement can name, from one query of a system. */
import type { KnownRelation, SqlRow } from '../../model/run/sql-port.ts'

/** More columns than a completion list needs. */
export const MOST_LISTED_COLUMNS = 50_000

/** @param rows relation, column and type; the columns of a relation follow one another */
export function relationsOfRows(rows: readonly SqlRow[]): readonly KnownRelation[] {
  const found = new Map<string, { name: string; type: string }[]>()
  for (const [relation, column, type] of rows) {
    const columns = found.get(String(relation)) ?? []
    columns.push({ name: String(column), type: String(type ?? '') })
    found.set(String(relation), columns)
  }
  return [...found].map(([name, columns]) => ({ name, columns }))
}
