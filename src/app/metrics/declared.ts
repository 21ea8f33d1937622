/**
 * Every metric of sluice: name, kind, labels and help. docs/reference/METRICS.md is this list; a test compares both.
 */

export type MetricKind = 'counter' | 'gauge'

type Declared<L extends string> = {
  readonly kind: MetricKind
  readonly help: string
  readonly labels: readonly L[]
  /** Value for tables without their own label: their sum, or none if a sum makes no sense. For metrics by `table`. */
  readonly others?: 'sum' | 'none'
}

const counter = <L extends string>(help: string, ...labels: readonly L[]): Declared<L> => ({
  kind: 'counter',
  help,
  labels,
})
const gauge = <L extends string>(help: string, ...labels: readonly L[]): Declared<L> => ({
  kind: 'gauge',
  help,
  labels,
})
const lone = <L extends string>(declared: Declared<L>): Declared<L> => ({ ...declared, others: 'none' })

/**
 * `run`: id of a run; for a worker, the id of the shared run. `error`, `code`: codes of docs/reference/EXIT-CODES.md,
 * not messages.
 */
export const METRICS = {
  // ── a run
  sluice_run_info: gauge('1 for each run that is known here', 'run', 'command', 'version'),
  sluice_run_start_time_seconds: gauge('When it began, in seconds since 1970', 'run'),
  sluice_run_running: gauge('1 until it has ended', 'run'),
  sluice_run_paused: gauge('1 while it is paused', 'run'),
  sluice_run_finished: gauge('1 once it has ended; error is empty where all is well', 'run', 'status', 'error'),
  sluice_run_exit_code: gauge('Exit code of a run that has ended', 'run'),
  sluice_run_duration_seconds: gauge('How long a run took that has ended', 'run'),
  sluice_run_last_progress_timestamp_seconds: gauge(
    'When it last came further, in seconds since 1970; a stream that has applied everything comes further all the time',
    'run',
  ),
  sluice_run_throttled: gauge('1 while it goes slower than it could, for the sake of a database', 'run'),
  sluice_log_messages_total: counter(
    'Warnings and errors that it reported, such as a stream that is opened again',
    'run',
    'level',
  ),
  sluice_plan_tables: gauge('Tables that were planned', 'run'),
  sluice_plan_work: gauge('What was planned, about, by unit: row or action', 'run', 'unit'),
  sluice_tables_finished_total: counter('Tables that are done with, by status', 'run', 'status'),
  sluice_table_errors_total: counter('Tables that ended with an error', 'run', 'table', 'error'),
  // ── chunks, of copies and imports
  sluice_chunks_planned: gauge('Chunks of a table, about; exact once it is done with', 'run', 'table'),
  sluice_chunks_earlier: gauge('Chunks that earlier runs have proved', 'run', 'table'),
  sluice_chunks_open: gauge('Chunks that are worked on now', 'run', 'table'),
  sluice_chunks_open_rows: gauge('Rows of these so far; of an import actions', 'run', 'table'),
  sluice_chunks_total: counter(
    'Chunks that were worked on, by outcome: done, failed or released',
    'run',
    'table',
    'outcome',
  ),
  sluice_chunk_retries_total: counter('Tries of chunks beyond the first', 'run', 'table', 'error'),
  sluice_chunk_seconds_total: counter('Time that chunks took that are done', 'run', 'table'),
  // ── copies
  sluice_copy_rows_planned: gauge('Rows of the source when the table began, counted or estimated', 'run', 'table'),
  sluice_copy_rows_earlier: gauge('Rows of chunks that earlier runs have proved', 'run', 'table'),
  sluice_copy_rows_total: counter(
    'Rows of chunks that are done: written, skipped or quarantined, which together are all that were read',
    'run',
    'table',
    'outcome',
  ),
  sluice_copy_bytes_total: counter('Bytes of these rows in the source, about', 'run', 'table'),
  sluice_copy_fallback_rows_total: counter('Rows at a lower level of consistency than asked for', 'run', 'table'),
  sluice_copy_look_differences_total: counter(
    'Chunks of earlier runs that hold another number of rows than they have to, by the side that changed',
    'run',
    'table',
    'side',
  ),
  sluice_copy_objects_total: counter(
    'Indexes and constraints that were made, by outcome: done or failed',
    'run',
    'table',
    'outcome',
  ),
  sluice_target_latency_seconds: gauge('What the target takes for a megabyte of rows in 95 of 100 cases', 'run'),
  // ── imports of Delta logs
  sluice_import_actions_total: counter('Actions of logs that were brought into the catalog', 'run', 'table'),
  sluice_import_version: lone(gauge('Version that the catalog holds', 'run', 'table')),
  // ── comparisons and checks
  sluice_diff_rows_compared: gauge('Rows of the source that were compared', 'run', 'table'),
  sluice_diff_differences: gauge('Rows that differ, as far as is known', 'run', 'table'),
  sluice_verify_checks_total: counter(
    'Checks of the validator, by outcome: equal or differs',
    'run',
    'table',
    'outcome',
  ),
  sluice_fsck_findings_total: counter('What fsck came upon, by level: finding or note', 'run', 'table', 'level'),
  // ── replication streams
  sluice_follow_lag_seconds: gauge('How far the target is behind the source', 'run'),
  sluice_follow_lag_bytes: gauge(
    "Bytes of the source's log that are not applied; 0 where triggers note changes",
    'run',
  ),
  sluice_follow_waiting_changes: gauge('Notes of triggers that are not applied', 'run'),
  sluice_follow_held_bytes: gauge('Log (WAL) that the source retains for the stream', 'run'),
  sluice_follow_safe_bytes: gauge('How much more log it can retain; absent without a limit', 'run'),
  sluice_follow_transactions_total: counter('Transactions that were applied, over all runs of the stream', 'run'),
  sluice_follow_changes_total: counter(
    'Changes that were applied, over all runs of the stream, by kind: insert, update, delete or truncate',
    'run',
    'table',
    'kind',
  ),
  sluice_follow_tables: gauge('Tables of the stream, by state: copying, catchup or live', 'run', 'state'),
  sluice_follow_halted: gauge('1 where the stream does not go on, because changes may be missing', 'run', 'code'),
  sluice_follow_differing_rows_total: counter('Rows that a comparison of a moment found to differ', 'run', 'table'),
  sluice_follow_last_proved_timestamp_seconds: lone(
    gauge('When a table was last compared as of one moment, in seconds since 1970', 'run', 'table'),
  ),
  // ── alerts
  sluice_alert_firing: gauge(
    '1 while a condition of --alert holds; table is empty where it is about the whole run',
    'run',
    'table',
    'cause',
  ),
  sluice_alerts_total: counter('How often it began to hold', 'run', 'table', 'cause'),
  // ── archives and partitions
  sluice_archive_partitions_total: counter('States that partitions have reached', 'run', 'table', 'state'),
  sluice_archive_rows_total: counter('Rows of partitions that were proved in Parquet (VERIFIED)', 'run', 'table'),
  sluice_archive_bytes_total: counter('Bytes of their Parquet files', 'run', 'table'),
  sluice_archive_step_rows: gauge('Rows of the step that partitions are in now', 'run', 'table'),
  sluice_archive_errors_total: counter('Partitions that could not go on', 'run', 'table', 'error'),
  sluice_archive_findings_total: counter('What is not as it was proved', 'run', 'table', 'finding'),
  sluice_partitions_made_total: counter(
    'Partitions of live tables, by status: made, found or planned',
    'run',
    'table',
    'status',
  ),
  sluice_partitions_landed_total: counter('Partitions and slices of which every chunk is proved', 'run', 'table'),
  sluice_partition_alarms_total: counter('Findings that need attention', 'run', 'table', 'alarm'),
  sluice_partitions_missing: gauge(
    'Partitions of the current and of coming periods that are not there',
    'run',
    'table',
  ),
  sluice_partition_default_rows: gauge('Rows in the default partition, where they were counted', 'run', 'table'),
  sluice_partition_longest_wait_seconds: lone(
    gauge('The longest that a lock of ours was waited for or held', 'run', 'table'),
  ),
  // ── workers
  sluice_worker_info: gauge('1 for a worker', 'version'),
  sluice_worker_concurrency: gauge('Tasks that it works on at once'),
  sluice_worker_slots_working: gauge('Tasks that it works on now'),
  sluice_worker_slots_total: counter(
    'Tasks that it is done with for now: ended, queued, resting, lost or refused',
    'run',
    'state',
  ),
  sluice_worker_turns_total: counter(
    'Turns of tasks that have ended, by status of their run',
    'run',
    'status',
    'error',
  ),
  sluice_worker_last_beat_timestamp_seconds: gauge('When the queue last heard of it, in seconds since 1970'),
  // ── the whole queue, equal on all its workers
  sluice_queue_workers: gauge('Workers of the queue by the age of their heartbeat: lives, silent or lost', 'state'),
  sluice_queue_slots: gauge('Tasks of runs that go on: queued, working, and of those lost ones', 'state'),
  sluice_queue_runs_waiting: gauge('Runs that wait, because no running worker takes them'),
  sluice_queue_schedules_unconfirmed: gauge(
    'Schedules that begin nothing, because the queue is in another database than the one in which they were confirmed',
  ),
  sluice_queue_runs_unconfirmed: gauge(
    'Runs that begin nothing, because the queue is in another database than the one in which they were put into it',
  ),
  sluice_queue_schedules_refused: gauge(
    'Schedules that begin nothing, because their command cannot be read or is not the one that was confirmed',
  ),
  sluice_queue_oldest_beat_seconds: gauge('Age of the oldest last heartbeat of a task that is worked on'),
} as const satisfies Readonly<Record<string, Declared<string>>>

export type MetricName = keyof typeof METRICS
export type LabelsOf<M extends MetricName> = Readonly<Record<(typeof METRICS)[M]['labels'][number], string>>
