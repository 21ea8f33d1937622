/** Which dialect goes with which database. */
import type { SqlDialect, SqlReader } from '../stores/port.ts'
import type { CatalogDialect } from './dialect-port.ts'
import { duckdbDialect } from './duckdb/dialect.ts'
import { mysqlDialect } from './mysql/dialect.ts'
import { postgresqlDialect } from './postgresql/dialect.ts'
import { sqliteDialect } from './sqlite/dialect.ts'

const DIALECTS: Readonly<Record<SqlDialect, CatalogDialect>> = {
  sqlite: sqliteDialect,
  postgresql: postgresqlDialect,
  mysql: mysqlDialect,
  duckdb: duckdbDialect,
}

export function dialectOf(reader: Pick<SqlReader, 'dialect'>): CatalogDialect {
  return DIALECTS[reader.dialect]
}
