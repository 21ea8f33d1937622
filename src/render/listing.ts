/** Maps one kind of event to rows of an aligned table. */
import type { Event, EventOf, EventType } from '../model/run/event.ts'
import { cellsOf, type ListColumn, type TableColumn } from './column.ts'

/** Columns, and the cells of an event; null for an event of another type. */
export type Listing = {
  readonly columns: readonly TableColumn[]
  readonly row: (event: Event) => readonly string[] | null
}

/** The list of all events of one type. */
export function listing<T extends EventType>(type: T, columns: readonly ListColumn<EventOf<T>>[]): Listing {
  const isListed = (event: Event): event is EventOf<T> => event.type === type
  return { columns, row: (event) => (isListed(event) ? cellsOf(columns, event) : null) }
}
