import type { CalendarSpec } from '../../calendar/calendar.ts'
import type { Declaration } from '../declaration.ts'

/** Plans (`dryRun`) or runs. Partitions that an earlier run left on their way are gone on with. */
export type ArchiveOperation = {
  readonly kind: 'archive'
  /** URL of the store. */
  readonly from: string
  /** Names or patterns. */
  readonly tables: readonly string[]
  /** Folder or `s3://bucket/prefix`; below it each table has a folder of its own. What the ledger has when absent. */
  readonly to?: string
  /** Column of a plain table that says when a row belongs; a partitioned table says it itself. */
  readonly by?: string
  /** What the ledger has when absent, and calendar quarters in a table that it does not know. */
  readonly calendar?: CalendarSpec
  /** `8q`: what is older than so many whole periods before the one of today. */
  readonly olderThan?: string
  /** Only these, by label; all that are due when empty. */
  readonly partitions: readonly string[]
  /** Columns that are stored as the text that the source prints. */
  readonly asText: readonly string[]
  /** Take partitions out of the source at once, and drop them as soon as their grace is over. */
  readonly detach: boolean
  /** Drop what is detached and past its grace. */
  readonly drop: boolean
  /** Name of the table, where somebody has to say twice that he means it. */
  readonly confirm?: string
  /** How long a detached partition is kept, ms; what the ledger has when absent, and 7 days. */
  readonly graceMs?: number
  /** About so large a file becomes. */
  readonly fileBytes?: number
  /** Of the engine that writes Parquet. */
  readonly memoryBytes?: number
  readonly dryRun: boolean
}

export const archiveRun: Declaration<ArchiveOperation> = {
  kind: 'archive',
  command: 'archive',
  shape: 'long',
  doing: 'archiving',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'to', family: 'folder', access: 'write', end: 'target' },
  ],
  about: 'tables',
  destroys: [
    { what: 'partitions that are archived and past their grace', when: 'drop', confirm: 'confirm', asked: true },
  ],
  plans: 'dryRun',
  events: [
    'plan.ready',
    'archive.columns',
    'archive.planned',
    'archive.progress',
    'archive.state',
    'archive.finding',
    'log',
  ],
}
