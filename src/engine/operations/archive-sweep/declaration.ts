import type { Declaration } from '../declaration.ts'
import * as words from '../words.ts'

/** Removes files that no version of the archive names, and that nobody is writing. */
export type ArchiveSweepOperation = {
  readonly kind: 'archive-sweep'
  readonly from: string
  readonly tables: readonly string[]
  /** Only files that are older, ms. */
  readonly olderThanMs: number
  /** Name of the table, or `all` where it is not one: said twice. */
  readonly confirm?: string
  readonly dryRun: boolean
}

const EVENTS = ['archive.finding'] as const

export const archiveSweep: Declaration<ArchiveSweepOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-sweep',
  command: 'archive',
  actions: {
    'archive sweep': {
      from: words.end('from'),
      tables: words.anyTables,
      olderThanMs: words.duration('age'),
      confirm: words.optionalText('confirm'),
      dryRun: words.flag('dry-run'),
    },
  },
  shape: 'lines',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'tables',
  destroys: [{ what: 'files of archives that no version names', confirm: 'confirm', asked: true }],
  plans: 'dryRun',
  events: EVENTS,
}
