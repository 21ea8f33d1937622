import type { Declaration } from '../../../run/operations/declaration.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import { REMOVAL_PREVIEW } from '../../../run/operations/shared-options.ts'
import * as words from '../../../run/operations/words.ts'

/** Lists all replication slots of a source; with `drop`, removes one. */
export type SlotsOperation = {
  readonly kind: 'slots'
  readonly from: string
  readonly drop?: string
  /** Name of the slot to remove, as confirmation. */
  readonly confirm?: string
  readonly dryRun: boolean
}

const EVENTS = ['slot', 'log'] as const

export const slots: Declaration<SlotsOperation, (typeof EVENTS)[number]> = {
  kind: 'slots',
  command: {
    ...PAGES.slots,
    takes: [
      {
        name: 'from',
        type: 'text',
        completes: 'database',
        describe: 'URL or alias of the source (default: config file, then $DATABASE_URL)',
      },
      {
        name: 'drop',
        type: 'text',
        describe: 'remove this slot and the publication that sluice created for it; a slot in use is refused',
      },
      REMOVAL_PREVIEW,
    ],
    epilogue:
      'A slot keeps the log of its server until it is read: a slot without a reader fills the disk. Names of slots that sluice created begin with ' +
      'sluice_. A stream cannot resume without its slot: sluice follow RUN --end removes the slot and ends the stream in the ledger.\n',
  },
  words: {
    from: words.end('from'),
    drop: words.optionalText('drop'),
    confirm: words.optionalText('confirm'),
    dryRun: words.flag('dry-run'),
  },
  display: 'answer',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'source' }],
  destroys: [
    {
      what: 'a replication slot and its publication',
      when: 'drop',
      confirm: 'confirm',
      asked: 'to remove this slot',
      named: { field: 'drop' },
      against: '--drop names',
    },
  ],
  plans: 'dryRun',
  events: EVENTS,
}
