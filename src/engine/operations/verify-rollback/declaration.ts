import type { CheckFiles } from '../rollback/declaration.ts'
import type { Declaration } from '../declaration.ts'
import { CHECK_FILES, TABLE } from '../shared-options.ts'

export type VerifyRollbackOperation = {
  readonly kind: 'verify-rollback'
  readonly table: string
  readonly catalog: string
  readonly checkFiles: CheckFiles
}

export const verifyRollback: Declaration<VerifyRollbackOperation> = {
  kind: 'verify-rollback',
  command: {
    name: 'verify-rollback',
    operands: '<table>',
    group: 'Lakes',
    summary: 'check that a table can go back to its own log',
    takes: [TABLE, CHECK_FILES],
  },
  shape: 'lines',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: ['verify.check', 'log'],
}
