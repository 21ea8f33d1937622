import type { Declaration } from '../../../run/operations/declaration.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import { CONNECT } from '../../../run/operations/shared-options.ts'

export type RunsOperation = { readonly kind: 'runs'; readonly catalog: string; readonly limit: number }

const EVENTS = ['run', 'log'] as const

export const runs: Declaration<RunsOperation, (typeof EVENTS)[number]> = {
  kind: 'runs',
  command: {
    ...PAGES.runs,
    takes: [
      {
        name: 'to',
        type: 'text',
        completes: 'database',
        describe: 'URL of a target: list its copies from its ledger',
      },
      {
        name: 'run',
        type: 'text',
        completes: 'run',
        describe:
          'with --to: the chunks of this run, failed ones first, with their tokens and errors; with --distributed: its tasks',
      },
      {
        name: 'distributed',
        type: 'flag',
        default: false,
        describe: 'runs that workers of a queue share, on all hosts',
      },
      CONNECT,
      {
        name: 'here',
        type: 'flag',
        default: false,
        describe: 'all runs of this user on this machine; the default if no catalog is named',
      },
      {
        name: 'limit',
        type: 'number',
        default: 20,
        config: 'default',
        describe: 'runs (newest first) or chunks to show',
      },
    ],
  },
  display: 'listing',
  stores: [{ field: 'catalog', family: 'catalog', access: 'read', end: 'target' }],
  events: EVENTS,
}
