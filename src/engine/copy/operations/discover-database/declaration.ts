import type { Declaration } from '../../../run/operations/declaration.ts'

export type DiscoverDatabaseOperation = {
  readonly kind: 'discover-database'
  readonly url: string
  readonly tables: readonly string[]
}

/** Patterns of all there is: tables that are found without their schema, and those of every schema. */
export const EVERY_TABLE: readonly string[] = ['*', '*.*']

const EVENTS = ['relation', 'log'] as const

export const discoverDatabase: Declaration<DiscoverDatabaseOperation, (typeof EVENTS)[number]> = {
  kind: 'discover-database',
  command: 'discover',
  shape: 'listing',
  stores: [
    // Named by no event: `relation` says which database it is of.
    { field: 'url', family: 'database', access: 'read' },
  ],
  events: EVENTS,
}
