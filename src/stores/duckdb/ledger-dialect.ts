/** SQL of a ledger in DuckDB. */
import { marks, type LedgerDialect } from '../common/ledger-dialect-port.ts'

export const DUCKDB_LEDGER: LedgerDialect = {
  now: 'epoch_ms(get_current_timestamp())',
  types: {
    id: "BIGINT PRIMARY KEY DEFAULT nextval('migration_checkpoint_ids')",
    integer: 'BIGINT',
    name: 'VARCHAR',
    text: 'VARCHAR',
    castText: 'TEXT',
    time: 'TIMESTAMP',
    currentTime: 'CURRENT_TIMESTAMP',
  },
  skipLocked: '',
  shareLocked: '',
  unlessThere: 'ON CONFLICT DO NOTHING',
  before: ['CREATE SEQUENCE IF NOT EXISTS migration_checkpoint_ids'],
  hidesTables: false,
  columns:
    'SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?',
  columnsOfAll: (tables) => `SELECT lower(table_name), column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND lower(table_name) IN (${marks(tables)})`,
  keyless: null,
  indexes: { kept: false, unlessThere: 'IF NOT EXISTS ', drop: (name) => `DROP INDEX IF EXISTS ${name}` },
  updates: 'subquery',
  // One JSON text is read a hundred times faster than the same rows in VALUES.
  bulk: (columns, rows) => {
    const cells = columns.map(({ name, type }, at) =>
      type === 'integer' ? `CAST(r->>${at} AS BIGINT) AS ${name}` : `r->>${at} AS ${name}`,
    )
    return {
      from: `(SELECT ${cells.join(', ')} FROM (SELECT unnest(from_json(CAST(? AS VARCHAR), '["JSON"]')) AS r))`,
      parameters: [JSON.stringify(rows)],
    }
  },
}
