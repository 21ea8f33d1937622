/** State of one run, folded from its events. Its size is limited: lists keep the newest entries, counters count all. */
import type { Dec, DifferenceEvent, EventBody, KeySpan, QuestionEvent } from '../../model/run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import { ArchiveProgress } from './archiving/archive-progress.ts'
import { CopyProgress } from './copy/copy-progress.ts'
import { NO_FSCK, type FsckView } from './fsck-view.ts'
import type { RollbackCheck, Finished, Mismatch, TableResult } from './outcomes.ts'
import type { Operation } from '../../app/operations/list.ts'
import { isRunShownOn } from './run-screen.ts'

export type { RollbackCheck, Finished, Mismatch, TableResult } from './outcomes.ts'

export type WorkerView = {
  readonly worker: number
  readonly table: string
  readonly chunk: string
  readonly done: number
  /** Bytes read from the source, estimated; 0 if unknown. */
  readonly bytes: number
  readonly total: number
  readonly unit: string
  readonly startedAt: number
  /** Why the worker waits; null while it works. */
  readonly waits: string | null
  /** For a copy: current step of the chunk, its key range, and the number of the try. */
  readonly step: 'reading' | 'writing' | 'proving' | null
  readonly span: KeySpan
  readonly attempt: number
}

/** Work and bytes that the run has done up to the time `at`, ms since the epoch. */
export type ProgressSample = { readonly at: number; readonly done: number; readonly bytes: number }

export type RunView = {
  readonly id: number
  readonly operation: Operation
  readonly commandLine: string
  /** Process of a run of another program on this machine; null for a run of this program. */
  readonly joined: { readonly host: string; readonly pid: number; readonly folder: string | null } | null
  readonly runId: Dec | null
  readonly phase: 'starting' | 'running' | 'paused' | 'stopping' | 'aborting' | 'done'
  /** When the run was paused, ms since the epoch; null if the run is not paused. */
  readonly pausedAt: number | null
  readonly startedAt: number
  readonly endedAt: number | null
  readonly source: string | null
  readonly target: string | null
  /** Id of the earlier run that this run resumes; null if it resumes none. */
  readonly resumes: Dec | null
  /** Work that earlier runs had done. */
  readonly baseline: number
  readonly plan: {
    readonly tables: number
    readonly chunks: number
    readonly total: number
    readonly unit: string
    readonly estimated: boolean
    readonly bytes: number
  } | null
  /** Work of finished chunks since this run began, in the unit of the plan. */
  readonly doneBefore: number
  /** Bytes of finished chunks of a copy. */
  readonly bytesBefore: number
  readonly chunksDone: number
  readonly retries: number
  readonly workers: readonly WorkerView[]
  /** Work per second of the last finished chunk, by worker. Used in the first second of the next chunk. */
  readonly workerRates: Readonly<Record<number, number>>
  readonly wantedWorkers: number | null
  /** Rows per second set by keys; null if not set, `Infinity` for no limit. */
  readonly wantedRate: number | null
  /** State of a copy. Not immutable: it changes in place with every event. */
  readonly copy: CopyProgress | null
  /** State of an archive run or a restore; also changed in place. */
  readonly archiving: ArchiveProgress | null
  readonly counts: Readonly<Record<'ok' | 'current' | 'failed' | 'refused' | 'stopped' | 'skipped', number>>
  readonly results: readonly TableResult[]
  readonly checks: readonly RollbackCheck[]
  readonly mismatches: readonly Mismatch[]
  readonly mismatchCount: number
  readonly questions: readonly QuestionEvent[]
  /** Notes of a performance comparison: questions left out, and what its times mean. */
  readonly notes: readonly string[]
  /** Differences of a `diff`. */
  readonly differences: readonly DifferenceEvent[]
  readonly differenceCount: number
  /** Progress of the table being compared. */
  readonly comparing: Extract<EventBody, { type: 'diff.progress' }> | null
  /** State of an `fsck` run. */
  readonly fsck: FsckView | null
  readonly errors: readonly ErrorInfo[]
  /** Reason reported by the run why there is no plan yet; null if not reported. */
  readonly trouble: string | null
  /** Output of the run, line by line. */
  readonly output: readonly string[]
  readonly samples: readonly ProgressSample[]
  readonly finished: Finished | null
}

export const KEPT_SAMPLES = 90
const SETTLED_MS = 3000

/** A run without events. */
export function freshRun(id: number, operation: Operation, commandLine: string, now: number): RunView {
  return {
    id,
    operation,
    commandLine,
    joined: null,
    runId: null,
    phase: 'starting',
    pausedAt: null,
    startedAt: now,
    endedAt: null,
    source: null,
    target: null,
    resumes: null,
    baseline: 0,
    plan: null,
    doneBefore: 0,
    bytesBefore: 0,
    chunksDone: 0,
    retries: 0,
    workers: [],
    workerRates: {},
    wantedWorkers: null,
    wantedRate: null,
    copy: isRunShownOn(operation, 'copy') ? new CopyProgress() : null,
    archiving: isRunShownOn(operation, 'archiving') ? new ArchiveProgress(operation) : null,
    counts: { ok: 0, current: 0, failed: 0, refused: 0, stopped: 0, skipped: 0 },
    results: [],
    checks: [],
    mismatches: [],
    mismatchCount: 0,
    questions: [],
    notes: [],
    differences: [],
    differenceCount: 0,
    comparing: null,
    fsck: isRunShownOn(operation, 'findings') ? NO_FSCK : null,
    errors: [],
    trouble: null,
    output: [],
    samples: [{ at: now, done: 0, bytes: 0 }],
    finished: null,
  }
}

/** Work done since this run began, including active workers. */
export function doneNow(run: RunView): number {
  if (run.archiving !== null) return run.archiving.done()
  let sum = run.doneBefore
  for (const worker of run.workers) if (run.plan === null || worker.unit === run.plan.unit) sum += worker.done
  return sum
}

/** Bytes that a copy, an archive run or a restore has moved since this run began; 0 if unknown. */
export function bytesNow(run: RunView): number {
  if (run.archiving !== null) return run.archiving.moved()
  return run.workers.reduce((sum, worker) => sum + worker.bytes, run.bytesBefore)
}

/** Total work including earlier runs; null without a plan. */
export function runTotalWork(run: RunView): number | null {
  if (run.archiving !== null) return run.archiving.work()
  if (run.plan === null) return null
  return run.copy === null ? run.plan.total : run.copy.rows().rows
}

/**
 * Progress 0..1 of the total work, including earlier runs. It is below 1 while work is left, even after the end of the
 * run. Null without a plan.
 */
export function runProgress(run: RunView): number | null {
  if (run.finished?.status === 'ok' || hasCompletedWork(run)) return 1
  const all = runTotalWork(run)
  if (all === null || all <= 0) return null
  const tables = run.finished === null ? null : endedTables(run)
  // The work in failed tables is unknown, and the plan's estimate would show nearly 100 %.
  if (tables !== null && tables.ended >= tables.all) return Math.min(0.99, tables.ok / tables.all)
  if (run.copy !== null && run.finished !== null) return Math.min(0.99, run.copy.tally().read / all)
  return Math.min(0.99, Math.max(0, (run.baseline + doneNow(run)) / all))
}

/**
 * Number of tables of an import by result; null if the unit of the plan is not actions, or for fewer than two tables.
 */
export function endedTables({
  plan,
  counts,
}: RunView): { readonly ok: number; readonly ended: number; readonly all: number } | null {
  if (plan === null || plan.unit !== 'action' || plan.tables < 2) return null
  const ok = counts.ok + counts.current
  return { ok, ended: ok + counts.failed + counts.refused + counts.stopped + counts.skipped, all: plan.tables }
}

/** True if a failed run still completed its work: it failed because of differences or quarantined rows. */
function hasCompletedWork({ finished, copy, archiving, plan }: RunView): boolean {
  if (finished?.status !== 'failed' || plan === null) return false
  if (copy !== null) return copy.isCompleted
  // A run that could not read some rows or files ends with another error code.
  return archiving === null && finished.error?.code === 'DIFFERENCES'
}

function sampleBefore(run: RunView, since: number): ProgressSample | null {
  let found: ProgressSample | null = null
  for (const sample of run.samples) {
    if (sample.at <= since) found = sample
    else break
  }
  return found ?? run.samples[0] ?? null
}

/** Work per second over the last `windowMs`; null before one second has passed. */
export function rateOf(run: RunView, now: number, windowMs: number): number | null {
  return pace(run, now, windowMs, 'done', doneNow(run))
}

/** Bytes per second over the last `windowMs`; null before one second has passed, or if bytes are unknown. */
export function byteRate(run: RunView, now: number, windowMs: number): number | null {
  const bytes = bytesNow(run)
  return bytes === 0 ? null : pace(run, now, windowMs, 'bytes', bytes)
}

function pace(run: RunView, now: number, windowMs: number, of: 'done' | 'bytes', amount: number): number | null {
  const end = run.endedAt ?? now
  const sampled = sampleBefore(run, end - windowMs)
  // The time in which the run was planned is left out.
  const begunAt = run.copy?.begunAt ?? run.archiving?.begunAt ?? null
  const from =
    begunAt !== null && sampled !== null && sampled.at < begunAt ? { at: begunAt, done: 0, bytes: 0 } : sampled
  if (from === null || end - from.at < 1000) return null
  return (Math.max(0, amount - from[of]) * 1000) / (end - from.at)
}

/** Work per second since work began; null within the first second of a run that still works. */
export function meanRate(run: RunView, now: number): number | null {
  if (run.copy !== null && run.endedAt !== null) return run.copy.pace.mean()?.rows ?? null
  const ms = (run.endedAt ?? now) - (run.copy?.begunAt ?? run.archiving?.begunAt ?? run.startedAt)
  // The duration of an ended run is known, however short.
  return ms < (run.endedAt === null ? 1000 : 1) ? null : (doneNow(run) * 1000) / ms
}

/**
 * Estimated remaining time, ms, at the rate of the last 30 s; null without a plan, during a pause, or without progress
 * in this time.
 */
export function eta(run: RunView, now: number): number | null {
  const all = runTotalWork(run)
  if (run.finished !== null || run.phase === 'paused' || all === null) return null
  // It is unknown when a paused table will continue.
  if (run.copy?.tables.some(({ state }) => state === 'paused') === true) return null
  const left = all - run.baseline - doneNow(run)
  const speed = rateOf(run, now, 30_000)
  // The rate in the first seconds of a copy is unreliable, and no estimate is better than a wrong one.
  if (run.copy !== null && now - (run.copy.begunAt ?? now) < SETTLED_MS) return null
  if (speed === null || speed <= 0 || left < 0) return null
  return (left / speed) * 1000
}

/** Work done in each of the last seconds, oldest first. */
export function perSecond(run: RunView): number[] {
  const out: number[] = []
  for (let i = 1; i < run.samples.length; i += 1) {
    const a = run.samples[i - 1]
    const b = run.samples[i]
    if (a === undefined || b === undefined || b.at <= a.at) continue
    out.push(((b.done - a.done) * 1000) / (b.at - a.at))
  }
  return out
}

/** Work per second of a worker in its chunk. In the first second, the rate of its previous chunk. Null if unknown. */
export function workerRate(run: RunView, worker: WorkerView, now: number): number | null {
  const ms = now - worker.startedAt
  if (ms >= 1000) return (worker.done * 1000) / ms
  return run.workerRates[worker.worker] ?? null
}

/** Total work to show next to `done`: at least `done`, and exactly `done` after a successful run. */
export function shownTotal(run: RunView, done: number): number {
  const planned = run.plan?.total ?? 0
  return run.finished?.status === 'ok' && done > 0 ? done : Math.max(planned, done)
}

/** True if the run has not ended. */
export function isRunning(run: RunView | undefined): run is RunView {
  return run !== undefined && run.phase !== 'done'
}
