/** Maps one kind of event to rows of an aligned table. */
import type { Event } from '../model/run/event.ts'
import type { TableColumn } from './column.ts'

export type Listing = {
  readonly columns: readonly TableColumn[]
  readonly row: (event: Event) => readonly string[] | null
}
