import type { Declaration } from '../../../../engine/run/operations/declaration.ts'

/** Reports the state of a queue periodically until stopped: for metrics when no worker is alive to report them. */
export type WorkersWatchOperation = {
  readonly kind: 'workers-watch'
  readonly connect: string
}

const EVENTS = ['queue.stand', 'log'] as const

export const workersWatch: Declaration<WorkersWatchOperation, (typeof EVENTS)[number]> = {
  kind: 'workers-watch',
  command: 'workers',
  display: 'lines',
  doing: 'watching',
  stores: [{ field: 'connect', family: 'database', access: 'read', end: 'target' }],
  events: EVENTS,
}
