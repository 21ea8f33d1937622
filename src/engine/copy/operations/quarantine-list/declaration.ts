import { alertOptions, FAILED } from '../../../run/operations/alert-options.ts'
import { ENDS } from '../copy/options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { QUARANTINED } from '../retry-quarantine/options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type QuarantineListOperation = {
  readonly kind: 'quarantine-list'
  readonly to: string
  /** Only rows of this run; absent: all. */
  readonly runId?: string
  /** Only rows of this table of the target. */
  readonly table?: string
  readonly limit: number
}

const EVENTS = ['quarantine.row', 'log'] as const

export const quarantineList: Declaration<QuarantineListOperation, (typeof EVENTS)[number]> = {
  kind: 'quarantine-list',
  command: {
    ...PAGES.quarantine,
    takes: [
      { name: 'action', operand: true, type: 'text', describe: 'list, retry' },
      QUARANTINED.run,
      ...ENDS,
      QUARANTINED.table,
      {
        name: 'limit',
        type: 'number',
        default: 100,
        config: 'default',
        describe: 'rows to show, oldest first; all are counted',
      },
      ...alertOptions(FAILED, 'retry:'),
    ],
    epilogue:
      'list shows rows that the target refused, with their causes. Correct them at the source; then retry reads and writes them again.\n',
  },
  actions: {
    'quarantine list': {
      to: words.end('to'),
      runId: words.optionalRun('run'),
      table: words.optionalText('table'),
      limit: words.count('limit'),
    },
  },
  display: 'listing',
  stores: [{ field: 'to', family: 'database', access: 'read', end: 'target' }],
  about: 'table',
  events: EVENTS,
}
