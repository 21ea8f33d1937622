/** Rules for the events that a run keeps for late viewers, except events of chunks. */
import type { EventType, EventOf } from '../../model/run/event.ts'
import { KEPT } from '../../model/run/kept-events.ts'

/** Of all events with the same key, only the newest is kept. */
type Keyed<T extends EventType> = { readonly by: (event: EventOf<T>) => string }
/** The newest events are kept. `counts` names the counter of dropped events; `only` selects those that are counted. */
type Newest<T extends EventType> = {
  readonly newest: number
  readonly counts?: 'mismatches' | 'differences' | 'findings'
  readonly only?: (event: EventOf<T>) => boolean
}

export type Rule<T extends EventType = EventType> = Keyed<T> | Newest<T>

/** Limit of partition events of an archive, for each event type. */
const OF_PARTITIONS = 20_000

const single = { by: (): string => '' }

/** Rules by event type. Without a rule, the newest events of the type are kept, as many as a screen keeps. */
const RULES: { readonly [T in EventType]?: Rule<T> } = {
  'run.started': single,
  'plan.ready': single,
  'run.steered': { by: (event) => Object.keys(event).slice(4).toSorted().join() },
  'table.started': { by: ({ table }) => table },
  'look.progress': { by: ({ table }) => table },
  'target.latency': single,
  'throttle.on': single,
  'diff.progress': { by: ({ table }) => table },
  'fsck.progress': { by: ({ step }) => step },
  'fsck.finding': { newest: KEPT.listed, counts: 'findings', only: ({ level }) => level !== 'note' },
  'verify.mismatch': { newest: KEPT.listed, counts: 'mismatches' },
  difference: { newest: KEPT.listed, counts: 'differences' },
  'archive.planned': { newest: OF_PARTITIONS },
  'archive.state': { newest: OF_PARTITIONS },
  'follow.progress': { newest: KEPT.curve },
  'follow.table': { by: ({ table }) => table },
  'follow.counted': { by: ({ table }) => table },
  'partition.progress': single,
  'worker.beat': single,
  'queue.stand': single,
  'run.finished': single,
}

export function ruleOf(type: EventType): Rule {
  return (RULES[type] ?? { newest: KEPT.listed }) as Rule
}
