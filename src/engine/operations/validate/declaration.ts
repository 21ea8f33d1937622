import type { Declaration } from '../declaration.ts'

export type ValidateOperation = {
  readonly kind: 'validate'
  readonly table: string
  readonly catalog: string
  readonly verbose: boolean
  /** Older versions to check beside the latest. */
  readonly samples: number
  /** Checkpoints to compare at most; absent means all. */
  readonly checkpoints?: number
}

export const validate: Declaration<ValidateOperation> = {
  kind: 'validate',
  command: 'validate',
  shape: 'long',
  doing: 'validating',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  events: ['plan.ready', 'verify.check', 'verify.mismatch', 'log', 'chunk.started', 'chunk.progress', 'chunk.done'],
}
