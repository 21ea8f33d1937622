import type { Declaration } from '../../../run/operations/declaration.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type MigrationStatusOperation = {
  readonly kind: 'migration-status'
  readonly catalog: string
  readonly tableId?: string
}

const EVENTS = ['run', 'log'] as const

export const migrationStatus: Declaration<MigrationStatusOperation, (typeof EVENTS)[number]> = {
  kind: 'migration-status',
  command: {
    ...PAGES['migration-status'],
    takes: [{ name: 'table-id', type: 'text', completes: 'catalog table', describe: 'only this table' }],
  },
  words: { catalog: words.catalog, tableId: words.optionalText('table-id') },
  display: 'listing',
  stores: [{ field: 'catalog', family: 'catalog', access: 'read', end: 'target' }],
  events: EVENTS,
}
