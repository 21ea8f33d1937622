import type { Declaration } from '../../../../engine/run/operations/declaration.ts'
import { PAGES } from '../../../../engine/run/operations/pages.ts'
import { CONNECT } from '../../../../engine/run/operations/shared-options.ts'

/** Takes tasks of shared runs from a queue, and processes them until it is stopped. */
export type WorkerOperation = {
  readonly kind: 'worker'
  /** URL of the queue's database. */
  readonly connect: string
  /** Tasks processed at the same time. */
  readonly concurrency: number
  /** Queues to take from; empty for the unnamed queue. */
  readonly queues: readonly string[]
  /** Stores of the config file: names, and their URLs at the same index. */
  readonly names: readonly string[]
  readonly stores: readonly string[]
  /** Ends after this time without waiting work, ms; never if absent. */
  readonly idleMs?: number
}

const MOST = 64

const EVENTS = ['worker.slot', 'worker.beat', 'alert', 'log'] as const

export const worker: Declaration<WorkerOperation, (typeof EVENTS)[number]> = {
  kind: 'worker',
  command: {
    ...PAGES.worker,
    takes: [
      CONNECT,
      {
        name: 'concurrency',
        type: 'number',
        default: 1,
        least: 1,
        most: MOST,
        describe: 'tasks to process in parallel, each in its own process',
      },
      {
        name: 'queues',
        type: 'list',
        commas: true,
        describe: 'take work only from these queues (default: the unnamed queue)',
      },
      {
        name: 'idle',
        type: 'text',
        unit: 'duration',
        describe: 'exit after this long without work (default: never)',
      },
    ],
    epilogue:
      'The queue hands out tasks of runs that were started with --distributed. Leases, fencing tokens and ' +
      'proofs are in the ledger, so a worker may be killed at any time: a free worker takes over its tasks ' +
      'within 35 seconds. Databases have the names below stores: in the config file, and each name must mean ' +
      'the same database as where the run was started. ctrl-c gives tasks back after the running batch; a ' +
      'second ctrl-c drops the batch.\n',
  },
  display: 'lines',
  doing: 'working',
  stores: [
    { field: 'connect', family: 'database', access: 'write', end: 'target' },
    { field: 'stores', family: 'database', access: 'write' },
  ],
  about: 'queues',
  events: EVENTS,
}
