/** Ledger SQL of MySQL and MariaDB. */
import type { LedgerDialect } from '../common/ledger-dialect-port.ts'

export const MYSQL_LEDGER: LedgerDialect = {
  now: 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)',
  types: {
    id: 'BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY',
    integer: 'BIGINT',
    // A key of a table name and a schema name fits into InnoDB's 3072 bytes.
    name: 'VARCHAR(190)',
    text: 'LONGTEXT',
    castText: 'CHAR',
    time: 'DATETIME(3)',
    currentTime: 'CURRENT_TIMESTAMP(3)',
  },
  skipLocked: 'FOR UPDATE SKIP LOCKED',
  shareLocked: 'LOCK IN SHARE MODE',
  // IGNORE would ignore other errors too.
  unlessThere: 'ON DUPLICATE KEY UPDATE table_name = table_name',
  before: [],
  hidesTables: true,
  columns: 'SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?',
  // For a list of names MariaDB would open every table of the database.
  columnsOfAll: (tables) =>
    Array.from(
      { length: tables },
      () =>
        'SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?',
    ).join(' UNION ALL '),
  keyless: (tables) =>
    Array.from(
      { length: tables },
      () => `SELECT t.table_name FROM information_schema.tables t WHERE t.table_schema = DATABASE() AND t.table_name = ?
        AND NOT EXISTS (SELECT 1 FROM information_schema.table_constraints k WHERE k.table_schema = t.table_schema
          AND k.table_name = t.table_name AND k.constraint_type = 'PRIMARY KEY')`,
    ).join(' UNION ALL '),
  // MySQL has neither IF EXISTS nor IF NOT EXISTS here; the caller accepts the errors instead.
  indexes: { kept: true, unlessThere: '', drop: (name, table) => `DROP INDEX ${name} ON ${table}` },
  updates: 'join',
  bulk: null,
}
