import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions, FAILED } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { TABLE } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

const CHECKPOINTS = ['none', 'base', 'latest'] as const

/**
 * Checkpoints of an exported log. `none`: no checkpoint. `base`: a checkpoint of the catalog's first version, without
 * which later commits cannot be read. `latest`: `base`, and a checkpoint of the latest version.
 */
export type ExportedCheckpoint = (typeof CHECKPOINTS)[number]

export type ExportLogOperation = {
  readonly kind: 'export-log'
  readonly table: string
  readonly catalog: string
  readonly to: string
  /** Which checkpoints to write; `base` if absent. */
  readonly checkpoint?: ExportedCheckpoint
  readonly alert?: AlertOptions
}

const EVENTS = ['verify.check', 'verify.mismatch', 'log'] as const

export const exportLog: Declaration<ExportLogOperation, (typeof EVENTS)[number]> = {
  kind: 'export-log',
  command: {
    ...PAGES['export-log'],
    takes: [
      TABLE,
      {
        name: 'to',
        type: 'text',
        required: true,
        completes: 'folder',
        describe: 'folder for the _delta_log; must not have one yet',
      },
      {
        name: 'checkpoint',
        type: 'choice',
        choices: CHECKPOINTS,
        describe:
          'checkpoints to write: none, base (of the version where the catalog begins, if that is not 0) or latest (base, and one of the latest version); base by default',
      },
      ...alertOptions(FAILED),
    ],
  },
  words: {
    table: words.text('table'),
    catalog: words.catalog,
    to: words.text('to'),
    checkpoint: words.optionalChoice('checkpoint', CHECKPOINTS),
    alert: words.alert,
  },
  display: 'lines',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
    { field: 'to', family: 'folder', access: 'write' },
  ],
  about: 'table',
  alerts: { causes: FAILED },
  events: EVENTS,
}
