import type { AlertOptions } from '../../../../model/run/alert.ts'
import type { AsOf } from '../../../../model/lake/as-of.ts'
import { alertOptions } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { AS_OF, TABLE } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type FsckOperation = {
  readonly kind: 'fsck'
  readonly table: string
  /** URL of a catalog: if it has the table, the active files are read from the catalog, not from the log. */
  readonly catalog?: string
  readonly asOf: AsOf
  /** True to read all rows, too. */
  readonly deep: boolean
  /** Number of files to open, chosen by the seed; all if absent. */
  readonly sample?: number
  readonly seed: string
  /** Only files added after this version. */
  readonly since?: number
  /** True to check files outside of the table root, too: shallow clones have such files. */
  readonly outside: boolean
  readonly alert?: AlertOptions
}

const CAUSES = ['fsck', 'failed'] as const

const EVENTS = [
  'plan.ready',
  'chunk.started',
  'chunk.progress',
  'chunk.done',
  'fsck.finding',
  'fsck.checked',
  'fsck.progress',
  'log',
] as const

export const fsck: Declaration<FsckOperation, (typeof EVENTS)[number]> = {
  kind: 'fsck',
  command: {
    ...PAGES.fsck,
    takes: [
      TABLE,
      ...AS_OF,
      { name: 'deep', type: 'flag', default: false, describe: 'read all rows back, and check page checksums' },
      {
        name: 'sample',
        type: 'number',
        least: 1,
        describe: 'open only this many files; all are listed, and all deletion vectors read',
      },
      {
        name: 'seed',
        type: 'text',
        default: '0',
        describe: 'selects the files of --sample; the same seed opens the same files',
      },
      { name: 'since', type: 'number', describe: 'only files added after this version' },
      {
        name: 'outside',
        type: 'flag',
        default: false,
        describe: 'also check files outside the table folder, as shallow clones have them',
      },
      ...alertOptions(CAUSES),
    ],
  },
  words: {
    table: words.text('table'),
    catalog: words.optionalCatalog,
    asOf: words.asOf,
    deep: words.flag('deep'),
    sample: words.optionalCount('sample'),
    seed: words.text('seed'),
    since: words.optionalCount('since'),
    outside: words.flag('outside'),
    alert: words.alert,
  },
  display: 'lines',
  doing: 'checking files',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  distributes: { by: 'parts' },
  alerts: { causes: CAUSES, by: ['asOf', 'deep', 'sample', 'since', 'outside'] },
  comesAgain: true,
  events: EVENTS,
}
