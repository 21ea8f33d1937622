import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import {
  BATCH_SIZE,
  EXCLUDE,
  IMPORT_EVENTS,
  parallelOption,
  PLAN_ONLY,
  RECURSIVE,
  RESUME,
  waitOption,
} from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type BatchImportOperation = {
  readonly kind: 'batch-import'
  readonly path: string
  readonly catalog: string
  readonly recursive: boolean
  readonly exclude: readonly string[]
  readonly parallel: number
  readonly batchSize: number
  /** Longest wait for another program, ms; absent in runs that an older version has queued. */
  readonly waitMs?: number
  readonly dryRun: boolean
  readonly resume: boolean
  readonly verbose: boolean
  /** Only these tables (paths below `path`), chosen in the UI; absent means all. */
  readonly only?: readonly string[]
  readonly alert?: AlertOptions
}

const CAUSES = ['stuck', 'failed'] as const

export const batchImport: Declaration<BatchImportOperation, (typeof IMPORT_EVENTS)[number]> = {
  kind: 'batch-import',
  command: {
    ...PAGES['batch-import'],
    takes: [
      { name: 'path', operand: true, type: 'text', completes: 'path', describe: 'folder with the tables to import' },
      RECURSIVE,
      parallelOption('tables imported in parallel'),
      EXCLUDE,
      BATCH_SIZE,
      waitOption('10s'),
      PLAN_ONLY,
      RESUME,
      ...alertOptions(CAUSES),
    ],
  },
  words: {
    path: words.text('path'),
    catalog: words.catalog,
    recursive: words.flag('recursive'),
    exclude: words.list('exclude'),
    parallel: words.count('parallel'),
    batchSize: words.count('batch-size'),
    waitMs: words.duration('wait'),
    dryRun: words.flag('dry-run'),
    resume: words.flag('resume'),
    verbose: words.flag('verbose'),
    // Set by the UI only.
    only: words.constant(undefined),
    alert: words.alert,
  },
  display: 'long',
  pauses: true,
  lanes: true,
  doing: 'importing',
  stores: [
    { field: 'path', family: 'lake', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'path',
  plans: 'dryRun',
  distributes: { by: 'parts' },
  alerts: { causes: CAUSES },
  comesAgain: true,
  events: IMPORT_EVENTS,
}
