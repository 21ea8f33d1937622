import type { Declaration } from '../../../../engine/run/operations/declaration.ts'
import { PAGES } from '../../../../engine/run/operations/pages.ts'
import { CONNECT } from '../../../../engine/run/operations/shared-options.ts'

/** Lists the workers of a queue with host, last heartbeat and tasks, or drains some of them. */
export type WorkersOperation = {
  readonly kind: 'workers'
  readonly connect: string
  /** Host or id of workers to drain: they take no new tasks, give their tasks back, and end. */
  readonly drain?: string
}

const EVENTS = ['worker', 'log'] as const

export const workers: Declaration<WorkersOperation, (typeof EVENTS)[number]> = {
  kind: 'workers',
  command: {
    ...PAGES.workers,
    takes: [
      CONNECT,
      {
        name: 'drain',
        type: 'text',
        describe:
          'a host, or the id of one worker (first column of --json): these workers take no new work, return their tasks after the current batch, and exit',
      },
    ],
    epilogue:
      'A worker without a heartbeat for 7 seconds is silent and counts in no rate. After 30 seconds it is lost: ' +
      'a free worker takes over its tasks within 35 seconds of the last heartbeat. Ended workers are listed for ' +
      'a day. sluice runs --distributed lists the runs.\n',
  },
  display: 'listing',
  stores: [{ field: 'connect', family: 'database', access: 'read', end: 'target' }],
  events: EVENTS,
}
