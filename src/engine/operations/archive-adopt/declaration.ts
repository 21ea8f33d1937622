import type { Declaration } from '../declaration.ts'
import * as words from '../words.ts'

/** Goes on with the archive of a table under this database; every other database is refused from then on. */
export type ArchiveAdoptOperation = {
  readonly kind: 'archive-adopt'
  readonly from: string
  readonly table: string
  /** Name of the table, once more. */
  readonly confirm?: string
  /** Labels of partitions whose rows in the source may differ from the archived ones. */
  readonly accept: readonly string[]
  /** Compare only. */
  readonly dryRun: boolean
}

const EVENTS = ['archive.finding', 'archive.progress', 'log'] as const

export const archiveAdopt: Declaration<ArchiveAdoptOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-adopt',
  command: 'archive',
  actions: {
    'archive adopt': {
      from: words.end('from'),
      table: words.oneTable,
      confirm: words.optionalText('confirm'),
      accept: words.list('accept-difference'),
      dryRun: words.flag('dry-run'),
    },
  },
  shape: 'lines',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'source' }],
  about: 'table',
  destroys: [{ what: 'the right of the database that wrote into the archive before', confirm: 'confirm', asked: true }],
  plans: 'dryRun',
  events: EVENTS,
}
