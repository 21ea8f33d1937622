/** The rows of the Tables screen as they stand: filtered, sorted, with other sources last. */
import type { TableRow } from '../../engine/workbench.ts'
import type { State, TableSort } from './state.ts'

const CATALOG_ORDER = { failed: 0, unfinished: 1, behind: 2, running: 3, none: 4, current: 5 } as const
const PROOF_ORDER = { differs: 0, never: 1, proved: 2 } as const

const compareNames = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function compareBy(sort: TableSort, a: TableRow, b: TableRow): number {
  switch (sort) {
    case 'name':
      return compareNames(a.name, b.name)
    case 'version':
    case 'files':
    case 'bytes':
    case 'changed':
      return (a[sort] ?? -1) - (b[sort] ?? -1)
    case 'catalog':
      return CATALOG_ORDER[a.catalog.state] - CATALOG_ORDER[b.catalog.state]
    case 'proof':
      return PROOF_ORDER[a.proof.state] - PROOF_ORDER[b.proof.state]
  }
}

/** Whether a filter keeps a name: every word must be in it, `!word` must not. */
export function matches(filter: string, text: string): boolean {
  const low = text.toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '' && word !== '!')
    .every((word) => (word.startsWith('!') ? !low.includes(word.slice(1)) : low.includes(word)))
}

/** Words of a row that the filter looks at: its name and its states. */
function haystack(row: TableRow): string {
  const catalog = row.catalog.state === 'none' ? 'not yet' : row.catalog.state
  return `${row.name} ${row.error?.code ?? ''} ${catalog} ${row.proof.state}`
}

type Input = {
  readonly rows: readonly TableRow[] | null
  readonly filter: string
  readonly sort: TableSort
  readonly descending: boolean
}
let memo: { readonly input: Input; readonly rows: readonly TableRow[] } | null = null

/** Rows in the order of the screen. The last answer is kept, because one key press asks many times. */
export function visibleRows(state: State): readonly TableRow[] {
  const { filter, sort, descending } = state.tables
  const input: Input = { rows: state.slots.tables.value, filter, sort, descending }
  const known = memo?.input
  if (
    memo !== null &&
    known?.rows === input.rows &&
    known.filter === filter &&
    known.sort === sort &&
    known.descending === descending
  )
    return memo.rows
  const sign = descending ? -1 : 1
  const rows = (input.rows ?? [])
    .filter((row) => matches(filter, haystack(row)))
    .toSorted((a, b) => {
      const kinds = Number(a.kind !== 'delta') - Number(b.kind !== 'delta')
      return kinds !== 0 ? kinds : sign * compareBy(sort, a, b) || compareNames(a.name, b.name)
    })
  memo = { input, rows }
  return rows
}

/** Index of the row under the cursor; 0 when it is gone or nothing was chosen yet. */
export function cursorIndex(state: State): number {
  const index = visibleRows(state).findIndex((row) => row.key === state.tables.cursorKey)
  return index < 0 ? 0 : index
}

/** The row under the cursor, or null in an empty list. */
export function cursorRow(state: State): TableRow | null {
  return visibleRows(state)[cursorIndex(state)] ?? null
}

/** Rows that an action is for: the marked ones (filtered out or not), else the one under the cursor. */
export function targetRows(state: State): readonly TableRow[] {
  if (state.tables.marks.size > 0) {
    const marked = (state.slots.tables.value ?? []).filter((row) => state.tables.marks.has(row.key))
    if (marked.length > 0) return marked
  }
  const row = cursorRow(state)
  return row === null ? [] : [row]
}
