/** How a ledger of one version becomes one of the next. */
import type { LedgerDialect } from '../../../stores/ledger-dialect.ts'
import {
  acceptedTable,
  CHUNK_INDEX_BY_RUN,
  CHUNK_INDEXES,
  CHUNK_TABLE,
  columnType,
  LATE_CHUNK_COLUMNS,
  LATE_OWNER_COLUMNS,
  LATE_PLAN_COLUMNS,
  LATE_PLANNER_COLUMNS,
  LATE_RUN_COLUMNS,
  OLD_CHUNK_INDEX,
  type Columns,
} from './columns.ts'

/** What a step may ask of the ledger before it changes it. */
export type LedgerLook = {
  readonly types: LedgerDialect['types']
  readonly indexes: LedgerDialect['indexes']
  /** Names of the columns of a table; empty where there is no such table. */
  readonly columns: (table: string) => Promise<ReadonlySet<string>>
  /** What brings tables of before to the character set of new ones. */
  readonly renewals: (tables: readonly string[]) => Promise<readonly string[]>
}

/**
 * @property version that the ledger has once all statements ran
 * @property statements runs alone each, and may run twice, or at the same time in two programs: it does what is missing, and no more. A ledger that was
 *   just created runs them too. No statement may need what an earlier statement of the same step makes to be planned.
 */
export type LedgerStep = {
  readonly version: number
  readonly statements: (look: LedgerLook) => Promise<readonly string[]>
}

/** Those that a ledger of version 1 may have; some are made when they are needed first. */
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

/** In ascending order; the last one leads to `LEDGER_VERSION`. */
export const STEPS: readonly LedgerStep[] = [
  {
    version: 2,
    statements: async (look) => [
      // Version 1 took the character set of the database, where names may not fit, and `Users` and `users` were one.
      ...(await look.renewals(TABLES_OF_1)),
      acceptedTable(look),
      ...(await missing(look, 'migration_plans', LATE_PLAN_COLUMNS)),
      ...(await missing(look, 'migration_checkpoints', LATE_CHUNK_COLUMNS)),
      ...(await missing(look, 'migration_chunk_history', LATE_CHUNK_COLUMNS)),
      ...(await missing(look, 'migration_runs', LATE_RUN_COLUMNS)),
      REFUSED,
    ],
  },
  {
    version: 3,
    statements: async (look) => [
      ...(await missing(look, 'migration_runs', LATE_OWNER_COLUMNS)),
      ...(await missing(look, 'migration_plans', LATE_PLANNER_COLUMNS)),
      ...(await missing(look, 'migration_checkpoints', LATE_OWNER_COLUMNS)),
      ...(await missing(look, 'migration_chunk_history', LATE_OWNER_COLUMNS)),
      // New ones first, so that whoever is killed between them leaves a ledger that is no slower.
      ...made(look, CHUNK_INDEXES),
      ...(look.indexes.kept ? [look.indexes.drop(OLD_CHUNK_INDEX, CHUNK_TABLE)] : []),
    ],
  },
  { version: 4, statements: async (look) => made(look, CHUNK_INDEX_BY_RUN) },
]

/** Statements that make indexes of chunks, where the system keeps any. */
function made({ indexes }: LedgerLook, wanted: Readonly<Record<string, string>>): readonly string[] {
  if (!indexes.kept) return []
  return Object.entries(wanted).map(
    ([name, columns]) => `CREATE INDEX ${indexes.unlessThere}${name} ON ${CHUNK_TABLE} (${columns})`,
  )
}

/** Chunks of which rows wait in the quarantine show in the queries for failed ones. */
const REFUSED = `UPDATE migration_checkpoints SET status = 'failed', error_code = 'ROWS_ASIDE',
  error_message = 'rows were refused, and wait in migration_quarantine' WHERE status = 'completed' AND rows_quarantined > 0`

/** Statements that add columns which a table lacks. */
async function missing(look: LedgerLook, table: string, columns: Columns): Promise<readonly string[]> {
  const found = await look.columns(table)
  if (found.size === 0) return []
  return Object.entries(columns).flatMap(([name, kind]) =>
    found.has(name) ? [] : [`ALTER TABLE ${table} ADD COLUMN ${name} ${columnType(look, kind)}`],
  )
}
