/** Declares SQLite: name, schemes of its URLs, and what it offers. */
import { OFFERS } from './offered.ts'
import { databaseFile, type SystemDeclaration } from '../declaration.ts'

export const sqlite: SystemDeclaration = {
  name: 'sqlite',
  title: 'SQLite',
  schemes: ['sqlite'],
  example: 'sqlite:///file.db',
  family: 'sqlite',
  file: {
    isOne: (head) => head.toString('latin1') === 'SQLite format 3\0',
    alsoNeeded: 'the same on its folder, for the -wal and -shm files',
  },
  catalog: {
    example: 'sqlite:///file.db (relative), sqlite:////path/file.db (absolute)',
    schema: { instead: 'SQLite: a file holds one catalog, name another file' },
    open: async (place, mode) => (await import('./sql-database.ts')).openSqlite(databaseFile(place), mode, place.label),
  },
  copies: {
    atomic: 'chunk',
    offers: OFFERS,
    open: async (place, { mode }) =>
      (await import('./copy/index.ts')).openSqliteCopy(databaseFile(place), {
        mode: mode === 'write' ? mode : 'read',
        label: place.url,
      }),
  },
  native: { module: 'better-sqlite3', version: async () => (await import('./version.ts')).sqliteVersion() },
}
