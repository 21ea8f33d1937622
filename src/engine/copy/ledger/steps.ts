/** Upgrade steps of the ledger, from one version to the next. */
import type { LedgerDialect } from '../../../stores/ledger-dialect.ts'
import {
  acceptedTable,
  CHUNK_INDEX_BY_RUN,
  CHUNK_INDEXES,
  CHUNK_TABLE,
  ledgerColumnType,
  LATE_CHUNK_COLUMNS,
  LATE_OWNER_COLUMNS,
  LATE_PLAN_COLUMNS,
  LATE_PLANNER_COLUMNS,
  LATE_RUN_COLUMNS,
  OLD_CHUNK_INDEX,
  type CopyColumns,
} from './columns.ts'

/** Facts about the ledger that a step may read before it changes the ledger. */
export type LedgerFacts = {
  readonly types: LedgerDialect['types']
  readonly indexes: LedgerDialect['indexes']
  /** Column names of a table; empty if there is no such table. */
  readonly columns: (table: string) => Promise<ReadonlySet<string>>
  /** Statements that convert older tables to the character set of new ones. */
  readonly renewals: (tables: readonly string[]) => Promise<readonly string[]>
}

/**
 * @property version of the ledger once all statements ran
 * @property statements idempotent: they run one by one, and each may run twice, or in two processes at once. A new
 * ledger runs them too. All statements of a step are built before the first one runs.
 */
export type LedgerStep = {
  readonly version: number
  readonly statements: (facts: LedgerFacts) => Promise<readonly string[]>
}

/** Tables that a ledger of version 1 may have; some are created at first use. */
const TABLES_OF_1 = [
  'migration_ledger',
  'migration_tokens',
  'migration_runs',
  'migration_plans',
  'migration_checkpoints',
  'migration_chunk_history',
  'migration_quarantine',
  'migration_repairs',
  'migration_repair_plans',
  'migration_rechecks',
  'migration_objects',
] as const

/** Ascending; the last one leads to `LEDGER_VERSION`. */
export const STEPS: readonly LedgerStep[] = [
  {
    version: 2,
    statements: async (facts) => [
      // Version 1 used the character set of the database: names may not fit, and `Users` and `users` may be equal.
      ...(await facts.renewals(TABLES_OF_1)),
      acceptedTable(facts),
      ...(await addColumns(facts, 'migration_plans', LATE_PLAN_COLUMNS)),
      ...(await addColumns(facts, 'migration_checkpoints', LATE_CHUNK_COLUMNS)),
      ...(await addColumns(facts, 'migration_chunk_history', LATE_CHUNK_COLUMNS)),
      ...(await addColumns(facts, 'migration_runs', LATE_RUN_COLUMNS)),
      REFUSED,
    ],
  },
  {
    version: 3,
    statements: async (facts) => [
      ...(await addColumns(facts, 'migration_runs', LATE_OWNER_COLUMNS)),
      ...(await addColumns(facts, 'migration_plans', LATE_PLANNER_COLUMNS)),
      ...(await addColumns(facts, 'migration_checkpoints', LATE_OWNER_COLUMNS)),
      ...(await addColumns(facts, 'migration_chunk_history', LATE_OWNER_COLUMNS)),
      // Create before drop, so that a kill in between leaves a ledger that is no slower.
      ...createIndexes(facts, CHUNK_INDEXES),
      ...(facts.indexes.kept ? [facts.indexes.drop(OLD_CHUNK_INDEX, CHUNK_TABLE)] : []),
    ],
  },
  { version: 4, statements: async (facts) => createIndexes(facts, CHUNK_INDEX_BY_RUN) },
]

/** Statements that create indexes of chunks; none if ledgers of this system have no indexes. */
function createIndexes({ indexes }: LedgerFacts, wanted: Readonly<Record<string, string>>): readonly string[] {
  if (!indexes.kept) return []
  return Object.entries(wanted).map(
    ([name, columns]) => `CREATE INDEX ${indexes.unlessThere}${name} ON ${CHUNK_TABLE} (${columns})`,
  )
}

/** Marks completed chunks with quarantined rows as failed, so that queries for failed chunks find them. */
const REFUSED = `UPDATE migration_checkpoints SET status = 'failed', error_code = 'ROWS_ASIDE',
  error_message = 'rows were refused, and wait in migration_quarantine' WHERE status = 'completed' AND rows_quarantined > 0`

/** Statements that add missing columns to a table. */
async function addColumns(facts: LedgerFacts, table: string, columns: CopyColumns): Promise<readonly string[]> {
  const found = await facts.columns(table)
  if (found.size === 0) return []
  return Object.entries(columns).flatMap(([name, kind]) =>
    found.has(name) ? [] : [`ALTER TABLE ${table} ADD COLUMN ${name} ${ledgerColumnType(facts, kind)}`],
  )
}
