/** Which tables of which database `c` is about. */
import type { State } from './state.ts'
import { cursorRow, targetRows } from './tables-list.ts'

/** The marked tables of the database under the cursor, or the one under it; `from` is null where the cursor is on none. */
export function copied(state: State): { readonly from: string | null; readonly tables: readonly string[] } {
  const row = cursorRow(state)
  if (row?.kind !== 'relation') return { from: null, tables: [] }
  const marked = targetRows(state).flatMap((one) => (one.kind === 'relation' && one.url === row.url ? [one.name] : []))
  return { from: row.url, tables: marked.length === 0 ? [row.name] : marked }
}
