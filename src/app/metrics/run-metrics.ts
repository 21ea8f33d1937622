/** Converts events to metrics. Measures nothing itself: times are from the events. */
import type { Event, EventType, EventOf } from '../../model/run/event.ts'
import type { MetricName } from './declared.ts'
import { OpenWork } from './open-work.ts'
import { Series, type MetricSample } from './series.ts'

/** Origin of events. `slot` (the task) is empty for a run of this program. */
type Reported = { readonly run: string; readonly slot: string }

export class RunMetrics {
  readonly #series: Series
  readonly #open: OpenWork
  /** Last reported position of each stream. */
  readonly #positions = new Map<string, string>()
  /** Tasks that this worker works on, by shared run. */
  readonly #tasks = new Map<string, Set<string>>()

  /** @param shown redacts a table name */
  constructor(shown: (text: string) => string = (text) => text) {
    this.#series = new Series(shown)
    this.#open = new OpenWork(this.#series)
  }

  /** Takes an event of a run of this program; call in order for each run. */
  take(event: Event): void {
    if (event.runId === null) return
    const run = event.runId
    if (event.type === 'run.started') this.#begun(run, event)
    else if (event.type === 'run.finished') this.#finished(run, event)
    else if (event.type === 'worker.slot') this.#slot(event)
    else if (event.type === 'worker.beat') this.#heartbeat(event)
    else if (event.type === 'queue.stand') this.#queue(event)
    else this.#during({ run, slot: '' }, event)
  }

  /** Takes an event of a task's program. @param run id of the shared run */
  takeOfTask(run: string, no: number, event: Event): void {
    const slot = String(no)
    if (event.type === 'run.started') {
      this.#series.set('sluice_run_info', { run, command: event.command, version: event.tool }, 1)
    } else if (event.type === 'run.finished') {
      this.#open.drop(run, slot)
      this.#series.add('sluice_worker_turns_total', { run, status: event.status, error: event.error?.code ?? '' }, 1)
    } else this.#during({ run, slot }, event)
  }

  /** Current samples of a metric. */
  of(metric: MetricName): Iterable<MetricSample> {
    return this.#series.of(metric)
  }

  #begun(run: string, { ts, command, tool }: EventOf<'run.started'>): void {
    this.#series.begun(run)
    this.#series.set('sluice_run_info', { run, command, version: tool }, 1)
    this.#series.set('sluice_run_start_time_seconds', { run }, seconds(ts))
    // A worker that waits, or a watched queue, is not stalled.
    if (command !== 'worker' && command !== 'workers')
      this.#series.set('sluice_run_last_progress_timestamp_seconds', { run }, seconds(ts))
    this.#series.set('sluice_run_running', { run }, 1)
    this.#series.set('sluice_run_paused', { run }, 0)
    if (command === 'worker') this.#series.set('sluice_worker_info', { version: tool }, 1)
  }

  #finished(run: string, { status, exitCode, ms, error }: EventOf<'run.finished'>): void {
    this.#open.drop(run, '')
    this.#positions.delete(run)
    this.#series.set('sluice_run_running', { run }, 0)
    this.#series.set('sluice_run_finished', { run, status, error: error?.code ?? '' }, 1)
    this.#series.set('sluice_run_exit_code', { run }, exitCode)
    this.#series.set('sluice_run_duration_seconds', { run }, ms / 1000)
    this.#clearStates(run)
  }

  #slot({ run, slot, state }: EventOf<'worker.slot'>): void {
    const slots = this.#tasks.get(run) ?? new Set()
    this.#tasks.set(run, slots)
    if (state === 'begun') {
      slots.add(slot)
      this.#series.begun(run)
    } else {
      slots.delete(slot)
      // A killed program did not report the end of its work.
      this.#open.drop(run, slot)
      this.#series.add('sluice_worker_slots_total', { run, state }, 1)
    }
    if (slots.size === 0) {
      this.#tasks.delete(run)
      this.#clearStates(run)
    }
    const working = [...this.#tasks.values()].reduce((sum, { size }) => sum + size, 0)
    this.#series.set('sluice_worker_slots_working', {}, working)
  }

  /** Clears the current states of a run without work in this program: an old lag would raise an alarm permanently. */
  #clearStates(run: string): void {
    for (const metric of STATE_METRICS) this.#series.clear(metric, run)
    this.#series.ended(run)
  }

  #heartbeat({ ts, concurrency, working, queue }: EventOf<'worker.beat'>): void {
    this.#queue({ queue })
    this.#series.set('sluice_worker_last_beat_timestamp_seconds', {}, seconds(ts))
    this.#series.set('sluice_worker_concurrency', {}, Number(concurrency))
    this.#series.set('sluice_worker_slots_working', {}, Number(working))
  }

  #queue({ queue }: Pick<EventOf<'queue.stand'>, 'queue'>): void {
    for (const [state, count] of Object.entries(queue.workers))
      this.#series.set('sluice_queue_workers', { state }, Number(count))
    for (const [state, count] of Object.entries(queue.slots))
      this.#series.set('sluice_queue_slots', { state }, Number(count))
    this.#series.set('sluice_queue_runs_waiting', {}, Number(queue.waiting))
    this.#series.set('sluice_queue_schedules_unconfirmed', {}, Number(queue.unconfirmed))
    this.#series.set('sluice_queue_runs_unconfirmed', {}, Number(queue.unconfirmedRuns))
    this.#series.set('sluice_queue_schedules_refused', {}, Number(queue.refusedSchedules))
    this.#series.set('sluice_queue_oldest_beat_seconds', {}, Number(queue.oldestBeatMs) / 1000)
  }

  #during({ run, slot }: Reported, event: Event): void {
    const series = this.#series
    if (this.#isProgress(run, event))
      series.set('sluice_run_last_progress_timestamp_seconds', { run }, seconds(event.ts))
    switch (event.type) {
      case 'run.steered':
        if (event.paused !== undefined) series.set('sluice_run_paused', { run }, event.paused ? 1 : 0)
        return
      case 'log': {
        const { alert: cause, table = '' } = event
        if (cause !== undefined) series.set('sluice_alert_firing', { run, table, cause }, 1)
        if (event.level === 'warn' || event.level === 'error')
          series.add('sluice_log_messages_total', { run, level: event.level }, 1)
        return
      }
      case 'plan.ready':
        series.set('sluice_plan_tables', { run }, Number(event.tables))
        return series.set('sluice_plan_work', { run, unit: event.unit }, Number(event.total))
      case 'throttle.on':
        return series.set('sluice_run_throttled', { run }, 1)
      case 'throttle.off':
        return series.set('sluice_run_throttled', { run }, 0)
      case 'target.latency':
        return series.set('sluice_target_latency_seconds', { run }, event.p95Ms / 1000)
      case 'table.finished':
        return this.#tableFinished(run, event)
      case 'alert': {
        const { cause, table = '', state, run: shared = run } = event
        series.set('sluice_alert_firing', { run: shared, table, cause }, state === 'raised' ? 1 : 0)
        if (state === 'raised') series.add('sluice_alerts_total', { run: shared, table, cause }, 1)
        return
      }
      case 'diff.progress':
        series.set('sluice_diff_rows_compared', { run, table: event.table }, Number(event.done))
        return series.set('sluice_diff_differences', { run, table: event.table }, Number(event.differences))
      case 'verify.check': {
        const outcome = event.equal ? 'equal' : 'differs'
        return series.add('sluice_verify_checks_total', { run, table: event.table, outcome }, 1)
      }
      case 'fsck.finding':
        return series.add('sluice_fsck_findings_total', { run, table: event.table, level: event.level }, 1)
      default:
        this.#chunks({ run, slot }, event)
    }
  }

  #tableFinished(run: string, { table, status, version, copied, error }: EventOf<'table.finished'>): void {
    const series = this.#series
    series.add('sluice_tables_finished_total', { run, status }, 1)
    if (error !== undefined) series.add('sluice_table_errors_total', { run, table, error: error.code }, 1)
    if (version !== undefined) series.set('sluice_import_version', { run, table }, Number(version))
    if (copied === undefined) return
    series.set('sluice_chunks_planned', { run, table }, Number(copied.chunks))
    series.set('sluice_copy_rows_quarantined', { run, table }, Number(copied.quarantined))
  }

  #chunks({ run, slot }: Reported, event: Event): void {
    const series = this.#series
    switch (event.type) {
      case 'copy.started': {
        const { table, rows, chunkRows, chunks, done } = event
        // Most chunks are not known before the copy, so their number is estimated.
        const guessed = Math.ceil(Number(rows) / Math.max(1, Number(chunkRows)))
        series.set('sluice_copy_rows_planned', { run, table }, Number(rows))
        series.set('sluice_copy_rows_earlier', { run, table }, Number(done.rows))
        series.set('sluice_chunks_planned', { run, table }, Math.max(Number(chunks), guessed))
        return series.set('sluice_chunks_earlier', { run, table }, Number(done.chunks))
      }
      case 'chunk.started':
        return this.#open.begun(run, slot, event)
      case 'chunk.progress':
        return this.#open.progress(run, slot, event)
      case 'chunk.done': {
        const { table, ms, unit } = event
        this.#open.ended(run, slot, event)
        series.add('sluice_chunks_total', { run, table, outcome: 'done' }, 1)
        series.add('sluice_chunk_seconds_total', { run, table }, ms / 1000)
        if (unit === 'action') series.add('sluice_import_actions_total', { run, table }, Number(event.done))
        if (event.read === undefined) return
        for (const outcome of ['written', 'skipped', 'quarantined'] as const)
          series.add('sluice_copy_rows_total', { run, table, outcome }, Number(event[outcome] ?? 0))
        return series.add('sluice_copy_bytes_total', { run, table }, Number(event.bytes ?? 0))
      }
      case 'chunk.failed':
      case 'chunk.released': {
        this.#open.ended(run, slot, event)
        const outcome = event.type === 'chunk.failed' ? 'failed' : 'released'
        return series.add('sluice_chunks_total', { run, table: event.table, outcome }, 1)
      }
      case 'chunk.retried':
        return series.add('sluice_chunk_retries_total', { run, table: event.table, error: event.error.code }, 1)
      case 'rows.fallback':
        return series.add('sluice_copy_fallback_rows_total', { run, table: event.table }, Number(event.rows))
      case 'look.difference':
        return series.add('sluice_copy_look_differences_total', { run, table: event.table, side: event.side }, 1)
      case 'index.done':
      case 'index.failed': {
        const outcome = event.type === 'index.done' ? 'done' : 'failed'
        return series.add('sluice_copy_objects_total', { run, table: event.table, outcome }, 1)
      }
      default:
        this.#stream(run, event)
        this.#partitions(run, slot, event)
    }
  }

  #stream(run: string, event: Event): void {
    const series = this.#series
    switch (event.type) {
      case 'follow.progress': {
        this.#positions.set(run, event.position)
        series.set('sluice_follow_lag_seconds', { run }, event.lagMs / 1000)
        series.set('sluice_follow_lag_bytes', { run }, Number(event.lagBytes))
        if (event.waiting !== undefined) series.set('sluice_follow_waiting_changes', { run }, Number(event.waiting))
        series.set('sluice_follow_held_bytes', { run }, Number(event.heldBytes))
        if (event.safeBytes === undefined) series.clear('sluice_follow_safe_bytes', run)
        else series.set('sluice_follow_safe_bytes', { run }, Number(event.safeBytes))
        series.set('sluice_follow_transactions_total', { run }, Number(event.transactions))
        for (const state of ['copying', 'catchup', 'live'] as const)
          series.set('sluice_follow_tables', { run, state }, Number(event.tables[state]))
        return
      }
      case 'follow.counted':
        for (const kind of ['insert', 'update', 'delete', 'truncate'] as const)
          series.set('sluice_follow_changes_total', { run, table: event.table, kind }, Number(event[`${kind}s`]))
        return
      case 'follow.proved':
        series.add('sluice_follow_differing_rows_total', { run, table: event.table }, Number(event.differing))
        return series.set('sluice_follow_last_proved_timestamp_seconds', { run, table: event.table }, seconds(event.ts))
      case 'follow.halted':
        return series.set('sluice_follow_halted', { run, code: event.code }, 1)
      default:
    }
  }

  #partitions(run: string, slot: string, event: Event): void {
    const series = this.#series
    switch (event.type) {
      case 'archive.progress':
        return this.#open.step(run, slot, event)
      case 'archive.state': {
        const { table, state, error } = event
        this.#open.stepEnded(run, slot, event)
        if (error !== undefined) return series.add('sluice_archive_errors_total', { run, table, error: error.code }, 1)
        series.add('sluice_archive_partitions_total', { run, table, state }, 1)
        if (state !== 'VERIFIED') return
        series.add('sluice_archive_rows_total', { run, table }, Number(event.rows ?? 0))
        return series.add('sluice_archive_bytes_total', { run, table }, Number(event.bytes ?? 0))
      }
      case 'archive.finding':
        return series.add('sluice_archive_findings_total', { run, table: event.table, finding: event.finding }, 1)
      case 'partition.made':
        return series.add('sluice_partitions_made_total', { run, table: event.table, status: event.status }, 1)
      case 'partition.landed':
        return series.add('sluice_partitions_landed_total', { run, table: event.table }, 1)
      case 'partition.alarm':
        return series.add('sluice_partition_alarms_total', { run, table: event.table, alarm: event.alarm }, 1)
      case 'partition.stands': {
        const { table, missing, defaultRows } = event
        series.set('sluice_partitions_missing', { run, table }, Number(missing))
        if (defaultRows !== undefined) series.set('sluice_partition_default_rows', { run, table }, Number(defaultRows))
        return
      }
      case 'partition.waits':
        return series.set('sluice_partition_longest_wait_seconds', { run, table: event.table }, event.longestMs / 1000)
      default:
    }
  }

  /** True if the event is progress of the run. */
  #isProgress(run: string, event: Event): boolean {
    if (event.type !== 'follow.progress') return PROGRESS.has(event.type)
    // The log of an idle source still grows by unrelated changes, so its bytes are ignored.
    return event.lagMs === 0 || this.#positions.get(run) !== event.position
  }
}

/** Current states, as opposed to counts of work done. */
const STATE_METRICS: readonly MetricName[] = [
  'sluice_run_throttled',
  'sluice_run_last_progress_timestamp_seconds',
  'sluice_target_latency_seconds',
  'sluice_follow_lag_seconds',
  'sluice_follow_lag_bytes',
  'sluice_follow_waiting_changes',
  'sluice_follow_held_bytes',
  'sluice_follow_safe_bytes',
  'sluice_follow_tables',
]

/** Events that mean work was done, as opposed to waiting. */
const PROGRESS: ReadonlySet<EventType> = new Set<EventType>([
  'plan.ready',
  'chunk.progress',
  'chunk.done',
  'chunk.skipped',
  'chunks.summary',
  'look.progress',
  'index.done',
  'table.finished',
  'diff.progress',
  'verify.check',
  'fsck.progress',
  'fsck.checked',
  'archive.progress',
  'archive.state',
  'follow.table',
  'follow.proved',
  'partition.progress',
  'partition.made',
  'partition.landed',
  'partition.step',
])

function seconds(ts: string): number {
  return Date.parse(ts) / 1000
}
