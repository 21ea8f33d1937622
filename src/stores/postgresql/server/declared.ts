/** Declares PostgreSQL: name, schemes of its URLs, and what it offers. */
import { OFFERS } from './offered.ts'
import { urlOf, type SystemDeclaration } from '../../declaration.ts'

export const postgresql: SystemDeclaration = {
  name: 'postgresql',
  title: 'PostgreSQL',
  schemes: ['postgresql', 'postgres'],
  example: 'postgresql://user@host/database',
  family: 'postgresql',
  catalog: {
    schema: true,
    open: async (place, mode, { route, retryLimitMs, rightsOnly }) =>
      (await import('./sql-database.ts')).openPostgres(urlOf(place), mode, { route, retryLimitMs, rightsOnly }),
    server: async (url) => (await import('./preflight.ts')).postgresqlPreflight(url),
  },
  queue: async (url, mode, slots) => (await import('../queue/queue.ts')).openPostgresQueue(url, mode, slots),
  queueRights: async (url) => (await import('../queue/rights.ts')).openPostgresQueueRights(url),
  copies: {
    atomic: 'chunk',
    offers: OFFERS,
    tracks: ['PostgreSQL'],
    identity: ['system', 'system identifier of the server', 'oid of the database'],
    open: async ({ url }, { lockWaitMs, moving, yields, mortal }) =>
      (await import('../copy/index.ts')).openPostgresCopy(url, { lockWaitMs, moving, yields, mortal }),
    retire: async (url, options) =>
      (await import('../partition/retirement/index.ts')).openPostgresRetirement(url, options),
  },
}
