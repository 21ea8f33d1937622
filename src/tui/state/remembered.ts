/** State that is saved for the next session on the same lake and catalog. It is read as untrusted input. */
import { freshStore, type RememberedStore } from '../screens/tables/listed-store.ts'
import { openScreen, SCREENS } from '../screens/index.ts'
import { TABLE_SORTS, TABS, type Screen, type State, type Tab, type TableSort } from './state.ts'
import { cursorRow } from '../screens/tables/tables-list.ts'

/** Maximum length of remembered texts, in characters: users do not type longer ones. */
const MOST_CHARACTERS = 4000
const MOST_STORES = 200

export type Remembered = {
  readonly screen: Screen
  /** Key of the row under the cursor; null for an empty list. */
  readonly row: string | null
  readonly tab: Tab
  readonly filter: string
  readonly sort: TableSort
  readonly descending: boolean
  /** Stores that the user added, without passwords. */
  readonly stores: readonly RememberedStore[]
}

export function rememberedOf(state: State): Remembered {
  const { filter, sort, descending } = state.tables
  const stores = state.stores.filter(({ added }) => added).map(({ name, url }) => ({ name, url }))
  return {
    screen: openScreen(state).next,
    // The row of the last session while it may still appear; otherwise the row under the cursor.
    row: state.tables.wanted ?? cursorRow(state)?.key ?? null,
    tab: state.detail.tab,
    filter,
    sort,
    descending,
    stores,
  }
}

/** @returns null if the value is no object; invalid fields are left out */
export function readRemembered(value: unknown): Partial<Remembered> | null {
  if (typeof value !== 'object' || value === null) return null
  const of = value as Readonly<Record<string, unknown>>
  const text = (name: string): string | undefined => {
    const found = of[name]
    return typeof found === 'string' && found.length <= MOST_CHARACTERS ? found : undefined
  }
  const one = <T extends string>(name: string, known: readonly T[]): T | undefined =>
    known.find((word) => word === text(name))
  const [screen, tab, sort, row, filter] = [
    one('screen', Object.keys(SCREENS) as readonly Screen[]),
    one('tab', TABS),
    one('sort', TABLE_SORTS),
    text('row'),
    text('filter'),
  ]
  return {
    ...(screen === undefined ? {} : { screen: openScreen({ screen }).next }),
    ...(tab === undefined ? {} : { tab }),
    ...(sort === undefined ? {} : { sort }),
    ...(row === undefined ? {} : { row }),
    ...(filter === undefined ? {} : { filter }),
    ...(typeof of['descending'] === 'boolean' ? { descending: of['descending'] } : {}),
    stores: Array.isArray(of['stores']) ? of['stores'].slice(0, MOST_STORES).flatMap(storeOf) : [],
  }
}

function storeOf(value: unknown): readonly RememberedStore[] {
  if (typeof value !== 'object' || value === null) return []
  const { name, url } = value as Readonly<Record<string, unknown>>
  const isText = (one: unknown): one is string => typeof one === 'string' && one !== '' && one.length <= MOST_CHARACTERS
  return isText(name) && isText(url) ? [{ name, url }] : []
}

/** The state with the remembered values applied. @param screen explicitly requested screen, which has priority */
export function withRemembered(state: State, from: Partial<Remembered>, screen: Screen | undefined): State {
  const { tables, detail } = state
  const known = new Set(state.stores.map(({ url }) => url))
  const added = (from.stores ?? []).filter(({ url }) => !known.has(url)).map((store) => freshStore(store, true))
  return {
    ...state,
    screen: screen ?? from.screen ?? state.screen,
    stores: [...state.stores, ...added],
    detail: { ...detail, tab: from.tab ?? detail.tab },
    tables: {
      ...tables,
      wanted: from.row ?? null,
      filter: from.filter ?? tables.filter,
      sort: from.sort ?? tables.sort,
      descending: from.descending ?? tables.descending,
    },
  }
}
