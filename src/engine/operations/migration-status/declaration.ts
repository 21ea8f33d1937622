import type { Declaration } from '../declaration.ts'

export type MigrationStatusOperation = {
  readonly kind: 'migration-status'
  readonly catalog: string
  readonly tableId?: string
}

export const migrationStatus: Declaration<MigrationStatusOperation> = {
  kind: 'migration-status',
  command: 'migration-status',
  shape: 'listing',
  stores: [{ field: 'catalog', family: 'catalog', access: 'read', end: 'target' }],
  events: ['run', 'log'],
}
