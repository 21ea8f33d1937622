import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { TABLE } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

/** Number of older versions that are checked by default. */
export const SAMPLED_VERSIONS = 4

export type ValidateOperation = {
  readonly kind: 'validate'
  readonly table: string
  readonly catalog: string
  readonly verbose: boolean
  /** Number of older versions to check in addition to the latest. */
  readonly samples: number
  /** Maximum number of checkpoints to compare; absent means all. */
  readonly checkpoints?: number
  readonly alert?: AlertOptions
}

const CAUSES = ['drift', 'failed'] as const

const EVENTS = [
  'plan.ready',
  'verify.check',
  'verify.mismatch',
  'log',
  'chunk.started',
  'chunk.progress',
  'chunk.done',
] as const

export const validate: Declaration<ValidateOperation, (typeof EVENTS)[number]> = {
  kind: 'validate',
  command: {
    ...PAGES.validate,
    takes: [
      TABLE,
      {
        name: 'samples',
        type: 'number',
        most: 1000,
        shown: `${SAMPLED_VERSIONS} versions, all checkpoints`,
        config: 'default',
        describe: 'maximum number of older versions, and of checkpoints, to check besides the latest',
      },
      ...alertOptions(CAUSES),
    ],
  },
  words: {
    table: words.text('table'),
    catalog: words.catalog,
    verbose: words.flag('verbose'),
    samples: words.countOr('samples', SAMPLED_VERSIONS),
    checkpoints: words.optionalCount('samples'),
    alert: words.alert,
  },
  display: 'long',
  doing: 'validating',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  distributes: { by: 'parts' },
  alerts: { causes: CAUSES, by: ['samples'] },
  comesAgain: true,
  events: EVENTS,
}
