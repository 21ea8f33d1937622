/** Lines of the tables list: rows, section titles and notes. */
import type { Database, State } from '../../state/state.ts'
import { isTree } from './stores.ts'
import { visibleRows, type ListRow } from './tables-list.ts'

export type DrawnLine =
  | { readonly kind: 'row'; readonly index: number; readonly row: ListRow }
  | { readonly kind: 'blank' }
  | { readonly kind: 'sources' }
  | { readonly kind: 'database'; readonly database: Database }
  /** Line that replaces the tables of a database, if there are no tables to show. */
  | { readonly kind: 'note'; readonly database: Database }

let memo: {
  readonly rows: readonly ListRow[]
  readonly databases: State['databases']
  readonly lines: readonly DrawnLine[]
} | null = null

/** True if only one database is listed: the heading then has the titles of its columns. */
export function isOneDatabase(state: State): boolean {
  const [first, ...more] = state.databases
  if (isTree(state)) return false
  return (
    state.lake === null && first !== undefined && more.length === 0 && (state.slots.tables.value ?? []).length === 0
  )
}

/** Lines below the heading. */
export function drawnLines(state: State): readonly DrawnLine[] {
  const rows = visibleRows(state)
  const { databases } = state
  if (memo !== null && memo.rows === rows && memo.databases === databases) return memo.lines
  if (isTree(state)) {
    const lines = treeLines(rows, databases)
    memo = { rows, databases, lines }
    return lines
  }
  const all = rows.map((row, index) => ({ kind: 'row', index, row }) as const)
  const delta = all.filter(({ row }) => row.kind === 'delta')
  const sources = all.filter(({ row }) => row.kind === 'database')
  const lines: DrawnLine[] = [...delta]
  const section = (title: DrawnLine, body: readonly DrawnLine[]): void => {
    if (lines.length > 0) lines.push({ kind: 'blank' })
    lines.push(title, ...body)
  }
  if (sources.length > 0) section({ kind: 'sources' }, sources)
  for (const database of databases) {
    const own = all.filter(({ row }) => row.kind === 'relation' && row.url === database.url)
    const body: readonly DrawnLine[] = own.length > 0 ? own : [{ kind: 'note', database }]
    if (isOneDatabase(state)) lines.push(...body)
    else section({ kind: 'database', database }, body)
  }
  memo = { rows, databases, lines }
  return lines
}

/**
 * Lines of a tree. A store shows its state in its own line. A database that was opened next to a lake has a heading.
 */
function treeLines(rows: readonly ListRow[], databases: State['databases']): readonly DrawnLine[] {
  const stores = new Set(rows.flatMap((row) => (row.kind === 'store' ? [row.key] : [])))
  const roots = new Map(
    databases.flatMap((one) => (one.parent === null || !stores.has(one.parent) ? [[one.url, one] as const] : [])),
  )
  let heading: string | null = null
  return rows.flatMap((row, index): readonly DrawnLine[] => {
    const line = { kind: 'row', index, row } as const
    const url = row.kind === 'relation' ? row.url : null
    const database = url === null || url === heading ? undefined : roots.get(url)
    heading = url
    return database === undefined ? [line] : [{ kind: 'database', database }, line]
  })
}
