/** Tables of the ledger that only some runs need. They are created at first use, also in older ledgers. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { createLedgerTable } from '../../../stores/common/late-table.ts'
import { ledgerDialect, type LedgerDialect } from '../../../stores/ledger-dialect.ts'
import type { TableKey } from './owner.ts'

type Body = (types: LedgerDialect['types']) => string

const BODIES = {
  migration_repair_plans: ({ integer, name, text }) =>
    `run_id ${integer} NOT NULL, schema_name ${name} NOT NULL, table_name ${name} NOT NULL, plan ${text},
     PRIMARY KEY (run_id, schema_name, table_name)`,
  migration_rechecks: ({ integer, name, text }) =>
    `recheck_id ${name} NOT NULL PRIMARY KEY, run_id ${integer} NOT NULL, schema_name ${name} NOT NULL, table_name ${name} NOT NULL,
     level_written ${name} NOT NULL, row_keys ${text} NOT NULL, created_ms ${integer} NOT NULL, rechecked_ms ${integer}`,
  migration_objects: ({ integer, name, text }) =>
    `schema_name ${name} NOT NULL, table_name ${name} NOT NULL, kind ${name} NOT NULL, object_name ${name} NOT NULL, status ${name},
     run_id ${integer}, started_ms ${integer}, ended_ms ${integer}, error_message ${text},
     PRIMARY KEY (schema_name, table_name, kind, object_name)`,
  migration_tracked_runs: ({ integer, name }) =>
    `run_id ${integer} NOT NULL, schema_name ${name} NOT NULL, table_name ${name} NOT NULL, tracked_id ${integer},
     PRIMARY KEY (run_id, schema_name, table_name)`,
  migration_surplus_changes: ({ integer, name }) =>
    `change_id ${name} NOT NULL PRIMARY KEY, run_id ${integer}, schema_name ${name}, table_name ${name}, checkpoint_id ${integer},
     surplus_change ${integer}, changed_ms ${integer}, undone_ms ${integer}`,
  migration_shared_tables: ({ integer, name }) =>
    `shared_run ${name} NOT NULL, schema_name ${name} NOT NULL, table_name ${name} NOT NULL, begun_ms ${integer} NOT NULL, looked_by ${integer}, looked_ms ${integer},
     PRIMARY KEY (shared_run, schema_name, table_name)`,
  migration_shared_restarts: ({ name }) =>
    `shared_run ${name} NOT NULL, what ${name} NOT NULL, schema_name ${name} NOT NULL, table_name ${name} NOT NULL,
     PRIMARY KEY (shared_run, what, schema_name, table_name)`,
  migration_streams: ({ integer, name, text }) =>
    `stream_id ${name} NOT NULL PRIMARY KEY, status ${name} NOT NULL, run_id ${integer}, source ${text}, source_identity ${text}, wishes ${text},
     birth ${text}, fault ${text}, tool ${name}, created_ms ${integer}, ended_ms ${integer}, fence ${integer} NOT NULL, session ${text},
     owner ${name}, host ${name}, pid ${integer}, machine ${name}, process_started ${name}, lease_until ${integer}`,
  migration_stream_lanes: ({ integer, name, text }) =>
    `stream_id ${name} NOT NULL, lane ${integer} NOT NULL, log_position ${name} NOT NULL, commit_ms ${integer}, applied_ms ${integer},
     batches ${integer} NOT NULL, transactions ${integer} NOT NULL, counts ${text}, fence ${integer} NOT NULL, PRIMARY KEY (stream_id, lane)`,
  migration_stream_tables: ({ integer, name, text }) =>
    `stream_id ${name} NOT NULL, schema_name ${name} NOT NULL, table_name ${name} NOT NULL, source_table ${text}, lane ${integer} NOT NULL,
     state ${name} NOT NULL, fence_position ${name}, changed_ms ${integer}, PRIMARY KEY (stream_id, schema_name, table_name)`,
  migration_stream_rereads: ({ integer, name, text }) =>
    `reread_id ${name} NOT NULL PRIMARY KEY, stream_id ${name} NOT NULL, schema_name ${name} NOT NULL, table_name ${name} NOT NULL,
     row_key ${text} NOT NULL, reason ${name}, noted_ms ${integer}`,
  migration_stream_proofs: ({ integer, name }) =>
    `proof_id ${name} NOT NULL PRIMARY KEY, stream_id ${name} NOT NULL, run_id ${integer}, schema_name ${name} NOT NULL, table_name ${name} NOT NULL,
     log_position ${name}, source_rows ${integer}, target_rows ${integer}, differing ${integer}, unread ${integer}, pause_ms ${integer}, took_ms ${integer}, proved_ms ${integer}`,
  migration_shared_copies: ({ integer, name }) =>
    `stream_id ${name} NOT NULL PRIMARY KEY, shared_run ${name} NOT NULL, fence ${integer} NOT NULL, run_id ${integer}, begun_ms ${integer}`,
  migration_proof_rounds: ({ integer, name, text }) =>
    `stream_id ${name} NOT NULL PRIMARY KEY, round_id ${name} NOT NULL, shared_run ${name} NOT NULL, run_id ${integer}, source_snapshot ${text}, target_snapshot ${text},
     tables ${text}, begun_ms ${integer}`,
  migration_proof_ranges: ({ integer, name, text }) =>
    `round_id ${name} NOT NULL, range_no ${integer} NOT NULL, table_no ${integer} NOT NULL, wanted ${text} NOT NULL, status ${name} NOT NULL,
     tries ${integer} NOT NULL, claim ${name}, answer ${text}, owner ${name}, host ${name}, pid ${integer}, machine ${name}, process_started ${name},
     lease_until ${integer}, PRIMARY KEY (round_id, range_no)`,
  migration_sign_offs: ({ integer, name, text }) =>
    `sign_off_id ${name} NOT NULL PRIMARY KEY, stream_id ${name} NOT NULL, run_id ${integer}, status ${name} NOT NULL, wanted ${text}, asked_ms ${integer},
     begun_ms ${integer}, compared_ms ${integer}, log_position ${name}, answer ${text}, signed_by ${text}, tool ${name}, document ${text}, ended_ms ${integer}`,
  migration_switches: ({ integer, name, text }) =>
    `switch_id ${name} NOT NULL PRIMARY KEY, stream_id ${name} NOT NULL, reverse_stream_id ${name} NOT NULL, run_id ${integer}, turn ${integer} NOT NULL, status ${name} NOT NULL,
     public_table ${text}, taken_table ${text}, parked_table ${text}, log_position ${name}, reverse_position ${name}, tries ${integer}, pause_ms ${integer}, proved_rows ${integer},
     begun_ms ${integer}, switched_ms ${integer}, ended_ms ${integer}, actor ${text}, tool ${name}, document ${text}`,
  migration_decommissions: ({ integer, name, text }) =>
    `decommission_id ${name} NOT NULL PRIMARY KEY, switch_id ${name} NOT NULL, step_no ${integer} NOT NULL, step ${name} NOT NULL, parked_table ${text},
     identity ${name}, run_id ${integer}, done_ms ${integer}, actor ${text}, tool ${name}, detail ${text}`,
  migration_database_decommissions: ({ integer, name, text }) =>
    `database_identity ${name} NOT NULL, step_no ${integer} NOT NULL, decommission_id ${name} NOT NULL, step ${name} NOT NULL, database_name ${text},
     run_id ${integer}, done_ms ${integer}, actor ${text}, tool ${name}, detail ${text}, PRIMARY KEY (database_identity, step_no)`,
} satisfies Readonly<Record<string, Body>>

export type LateTable = keyof typeof BODIES
/** @internal for tests */
export const LATE_TABLES = Object.keys(BODIES) as readonly LateTable[]

/** Creates the table if it is missing. @throws SluiceError TABLE_REFUSED if a user's table has its name */
export async function makeLateTable(database: LedgerDatabase, name: LateTable): Promise<void> {
  await createLedgerTable(database, name, BODIES[name](ledgerDialect(database.dialect).types))
}

/**
 * Records a value for a table of a run, in a late table that has one column besides this key. Replaces an older value.
 */
export async function noteOfRun(
  database: LedgerDatabase,
  name: 'migration_repair_plans' | 'migration_tracked_runs',
  [runId, table]: readonly [runId: bigint, table: TableKey],
  column: string,
  value: SqlValue,
): Promise<void> {
  await makeLateTable(database, name)
  const key = [runId, table.schema, table.name]
  await database.batch([
    { sql: `DELETE FROM ${name} WHERE run_id = ? AND schema_name = ? AND table_name = ?`, parameters: key },
    {
      sql: `INSERT INTO ${name} (run_id, schema_name, table_name, ${column}) VALUES (?, ?, ?, ?)`,
      parameters: [...key, value],
    },
  ])
}
