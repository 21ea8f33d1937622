/** Ledger dialect of SQLite and of systems that share its SQL. */
import { marks, type LedgerDialect } from '../ledger-dialect-port.ts'

export const SQLITE_LEDGER: LedgerDialect = {
  now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  types: {
    id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
    integer: 'INTEGER',
    name: 'TEXT',
    text: 'TEXT',
    castText: 'TEXT',
    time: 'TEXT',
    currentTime: 'CURRENT_TIMESTAMP',
  },
  skipLocked: '',
  shareLocked: '',
  unlessThere: 'ON CONFLICT DO NOTHING',
  before: [],
  hidesTables: false,
  columns: 'SELECT name FROM pragma_table_info(?)',
  // Table names are compared in lower case, because SQLite finds names in any case.
  columnsOfAll: (tables) =>
    `SELECT lower(t.name), c.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
     WHERE t.type IN ('table', 'view') AND lower(t.name) IN (${marks(tables)})`,
  keyless: null,
  indexes: { kept: true, unlessThere: 'IF NOT EXISTS ', drop: (name) => `DROP INDEX IF EXISTS ${name}` },
  updates: 'subquery',
  bulk: null,
}
