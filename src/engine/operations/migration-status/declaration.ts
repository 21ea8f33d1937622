import type { Declaration } from '../declaration.ts'

export type MigrationStatusOperation = {
  readonly kind: 'migration-status'
  readonly catalog: string
  readonly tableId?: string
}

export const migrationStatus: Declaration<MigrationStatusOperation> = {
  kind: 'migration-status',
  command: {
    name: 'migration-status',
    operands: '',
    group: 'Operate',
    summary: 'list the imports of a catalog and how far they are',
    takes: [{ name: 'table-id', type: 'text', completes: 'catalog table', describe: 'only this table' }],
  },
  shape: 'listing',
  stores: [{ field: 'catalog', family: 'catalog', access: 'read', end: 'target' }],
  events: ['run', 'log'],
}
