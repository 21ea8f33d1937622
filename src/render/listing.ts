/** Maps one kind of event to rows of an aligned table. */
import type { Event } from '../model/run/event.ts'
import type { Column } from './column.ts'

export type Listing = { readonly columns: readonly Column[]; readonly row: (event: Event) => readonly string[] | null }
