import type { Declaration } from '../../../run/operations/declaration.ts'

export type DiscoverDatabaseOperation = {
  readonly kind: 'discover-database'
  readonly url: string
  readonly tables: readonly string[]
}

/** Patterns for all tables: `*` finds tables that need no schema, and `*.*` the tables of every schema. */
export const EVERY_TABLE: readonly string[] = ['*', '*.*']

const EVENTS = ['relation', 'log'] as const

export const discoverDatabase: Declaration<DiscoverDatabaseOperation, (typeof EVENTS)[number]> = {
  kind: 'discover-database',
  command: 'discover',
  display: 'listing',
  stores: [
    // Without `end`, because the event `run.started` names the database neither as source nor as target.
    { field: 'url', family: 'database', access: 'read' },
  ],
  events: EVENTS,
}
