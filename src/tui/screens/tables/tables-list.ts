/** Rows of the Tables screen, filtered and sorted: Delta tables first, then other sources, then tables of databases. */
import type { TableRow } from '../../../model/lake/answers.ts'
import type { RelationEvent } from '../../../model/run/event.ts'
import { relationRow, type RelationRow } from './relation-row.ts'
import { isTree, lakeTables, ownRow, storeRow, type StoreRow } from './stores.ts'
import type { Database, State, TableSort } from '../../state/state.ts'

export type ListRow = TableRow | RelationRow | StoreRow

const CATALOG_ORDER = {
  failed: 0,
  truncated: 0,
  unfinished: 1,
  behind: 2,
  running: 3,
  away: 4,
  none: 4,
  current: 5,
} as const
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

/** True if a text passes a filter: it contains every word, and no `!word`. */
export function matches(filter: string, text: string): boolean {
  const low = text.toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '' && word !== '!')
    .every((word) => (word.startsWith('!') ? !low.includes(word.slice(1)) : low.includes(word)))
}

/** Text that the filter searches: name, error code and states. */
function haystack(row: TableRow): string {
  const catalog = row.catalog.state === 'none' ? 'not yet' : row.catalog.state
  return `${row.name} ${row.error?.code ?? ''} ${catalog} ${row.proof.state}`
}

/**
 * Tables of a database in list order: by name, by bytes, or by rows if the list is sorted by files. If the list is
 * sorted by another column, the order is by name, because only lake tables have the other columns.
 */
function relationRows({ url, relations }: Database, filter: string, sort: TableSort, sign: number): readonly ListRow[] {
  const amount = (relation: RelationEvent): number =>
    sort === 'files' ? Number(relation.rows) : sort === 'bytes' ? Number(relation.bytes) : 0
  return relations
    .filter((relation) => matches(filter, relation.table))
    .toSorted((a, b) => {
      const names = compareNames(a.table, b.table)
      return sort === 'name' ? sign * names : sign * (amount(a) - amount(b)) || names
    })
    .map((relation) => relationRow(url, relation))
}

type Input = {
  readonly rows: readonly TableRow[] | null
  readonly databases: readonly Database[]
  readonly stores: State['stores']
  readonly folded: boolean
  readonly filter: string
  readonly sort: TableSort
  readonly descending: boolean
}
let memo: { readonly input: Input; readonly rows: readonly ListRow[] } | null = null

/** Each store, followed by its content if unfolded. */
function treeRows(
  state: State,
  own: readonly TableRow[],
  ofLake: (tables: readonly TableRow[]) => readonly TableRow[],
  ofDatabase: (database: Database) => readonly ListRow[],
): readonly ListRow[] {
  const { stores, databases, ownFolded } = state
  const keys = new Set(stores.map(({ key }) => key))
  const roots = databases.filter(({ parent }) => parent === null || !keys.has(parent))
  return [
    ownRow(state),
    ...(ownFolded ? [] : [...own, ...roots.flatMap(ofDatabase)]),
    ...stores.flatMap((store): readonly ListRow[] => {
      const database = databases.find(({ parent }) => parent === store.key) ?? null
      const row = storeRow(store, database)
      if (!store.open) return [row]
      return [row, ...ofLake(store.tables), ...(database === null ? [] : ofDatabase(database))]
    }),
  ]
}

/** Rows in screen order. The last result is cached, because one key press calls this many times. */
export function visibleRows(state: State): readonly ListRow[] {
  const { filter, sort, descending } = state.tables
  const { databases, stores, ownFolded: folded } = state
  const input: Input = { rows: state.slots.tables.value, databases, stores, folded, filter, sort, descending }
  const known = memo?.input
  if (
    memo !== null &&
    known?.rows === input.rows &&
    known.databases === databases &&
    known.stores === stores &&
    known.folded === folded &&
    known.filter === filter &&
    known.sort === sort &&
    known.descending === descending
  )
    return memo.rows
  const sign = descending ? -1 : 1
  const ofLake = (tables: readonly TableRow[]): readonly TableRow[] =>
    tables
      .filter((row) => matches(filter, haystack(row)))
      .toSorted((a, b) => {
        const kinds = Number(a.kind !== 'delta') - Number(b.kind !== 'delta')
        return kinds !== 0 ? kinds : sign * compareBy(sort, a, b) || compareNames(a.name, b.name)
      })
  const ofDatabase = (database: Database): readonly ListRow[] => relationRows(database, filter, sort, sign)
  const own = ofLake(input.rows ?? [])
  const rows = isTree(state) ? treeRows(state, own, ofLake, ofDatabase) : [...own, ...databases.flatMap(ofDatabase)]
  memo = { input, rows }
  return rows
}

/** Index of the row under the cursor; -1 if there is none. */
export function cursorIndex(state: State): number {
  const { cursorKey } = state.tables
  return cursorKey === null ? -1 : visibleRows(state).findIndex((row) => row.key === cursorKey)
}

/** The row under the cursor; null if there is none. */
export function cursorRow(state: State): ListRow | null {
  return visibleRows(state)[cursorIndex(state)] ?? null
}

/** The database of the table under the cursor, if the user opened it from a row of the list; null otherwise. */
export function openedDatabase(state: State): Database | null {
  const row = cursorRow(state)
  if (state.screen !== 'tables' || row?.kind !== 'relation') return null
  return state.databases.find(({ url, parent }) => url === row.url && parent !== null) ?? null
}

/** The store that a row is or belongs to; null if the list is no tree. */
export function storeOfRow(state: State, row: ListRow | null): StoreRow | null {
  if (row === null || !isTree(state)) return null
  const rows = visibleRows(state)
  const at = rows.findIndex(({ key }) => key === row.key)
  const found = rows.slice(0, at + 1).findLast(({ kind }) => kind === 'store')
  return found?.kind === 'store' ? found : null
}

/**
 * Rows that an action applies to: the marked rows, even if they are filtered out; without marks, the row under the
 * cursor.
 */
export function targetRows(state: State): readonly ListRow[] {
  if (state.tables.marks.size > 0) {
    const all: readonly ListRow[] = [
      ...lakeTables(state),
      ...state.databases.flatMap(({ url, relations }) => relations.map((relation) => relationRow(url, relation))),
    ]
    const marked = all.filter((row) => state.tables.marks.has(row.key))
    if (marked.length > 0) return marked
  }
  const row = cursorRow(state)
  return row === null ? [] : [row]
}
