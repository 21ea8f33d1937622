import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions, FAILED } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import {
  CHECK_FILES,
  CHECKED_FILES,
  TABLE,
  waitOption,
  REMOVAL_PREVIEW,
} from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

/** Which data files are checked for existence before a table may be removed. */
export type CheckFiles = (typeof CHECKED_FILES)[number]

export type RollbackOperation = {
  readonly kind: 'rollback'
  readonly table: string
  readonly catalog: string
  readonly confirm?: string
  readonly checkFiles: CheckFiles
  readonly dryRun: boolean
  /** Longest wait for another program, ms; 0 if absent. */
  readonly waitMs?: number
  /** Set to remove the table even if its log lacks data that the catalog has. */
  readonly forget?: true | undefined
  readonly alert?: AlertOptions
}

const EVENTS = ['verify.check', 'log'] as const

export const rollback: Declaration<RollbackOperation, (typeof EVENTS)[number]> = {
  kind: 'rollback',
  command: {
    ...PAGES.rollback,
    takes: [
      TABLE,
      { name: 'confirm', type: 'text', describe: 'name of the table; answers the question in advance' },
      REMOVAL_PREVIEW,
      {
        name: 'forget',
        type: 'flag',
        default: false,
        describe: 'remove the table even if its log is missing or does not match the catalog; report what is lost',
      },
      CHECK_FILES,
      waitOption('0s'),
      ...alertOptions(FAILED),
    ],
  },
  words: {
    table: words.text('table'),
    catalog: words.catalog,
    confirm: words.optionalText('confirm'),
    checkFiles: words.choice('check-files', CHECKED_FILES),
    dryRun: words.flag('dry-run'),
    waitMs: words.duration('wait'),
    forget: words.set('forget'),
    alert: words.alert,
  },
  display: 'lines',
  doing: 'rolling back',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  destroys: [
    {
      what: 'the rows of the table in the catalog',
      confirm: 'confirm',
      asked: 'to remove it from the catalog',
      // The checks use the table's name in the catalog, which is shorter to type than a path.
      named: { event: 'verify.check', field: 'table', or: 'table' },
      refused: (name) => `rollback removes ${name} from the catalog`,
    },
  ],
  plans: 'dryRun',
  alerts: { causes: FAILED },
  events: EVENTS,
}
