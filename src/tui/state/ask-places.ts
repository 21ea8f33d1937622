/** What can be asked: the catalog, databases that are open, and their tables together with what is archived of them. */
import type { Asked, AskPlace } from '../../app/ask/port.ts'
import { placeKey } from './ask-state.ts'
import type { State } from './state.ts'

/** All of them, what is asked most first. */
export function askPlaces({ catalog, databases }: Pick<State, 'catalog' | 'databases'>): readonly AskPlace[] {
  const catalogs = catalog === null ? [] : [{ kind: 'catalog', url: catalog } as const]
  const opened = databases.map(({ url }) => ({ kind: 'database', url }) as const)
  const archives = databases.flatMap(({ url, relations }) =>
    relations.map(({ table }) => ({ kind: 'archive', url, table }) as const),
  )
  return [...catalogs, ...opened, ...archives]
}

/** Places whose words hold everything that is typed. */
export function placesFound(state: State, typed: string): readonly AskPlace[] {
  const words = typed.toLowerCase().split(/\s+/)
  return askPlaces(state).filter((place) => {
    const text = placeText(place).toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

/** What is asked now: what was chosen, what was asked last, or the first there is. */
export function placeNow(state: State): AskPlace | null {
  if (state.ask.place !== null) return state.ask.place
  const there = askPlaces(state)
  const keys = new Set(there.map(placeKey))
  const last = state.ask.history?.findLast(({ place }) => keys.has(placeKey(place)))
  return last?.place ?? there[0] ?? null
}

export function placeText(place: AskPlace): string {
  if (place.kind === 'archive') return `${place.table} with its archive · ${place.url}`
  return `${place.kind} · ${place.url}`
}

/** What was asked, newest first, each statement once. */
export function historyFound(history: readonly Asked[] | null, typed: string): readonly Asked[] {
  const words = typed.toLowerCase().split(/\s+/)
  const seen = new Set<string>()
  return (history ?? []).toReversed().filter(({ sql }) => {
    if (seen.has(sql)) return false
    seen.add(sql)
    return words.every((word) => sql.toLowerCase().includes(word))
  })
}
