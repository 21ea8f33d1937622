/** Partitions of live tables as rows of an aligned table. */
import { sizeText, grouped } from '../shared/figures.ts'
import type { Listing } from './listing.ts'
import { visible } from '../shared/visible.ts'
import { left, NONE, right } from './column.ts'

/** Partitions, and those of an archive that are no longer in their table. */
export const PARTITIONS: Listing = {
  columns: [
    left('TABLE'),
    left('PARTITION'),
    left('PERIOD'),
    left('STATE'),
    left('FROM'),
    left('TO'),
    right('ROWS'),
    right('SIZE'),
    right('AGE'),
    left('NOTES'),
  ],
  row: (event) =>
    event.type !== 'partition'
      ? null
      : [
          visible(event.table),
          visible(event.partition),
          event.label ?? NONE,
          event.state,
          visible(event.from ?? NONE),
          visible(event.to ?? NONE),
          event.rows === undefined ? NONE : `${event.estimated ? '~' : ''}${grouped(event.rows)}`,
          event.bytes === undefined ? NONE : sizeText(event.bytes),
          event.age === undefined ? NONE : String(event.age),
          visible(event.note ?? ''),
        ],
}
