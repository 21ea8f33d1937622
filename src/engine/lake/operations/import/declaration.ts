import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { BATCH_SIZE, IMPORT_EVENTS, PLAN_ONLY, RESUME, waitOption } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type ImportOperation = {
  readonly kind: 'import'
  readonly table: string
  readonly catalog: string
  readonly tableId?: string
  /** Set if the table with the id `tableId` was moved here from its location in the catalog. */
  readonly moved?: true | undefined
  readonly dryRun: boolean
  readonly resume: boolean
  readonly batchSize: number
  readonly verbose: boolean
  /** True to import a table even if it has features that sluice cannot read; it is marked as refused. */
  readonly allowRefused: boolean
  /** How long to wait for another import of the same table, ms. */
  readonly waitMs: number
  readonly alert?: AlertOptions
}

const CAUSES = ['stuck', 'failed'] as const

export const importOne: Declaration<ImportOperation, (typeof IMPORT_EVENTS)[number]> = {
  kind: 'import',
  command: {
    ...PAGES.import,
    takes: [
      {
        name: 'table',
        operand: true,
        type: 'text',
        completes: 'delta table',
        describe: 'path with a _delta_log below it',
      },
      {
        name: 'table-id',
        type: 'text',
        completes: 'catalog table',
        describe: 'name in the catalog (default: the folder name and 8 hex digits)',
      },
      {
        name: 'moved',
        type: 'flag',
        default: false,
        describe: 'the table of --table-id is in this folder now: it was renamed or moved',
      },
      BATCH_SIZE,
      PLAN_ONLY,
      RESUME,
      {
        name: 'allow-refused',
        type: 'flag',
        default: false,
        describe: 'import a table with features that sluice cannot read, marked as refused',
      },
      waitOption('0s'),
      ...alertOptions(CAUSES),
    ],
  },
  words: {
    table: words.text('table'),
    catalog: words.catalog,
    tableId: words.optionalText('table-id'),
    moved: words.set('moved'),
    dryRun: words.flag('dry-run'),
    resume: words.flag('resume'),
    batchSize: words.count('batch-size'),
    verbose: words.flag('verbose'),
    allowRefused: words.flag('allow-refused'),
    waitMs: words.duration('wait'),
    alert: words.alert,
  },
  display: 'long',
  pauses: true,
  lanes: true,
  doing: 'importing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  plans: 'dryRun',
  distributes: { by: 'parts' },
  alerts: { causes: CAUSES },
  comesAgain: true,
  events: IMPORT_EVENTS,
}
