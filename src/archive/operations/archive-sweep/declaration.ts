import type { AlertOptions } from '../../../model/run/alert.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import type { Option } from '../../../engine/run/operations/option.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Removes files that no version names and no program is writing, and files of versions outside the retention. */
export type ArchiveSweepOperation = {
  readonly kind: 'archive-sweep'
  readonly from: string
  readonly tables: readonly string[]
  /** Minimum age of the files, ms. */
  readonly olderThanMs: number
  /** Retention of files of older versions, ms; default: the ledger's; without one, they are never removed. */
  readonly retentionMs?: number
  /** Other ledgers that the log names: URL of the ledger's database, or `gone:ID` if the ledger no longer exists. */
  readonly ledgers?: readonly string[] | undefined
  /** Name of the table, or `all` for several; confirms the command. */
  readonly confirm?: string
  readonly alert?: AlertOptions
  readonly dryRun: boolean
}

/** Options of `archive sweep`; other actions of `archive` share some. */
export const SWEEP_OPTIONS: readonly Option[] = [
  {
    name: 'age',
    type: 'text',
    unit: 'duration',
    fallback: '24h',
    group: 'sweep:',
    describe: 'only files that are older than this',
  },
  {
    name: 'retention',
    type: 'text',
    unit: 'duration',
    shown: 'as in the ledger',
    group: 'sweep and expire:',
    describe:
      'how long to keep files that the archive no longer uses, such as 30d; recorded for later runs. During this time expired partitions can be restored, and older versions can be read',
  },
  {
    name: 'ledger',
    type: 'list',
    shown: 'none',
    group: 'sweep and erase:',
    describe:
      "another database that the archive's log names: its ledger is read before files are destroyed; or gone:ID for a ledger that is lost for good; repeatable",
  },
]

const EVENTS = ['archive.finding', 'log'] as const

export const archiveSweep: Declaration<ArchiveSweepOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-sweep',
  command: 'archive',
  actions: {
    'archive sweep': {
      from: words.end('from'),
      tables: words.anyTables,
      olderThanMs: words.duration('age'),
      retentionMs: words.optionalDuration('retention'),
      ledgers: words.databases('ledger'),
      confirm: words.optionalText('confirm'),
      alert: words.alert,
      dryRun: words.flag('dry-run'),
    },
  },
  display: 'lines',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'ledgers', family: 'database', access: 'read' },
  ],
  about: 'tables',
  destroys: [
    {
      what: 'files that no version of an archive names, or none within the retention',
      confirm: 'confirm',
      asked: 'to remove these files',
      named: { field: 'tables', several: 'all' },
      against: 'the files to remove are of',
      counted: true,
    },
  ],
  plans: 'dryRun',
  alerts: { causes: FAILED },
  events: EVENTS,
}
