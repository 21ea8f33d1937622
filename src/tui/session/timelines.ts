/** Partitions of tables as lines of time. */
import type { PartitionAlarmEvent, PartitionedEvent, PartitionEvent } from '../../model/partition/events.ts'
import { linesFromNow, timelineText } from '../views/timeline.ts'
import type { ArchivedEvent } from '../../model/archive/events.ts'
import { archivedOf, partitionsOf } from './operations.ts'
import type { PictureKind } from './pictures.ts'

export const TIMELINES: PictureKind = {
  reading: (name) => `reading the partitions of ${name} …`,
  job: partitionsOf,
  beside: archivedOf,
  begin: () => {
    const partitions: PartitionEvent[] = []
    const alarms: PartitionAlarmEvent[] = []
    const expired: ArchivedEvent[] = []
    let table: PartitionedEvent | null = null
    return {
      event: (event) => {
        if (event.type === 'partition.table') table = event
        if (event.type === 'partition') partitions.push(event)
        if (event.type === 'partition.alarm') alarms.push(event)
        if (event.type === 'archived' && event.state === 'EXPIRED') expired.push(event)
      },
      read: (key, error) => ({ type: 'timeline-read', key, shown: { table, partitions, alarms, expired, error } }),
    }
  },
  waiting: (key) => ({ type: 'timeline-reading', key }),
  text: ({ timelines, ascii }, key, cells) => {
    const shown = timelines.get(key)
    return shown === undefined ? null : timelineText(shown, cells, ascii)
  },
  last: ({ timelines }, key) => {
    const shown = timelines.get(key)
    return shown === undefined ? null : linesFromNow(shown)
  },
}
