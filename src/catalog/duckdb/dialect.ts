/**
 * The catalog in a DuckDB file, for users who will query it with DuckDB. It has no indexes: scans skip row groups by
 * their minima and maxima, and an ART index must fit into memory and would double the load time.
 */
import { sqlLiteral } from '../../shared/sql-text.ts'
import { laterMigrations } from './migrations.ts'
import type { CatalogDialect } from '../dialect-port.ts'
import { catalogSql } from '../relations-sql.ts'

const relations = catalogSql({
  text: 'VARCHAR',
  key: 'VARCHAR',
  bytes: 'BLOB',
  end: '',
  filesKey: '',
  filesEnd: '',
  inlineIndex: () => '',
  index: () => '',
  uniqueLocation: { inline: '', statement: '' },
  orReplace: 'OR REPLACE',
})
  // Keep keys only on small relations; on the others they cost as much as indexes.
  .replace(/(CREATE TABLE IF NOT EXISTS delta_(?:actions|commits|partitions) [^;]*?), PRIMARY KEY \([^)]*\)/gs, '$1')

export const duckdbDialect: CatalogDialect = {
  migrations: [{ version: 1, name: 'catalog', sql: relations, breaking: true }, ...laterMigrations],
  transactionalDdl: true,
  numbering: 'table',
  files: { kind: 'shared', indexes: [] },
  objectNames: `SELECT table_name FROM duckdb_tables() WHERE NOT internal AND database_name = current_database() UNION SELECT view_name FROM duckdb_views()
    WHERE NOT internal AND database_name = current_database()`,
  analyze: 'ANALYZE',
  dependents: `SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database() AND view_name NOT LIKE 'delta|_%' ESCAPE '|'
    AND (sql LIKE '%delta|_%' ESCAPE '|' OR sql LIKE '%migration|_status%' ESCAPE '|')`,
  jsonText: (column, path) =>
    `json_extract_string(${column}, ${sqlLiteral(`$${path.map((name) => `.${JSON.stringify(name)}`).join('')}`)})`,
}
