/**
 * The catalog in a DuckDB file, for people who open it in DuckDB afterwards. No indexes: its scans skip row groups by their own
 * minima and maxima, and an ART index would have to fit in memory and double the time of a load.
 */
import { literal } from '../../shared/sql-text.ts'
import type { CatalogDialect } from '../dialect-port.ts'
import { catalogSql } from '../relations-sql.ts'
import { sql as rangesAndViews } from './002-ranges-views.ts'
import { sql as fsck } from './003-fsck.ts'
import { sql as statusTimes } from './004-status-times.ts'
import { owners } from './005-lease-owners.ts'

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
  // Keys stay where rows are few. On the others they would cost what indexes cost.
  .replace(/(CREATE TABLE IF NOT EXISTS delta_(?:actions|commits|partitions) [^;]*?), PRIMARY KEY \([^)]*\)/gs, '$1')

export const duckdbDialect: CatalogDialect = {
  migrations: [
    { version: 1, name: 'catalog', sql: relations, breaking: true },
    { version: 2, name: 'ranges and views', sql: rangesAndViews, breaking: true },
    { version: 3, name: 'fsck', sql: fsck, breaking: false },
    { version: 4, name: 'times of imports', sql: statusTimes, breaking: true },
    owners,
  ],
  transactionalDdl: true,
  numbering: 'table',
  files: { kind: 'shared', indexes: [] },
  objectNames: `SELECT table_name FROM duckdb_tables() WHERE NOT internal AND database_name = current_database() UNION SELECT view_name FROM duckdb_views()
    WHERE NOT internal AND database_name = current_database()`,
  analyze: 'ANALYZE',
  dependents: `SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database() AND view_name NOT LIKE 'delta|_%' ESCAPE '|'
    AND (sql LIKE '%delta|_%' ESCAPE '|' OR sql LIKE '%migration|_status%' ESCAPE '|')`,
  jsonText: (column, path) =>
    `json_extract_string(${column}, ${literal(`$${path.map((name) => `.${JSON.stringify(name)}`).join('')}`)})`,
}
