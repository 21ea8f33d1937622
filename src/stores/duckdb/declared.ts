/** Declares DuckDB: name, schemes of its URLs, and what it offers. */
import { OFFERS } from './offered.ts'
import { databaseFile, type SystemDeclaration } from '../declaration.ts'

export const duckdb: SystemDeclaration = {
  name: 'duckdb',
  title: 'DuckDB',
  schemes: ['duckdb'],
  example: 'duckdb:///file.duckdb',
  family: 'duckdb',
  file: { isOne: (head) => head.toString('latin1', 8, 12) === 'DUCK' },
  catalog: {
    schema: { instead: 'DuckDB: a file holds one catalog, name another file' },
    oneOpener: true,
    threads: true,
    open: async (place, mode, { threads }) =>
      (await import('./sql-database.ts')).openDuckdb(databaseFile(place), mode, {
        label: place.label,
        ...(threads === undefined ? {} : { threads }),
      }),
  },
  copies: {
    atomic: 'chunk',
    offers: OFFERS,
    open: async (place, { mode }) =>
      (await import('./copy/index.ts')).openDuckdbCopy(databaseFile(place), {
        mode: mode === 'write' ? mode : 'read',
        label: place.url,
      }),
  },
  native: { module: '@duckdb/node-api', version: async () => (await import('./version.ts')).duckdbVersion() },
}
