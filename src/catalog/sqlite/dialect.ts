/** The catalog in SQLite. */
import { sqlLiteral } from '../../shared/sql-text.ts'
import { laterMigrations } from './migrations.ts'
import type { CatalogDialect } from '../dialect-port.ts'
import { fileIndexes, sqliteCatalogSql } from './001-catalog.ts'

export const sqliteDialect: CatalogDialect = {
  migrations: [{ version: 1, name: 'catalog', sql: sqliteCatalogSql, breaking: true }, ...laterMigrations],
  transactionalDdl: true,
  // The row id is the key, because it is the smallest and fastest one.
  numbering: 'database',
  files: {
    kind: 'shared',
    indexes: fileIndexes.map((index) => ({ ...index, drop: `DROP INDEX IF EXISTS ${index.name}` })),
  },
  objectNames: `SELECT name FROM sqlite_schema WHERE type IN ('table', 'index', 'view')`,
  analyze: 'PRAGMA analysis_limit = 1000; ANALYZE;',
  dependents: `SELECT name FROM sqlite_schema WHERE sql LIKE '%delta\\_%' ESCAPE '\\' AND name NOT LIKE 'delta\\_%' ESCAPE '\\'
    AND tbl_name NOT LIKE 'delta\\_%' ESCAPE '\\' AND type IN ('table', 'view', 'trigger')
    UNION SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'delta\\_%' ESCAPE '\\'`,
  // `->` keeps the exact token: `->>` and json_extract read decimals and integers past 2^63 as REAL.
  jsonText: (column, path) => `${column} -> ${sqlLiteral(jsonPath(path))}`,
}

/** A path for SQLite's JSON functions; every name is quoted, so dots and brackets in names are plain text. */
function jsonPath(path: readonly string[]): string {
  return `$${path.map((name) => `."${name.replaceAll('"', '\\"')}"`).join('')}`
}
