/** Stores as a tree: the program's own lake and catalog, stores of the config file, and stores that the user added. */
import { UNKNOWN_TABLE, type TableRow } from '../../../model/lake/answers.ts'
import { OWN_STORE, type ListedStore } from './listed-store.ts'
import type { Database, State } from '../../state/state.ts'

/** A store as a row of the list. */
export type StoreRow = Omit<TableRow, 'kind'> & {
  readonly kind: 'store'
  /** Null for the program's own store. */
  readonly store: ListedStore | null
  readonly open: boolean
  /** Number of tables; null if unknown. */
  readonly count: number | null
}

/** True if the list is a tree, because there are stores besides the program's own. */
export const isTree = ({ stores }: State): boolean => stores.length > 0

/** Tables of every lake that was read. */
export function lakeTables({ slots, stores }: Pick<State, 'slots' | 'stores'>): readonly TableRow[] {
  const own = slots.tables.value ?? []
  return stores.length === 0 ? own : [...own, ...stores.flatMap(({ tables }) => tables)]
}

/** The lake that a table is listed in; null if the program has only a catalog. */
export function lakeOf({ lake, slots, stores }: State, { key }: TableRow): string | null {
  const has = (tables: readonly TableRow[]): boolean => tables.some((table) => table.key === key)
  const other = has(slots.tables.value ?? []) ? undefined : stores.find(({ tables }) => has(tables))
  return other?.url ?? lake
}

/** @param database tables of the store, if the store is a database */
export function storeRow(store: ListedStore, database: Database | null): StoreRow {
  const { key, name, url, open, state } = store
  const tables = store.kind === 'lake' ? store.tables : (database?.relations ?? [])
  return {
    ...UNKNOWN_TABLE,
    kind: 'store',
    key,
    name,
    location: url,
    store,
    open,
    count: state === 'ready' || database?.state === 'ready' ? tables.length : null,
  }
}

/** The row of the program's own store. */
export function ownRow({ lake, catalog, databases, slots, ownFolded }: State): StoreRow {
  const tables = slots.tables.value?.filter(({ kind }) => kind === 'delta') ?? null
  const name = lake ?? catalog ?? databases.find(({ parent }) => parent === null)?.url ?? ''
  return {
    ...UNKNOWN_TABLE,
    kind: 'store',
    key: OWN_STORE,
    name,
    location: name,
    store: null,
    open: !ownFolded,
    count: tables?.length ?? null,
  }
}

/** State of a store; for a database, the state of its table list. */
export function storeState(store: ListedStore, database: Database | null): Pick<ListedStore, 'state' | 'failure'> {
  if (store.kind !== 'database' || database === null) return store
  return { state: database.state, failure: database.error }
}
