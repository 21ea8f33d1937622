/** The databases that can hold a ledger; what differs per database is in its own folder. */
import type { SqlDialect } from '../model/run/sql-port.ts'
import { DUCKDB_LEDGER } from './duckdb/ledger-dialect.ts'
import type { LedgerDialect } from './common/ledger-dialect-port.ts'
import { MYSQL_LEDGER } from './mysql/ledger-dialect.ts'
import { POSTGRESQL_LEDGER } from './postgresql/server/ledger-dialect.ts'
import { SQLITE_LEDGER } from './common/sqlite-dialect/ledger-dialect.ts'

export type { LedgerDialect } from './common/ledger-dialect-port.ts'

const DIALECTS = {
  postgresql: POSTGRESQL_LEDGER,
  mysql: MYSQL_LEDGER,
  sqlite: SQLITE_LEDGER,
  duckdb: DUCKDB_LEDGER,
} satisfies Readonly<Record<SqlDialect, LedgerDialect>>

export function ledgerDialect(name: SqlDialect): LedgerDialect {
  return DIALECTS[name]
}
