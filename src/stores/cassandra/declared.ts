/** Declares Cassandra: name, schemes of its URLs, and what it offers. */
import { OFFERS } from './offered.ts'
import type { SystemDeclaration } from '../declaration.ts'

export const cassandra: SystemDeclaration = {
  name: 'cassandra',
  title: 'Cassandra',
  schemes: ['cassandra', 'ycql'],
  example: 'cassandra://user@host,host/keyspace',
  family: 'cassandra',
  copies: {
    atomic: 'row',
    offers: OFFERS,
    batchesByPartition: true,
    tracks: ['Cassandra', 'YugabyteDB'],
    open: async ({ url }, options) => (await import('./copy/index.ts')).openCassandraCopy(url, options),
  },
  unasked: 'Cassandra has no read-only sessions, so only sluice could prevent a statement from writing',
  inspect: async (checks, url, clock) => (await import('./preflight.ts')).inspectCassandra(checks, url, clock),
}
