/** Declares MySQL and MariaDB: name, schemes of its URLs, and what it offers. */
import { OFFERS } from './offered.ts'
import { urlOf, type SystemDeclaration } from '../declaration.ts'

export const mysql: SystemDeclaration = {
  name: 'mysql',
  title: 'MySQL',
  schemes: ['mysql', 'mariadb'],
  example: 'mysql://user@host/database',
  family: 'mysql',
  catalog: {
    schema: { instead: 'MySQL: a schema is a database, name it in the URL: mysql://user@host/database' },
    open: async (place, mode, { route, retryLimitMs }) =>
      (await import('./sql-database.ts')).openMysql(urlOf(place), mode, { route, retryLimitMs }),
    server: async (url) => (await import('./preflight.ts')).mysqlPreflight(url),
  },
  copies: {
    atomic: 'chunk',
    offers: OFFERS,
    identity: ['server', 'name of the database'],
    open: async ({ url }, { lockWaitMs }) => (await import('./copy/index.ts')).openMysqlCopy(url, lockWaitMs),
  },
}
