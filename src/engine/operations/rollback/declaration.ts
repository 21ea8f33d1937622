import type { Declaration } from '../declaration.ts'

/** Which data files are looked for before a table may go. */
export type CheckFiles = 'none' | 'sample' | 'all'

export type RollbackOperation = {
  readonly kind: 'rollback'
  readonly table: string
  readonly catalog: string
  readonly confirm?: string
  readonly checkFiles: CheckFiles
  readonly dryRun: boolean
}

export const rollback: Declaration<RollbackOperation> = {
  kind: 'rollback',
  command: 'rollback',
  shape: 'lines',
  doing: 'rolling back',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  destroys: [{ what: 'the rows of the table in the catalog', confirm: 'confirm', asked: true }],
  plans: 'dryRun',
  events: ['verify.check', 'log'],
}
