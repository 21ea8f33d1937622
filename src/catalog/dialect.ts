/** Finds the dialect of a database. */
import { SluiceError } from '../shared/errors.ts'
import type { SqlDialect, SqlReader } from '../model/run/sql-port.ts'
import type { CatalogDialect } from './dialect-port.ts'
import { duckdbDialect } from './duckdb/dialect.ts'
import { mysqlDialect } from './mysql/dialect.ts'
import { postgresqlDialect } from './postgresql/dialect.ts'
import { sqliteDialect } from './sqlite/dialect.ts'

const DIALECTS: Readonly<Partial<Record<SqlDialect, CatalogDialect>>> = {
  sqlite: sqliteDialect,
  postgresql: postgresqlDialect,
  mysql: mysqlDialect,
  duckdb: duckdbDialect,
}

/** @throws SluiceError INTERNAL if a database cannot store catalogs; URLs of such databases are refused earlier */
export function dialectOf({ dialect }: Pick<SqlReader, 'dialect'>): CatalogDialect {
  const found = DIALECTS[dialect]
  if (found === undefined) throw new SluiceError('INTERNAL', `a catalog cannot be stored in ${dialect}`)
  return found
}
