import type { AlertOptions } from '../../../model/run/alert.ts'
import type { CalendarSpec } from '../../../model/calendar/calendar.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Continues the archive of a table with this database; every other database is refused from then on. */
export type ArchiveAdoptOperation = {
  readonly kind: 'archive-adopt'
  readonly from: string
  readonly table: string
  /** Name of the table, as confirmation. */
  readonly confirm?: string
  /** Labels of partitions whose rows in the source may differ from the archived ones. */
  readonly accept: readonly string[]
  /** Location of the archive, or of its parent folder: a ledger without this archive is rebuilt from the archive. */
  readonly to?: string
  /** Facts that an archive of an older program lacks: calendar, and a plain table's partition column. */
  readonly calendar?: Partial<CalendarSpec>
  readonly by?: string
  /** How long a detached partition is kept, ms; default: the value in the archive. */
  readonly graceMs?: number
  /** True: only compare. */
  readonly dryRun: boolean
  readonly alert?: AlertOptions
}

const EVENTS = ['archived', 'archive.finding', 'archive.progress', 'log'] as const

export const archiveAdopt: Declaration<ArchiveAdoptOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-adopt',
  command: 'archive',
  actions: {
    'archive adopt': {
      from: words.end('from'),
      table: words.oneTable,
      confirm: words.optionalText('confirm'),
      accept: words.list('accept-difference'),
      to: words.archivePlace('to'),
      calendar: words.calendar,
      by: words.optionalText('by'),
      graceMs: words.optionalDuration('grace'),
      dryRun: words.flag('dry-run'),
      alert: words.alert,
    },
  },
  display: 'lines',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'to', family: 'folder', access: 'write', end: 'target' },
  ],
  about: 'table',
  destroys: [
    {
      what: 'the right of the database that owned the archive before',
      confirm: 'confirm',
      asked: 'to take its archive over',
      named: { field: 'table' },
    },
  ],
  plans: 'dryRun',
  alerts: { causes: FAILED },
  events: EVENTS,
}
