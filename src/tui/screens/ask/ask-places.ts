/** Places to query: the catalog, open databases, and their tables together with the archived rows. */
import type { AskedStatement, AskPlace } from '../../../app/ask/port.ts'
import { placeKey } from './state.ts'
import type { State } from '../../state/state.ts'

/** All places: the catalog first, then databases, then tables with their archive. */
export function askPlaces({ catalog, databases }: Pick<State, 'catalog' | 'databases'>): readonly AskPlace[] {
  const catalogs = catalog === null ? [] : [{ kind: 'catalog', url: catalog } as const]
  const opened = databases.map(({ url }) => ({ kind: 'database', url }) as const)
  const archives = databases.flatMap(({ url, relations }) =>
    relations.map(({ table }) => ({ kind: 'archive', url, table }) as const),
  )
  return [...catalogs, ...opened, ...archives]
}

/** Places whose text contains all typed words. */
export function placesFound(state: State, typed: string): readonly AskPlace[] {
  const words = typed.toLowerCase().split(/\s+/)
  return askPlaces(state).filter((place) => {
    const text = askPlaceText(place).toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

/** The chosen place. Without one, the last queried place that is still open, or else the first place. */
export function currentAskPlace(state: State): AskPlace | null {
  if (state.ask.place !== null) return state.ask.place
  const there = askPlaces(state)
  const keys = new Set(there.map(placeKey))
  const last = state.ask.history?.findLast(({ place }) => keys.has(placeKey(place)))
  return last?.place ?? there[0] ?? null
}

export function askPlaceText(place: AskPlace): string {
  if (place.kind === 'archive') return `${place.table} with its archive · ${place.url}`
  return `${place.kind} · ${place.url}`
}

/** Past statements that contain all typed words, newest first, without duplicates. */
export function historyFound(history: readonly AskedStatement[] | null, typed: string): readonly AskedStatement[] {
  const words = typed.toLowerCase().split(/\s+/)
  const seen = new Set<string>()
  return (history ?? []).toReversed().filter(({ sql }) => {
    if (seen.has(sql)) return false
    seen.add(sql)
    return words.every((word) => sql.toLowerCase().includes(word))
  })
}
