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
const withoutOthers = <L extends string>(declared: Declared<L>): Declared<L> => ({ ...declared, others: 'none' })

/**
 * `run`: id of a run; for a worker, the id of the shared run. `error`, `code`: codes of docs/reference/EXIT-CODES.md,
 * not messages.
 */
export const METRICS = {
  // ── a run
  sluice_run_info: gauge('1 for each run that this program reports', 'run', 'command', 'version'),
  sluice_run_start_time_seconds: gauge('Time of the start of the run, in seconds since 1970', 'run'),
  sluice_run_running: gauge('1 until the run has ended', 'run'),
  sluice_run_paused: gauge('1 while the run is paused', 'run'),
  sluice_run_finished: gauge('1 after the run has ended; error is empty if there was none', 'run', 'status', 'error'),
  sluice_run_exit_code: gauge('Exit code of a run that has ended', 'run'),
  sluice_run_duration_seconds: gauge('Duration of a run that has ended', 'run'),
  sluice_run_last_progress_timestamp_seconds: gauge(
    'Time of the last progress, in seconds since 1970; a stream without changes to apply counts as making progress',
    'run',
  ),
  sluice_run_throttled: gauge('1 while the run is slowed down to protect a database', 'run'),
  sluice_log_messages_total: counter(
    'Warnings and errors of the run, such as a stream that is opened again',
    'run',
    'level',
  ),
  sluice_plan_tables: gauge('Tables that were planned', 'run'),
  sluice_plan_work: gauge('Estimated amount of planned work, by unit: row or action', 'run', 'unit'),
  sluice_tables_finished_total: counter('Finished tables, by status', 'run', 'status'),
  sluice_table_errors_total: counter('Tables that ended with an error', 'run', 'table', 'error'),
  // ── chunks, of copies and imports
  sluice_chunks_planned: gauge('Chunks of a table: an estimate until the table is finished', 'run', 'table'),
  sluice_chunks_earlier: gauge('Chunks that earlier runs have proved', 'run', 'table'),
  sluice_chunks_open: gauge('Chunks in progress', 'run', 'table'),
  sluice_chunks_open_rows: gauge('Rows of the chunks in progress so far; for an import, actions', 'run', 'table'),
  sluice_chunks_total: counter('Processed chunks, by outcome: done, failed or released', 'run', 'table', 'outcome'),
  sluice_chunk_retries_total: counter('Retries of chunks', 'run', 'table', 'error'),
  sluice_chunk_seconds_total: counter('Total time of finished chunks', 'run', 'table'),
  // ── copies
  sluice_copy_rows_planned: gauge('Rows of the source when the table began, counted or estimated', 'run', 'table'),
  sluice_copy_rows_earlier: gauge('Rows of chunks that earlier runs have proved', 'run', 'table'),
  sluice_copy_rows_total: counter(
    'Rows of finished chunks: written, skipped or quarantined; their sum is the number of rows read',
    'run',
    'table',
    'outcome',
  ),
  sluice_copy_rows_quarantined: gauge(
    'Quarantined rows of a table that waited when its copy ended, over all runs',
    'run',
    'table',
  ),
  sluice_copy_bytes_total: counter('Approximate bytes of these rows in the source', 'run', 'table'),
  sluice_copy_fallback_rows_total: counter('Rows written at a lower consistency level than requested', 'run', 'table'),
  sluice_copy_look_differences_total: counter(
    'Chunks of earlier runs whose row count has changed, by the side that changed',
    'run',
    'table',
    'side',
  ),
  sluice_copy_objects_total: counter('Indexes and constraints, by outcome: done or failed', 'run', 'table', 'outcome'),
  sluice_target_latency_seconds: gauge('Time in which the target writes a megabyte of rows, 95th percentile', 'run'),
  // ── imports of Delta logs
  sluice_import_actions_total: counter('Log actions that were imported into the catalog', 'run', 'table'),
  sluice_import_version: withoutOthers(gauge('Version of the table in the catalog', 'run', 'table')),
  // ── comparisons and checks
  sluice_diff_rows_compared: gauge('Rows of the source that were compared', 'run', 'table'),
  sluice_diff_differences: gauge('Differing rows found so far', 'run', 'table'),
  sluice_verify_checks_total: counter(
    'Checks of the validator, by outcome: equal or differs',
    'run',
    'table',
    'outcome',
  ),
  sluice_fsck_findings_total: counter('Results of fsck, by level: finding or note', 'run', 'table', 'level'),
  // ── replication streams
  sluice_follow_lag_seconds: gauge('Lag of the target behind the source', 'run'),
  sluice_follow_lag_bytes: gauge(
    "Bytes of the source's log that are not applied; 0 if triggers record the changes",
    'run',
  ),
  sluice_follow_waiting_changes: gauge('Changes recorded by triggers that are not applied', 'run'),
  sluice_follow_held_bytes: gauge('Log (WAL) that the source retains for the stream', 'run'),
  sluice_follow_safe_bytes: gauge('Bytes of log that the source can still retain; absent if there is no limit', 'run'),
  sluice_follow_transactions_total: counter('Transactions that were applied, over all runs of the stream', 'run'),
  sluice_follow_changes_total: counter(
    'Changes that were applied, over all runs of the stream, by kind: insert, update, delete or truncate',
    'run',
    'table',
    'kind',
  ),
  sluice_follow_tables: gauge('Tables of the stream, by state: copying, catchup or live', 'run', 'state'),
  sluice_follow_halted: gauge('1 while the stream is halted, because changes may be missing', 'run', 'code'),
  sluice_follow_differing_rows_total: counter('Differing rows found by comparisons of one snapshot', 'run', 'table'),
  sluice_follow_last_proved_timestamp_seconds: withoutOthers(
    gauge('Time of the last comparison of a table in one snapshot, in seconds since 1970', 'run', 'table'),
  ),
  // ── alerts
  sluice_alert_firing: gauge(
    '1 while a cause of --alert is present; table is empty if it concerns the whole run',
    'run',
    'table',
    'cause',
  ),
  sluice_alerts_total: counter('Number of times that a cause of --alert began', 'run', 'table', 'cause'),
  // ── archives and partitions
  sluice_archive_partitions_total: counter('Partitions that reached a state', 'run', 'table', 'state'),
  sluice_archive_rows_total: counter('Rows of partitions that were proved in Parquet (VERIFIED)', 'run', 'table'),
  sluice_archive_bytes_total: counter('Bytes of the Parquet files of these partitions', 'run', 'table'),
  sluice_archive_step_rows: gauge('Rows processed in the current step of the partitions', 'run', 'table'),
  sluice_archive_errors_total: counter('Partitions that ended with an error', 'run', 'table', 'error'),
  sluice_archive_findings_total: counter('Differences from the proved archive', 'run', 'table', 'finding'),
  sluice_partitions_made_total: counter(
    'Partitions of live tables, by status: made, found or planned',
    'run',
    'table',
    'status',
  ),
  sluice_partitions_landed_total: counter('Partitions and slices with all chunks proved', 'run', 'table'),
  sluice_partition_alarms_total: counter('Findings that need attention', 'run', 'table', 'alarm'),
  sluice_partitions_missing: gauge('Missing partitions of the current and the coming periods', 'run', 'table'),
  sluice_partition_default_rows: gauge('Rows in the default partition, if they were counted', 'run', 'table'),
  sluice_partition_longest_wait_seconds: withoutOthers(
    gauge('Longest time that a lock of sluice was awaited or held', 'run', 'table'),
  ),
  // ── workers
  sluice_worker_info: gauge('1 for a worker', 'version'),
  sluice_worker_concurrency: gauge('Maximum number of tasks in parallel'),
  sluice_worker_slots_working: gauge('Tasks in progress'),
  sluice_worker_slots_total: counter(
    'Tasks that the worker gave up or finished, by state: ended, queued, resting, lost or refused',
    'run',
    'state',
  ),
  sluice_worker_turns_total: counter('Ended turns of tasks, by status of their run', 'run', 'status', 'error'),
  sluice_worker_last_beat_timestamp_seconds: gauge(
    "Time of the worker's last heartbeat in the queue, in seconds since 1970",
  ),
  // ── the whole queue, equal on all its workers
  sluice_queue_workers: gauge('Workers of the queue by the age of their heartbeat: lives, silent or lost', 'state'),
  sluice_queue_slots: gauge(
    'Tasks of active runs: queued, working, and those of the working tasks that are lost',
    'state',
  ),
  sluice_queue_runs_waiting: gauge('Waiting runs that no running worker takes'),
  sluice_queue_schedules_unconfirmed: gauge(
    'Schedules that start no runs, because the queue is not in the database in which they were confirmed',
  ),
  sluice_queue_runs_unconfirmed: gauge(
    'Runs that start no tasks, because the queue is not in the database in which they were queued',
  ),
  sluice_queue_schedules_refused: gauge(
    'Schedules that start no runs, because their command cannot be read or is not the confirmed one',
  ),
  sluice_queue_oldest_beat_seconds: gauge('Age of the oldest last heartbeat among tasks in progress'),
} as const satisfies Readonly<Record<string, Declared<string>>>

export type MetricName = keyof typeof METRICS
export type LabelsOf<M extends MetricName> = Readonly<Record<(typeof METRICS)[M]['labels'][number], string>>
