import type { Declaration } from '../../../../engine/run/operations/declaration.ts'

/** How a queue stands, again and again until it is stopped: for metrics, where no worker lives that could tell them. */
export type WorkersWatchOperation = {
  readonly kind: 'workers-watch'
  readonly connect: string
}

const EVENTS = ['queue.stand', 'log'] as const

export const workersWatch: Declaration<WorkersWatchOperation, (typeof EVENTS)[number]> = {
  kind: 'workers-watch',
  command: 'workers',
  shape: 'lines',
  doing: 'watching',
  stores: [{ field: 'connect', family: 'database', access: 'read', end: 'target' }],
  events: EVENTS,
}
