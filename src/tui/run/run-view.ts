/** What is known of one run, folded from its events. Bounded: lists keep their newest entries, counters keep the rest. */
import type { Dec, DifferenceEvent, EventBody, KeySpan, QuestionEvent } from '../../model/run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import { ArchiveProgress } from './archiving/archive-progress.ts'
import { CopyProgress } from './copy/copy-progress.ts'
import { NO_FSCK, type FsckView } from './fsck-view.ts'
import type { Check, Finished, Mismatch, TableResult } from './outcomes.ts'
import type { Operation } from '../../app/operations/list.ts'
import { isShownAs } from './run-screen.ts'

export type { Check, Finished, Mismatch, TableResult } from './outcomes.ts'

export type Lane = {
  readonly worker: number
  readonly table: string
  readonly chunk: string
  readonly done: number
  /** Of the source, about; 0 where nobody tells. */
  readonly bytes: number
  readonly total: number
  readonly unit: string
  readonly startedAt: number
  /** Why the lane waits, or null while it works. */
  readonly waits: string | null
  /** Of a copy: what is being done with the chunk, where it lies, and which try this is. */
  readonly step: 'reading' | 'writing' | 'proving' | null
  readonly span: KeySpan
  readonly attempt: number
}

/** One second of progress. */
export type Sample = { readonly at: number; readonly done: number; readonly bytes: number }

export type RunView = {
  readonly id: number
  readonly operation: Operation
  readonly commandLine: string
  /** Where it goes on, if that is another program of this machine; null for a run of this one. */
  readonly joined: { readonly host: string; readonly pid: number; readonly folder: string | null } | null
  readonly runId: Dec | null
  readonly phase: 'starting' | 'running' | 'paused' | 'stopping' | 'aborting' | 'done'
  /** When it was paused, ms since the epoch; null while it is not. */
  readonly pausedAt: number | null
  readonly startedAt: number
  readonly endedAt: number | null
  readonly source: string | null
  readonly target: string | null
  readonly resumes: Dec | null
  readonly baseline: number
  readonly plan: {
    readonly tables: number
    readonly chunks: number
    readonly total: number
    readonly unit: string
    readonly estimated: boolean
    readonly bytes: number
  } | null
  /** Work of finished chunks, in the unit of the plan, since this run began. */
  readonly doneBefore: number
  /** Bytes of finished chunks of a copy. */
  readonly bytesBefore: number
  readonly chunksDone: number
  readonly retries: number
  readonly lanes: readonly Lane[]
  /** Work a second of the last chunk that each worker has finished: of a chunk that takes no second nothing else is known. */
  readonly laneRates: Readonly<Record<number, number>>
  readonly wantedLanes: number | null
  /** Rows a second as the keys have set them; null where they have not, `Infinity` for no limit. */
  readonly wantedRate: number | null
  /** Of a copy. It is no plain value: it grows in place with every event. */
  readonly copy: CopyProgress | null
  /** Of an archive run or a restore; it grows in place, too. */
  readonly archiving: ArchiveProgress | null
  readonly counts: Readonly<Record<'ok' | 'current' | 'failed' | 'refused' | 'stopped' | 'skipped', number>>
  readonly results: readonly TableResult[]
  readonly checks: readonly Check[]
  readonly mismatches: readonly Mismatch[]
  readonly mismatchCount: number
  readonly questions: readonly QuestionEvent[]
  /** What a comparison says beside its figures: questions that it left out, and what its times mean. */
  readonly notes: readonly string[]
  /** Of a `diff`. */
  readonly differences: readonly DifferenceEvent[]
  readonly differenceCount: number
  /** How far the comparison of the table is that is being compared. */
  readonly comparing: Extract<EventBody, { type: 'diff.progress' }> | null
  /** Of `fsck`. */
  readonly fsck: FsckView | null
  readonly errors: readonly ErrorInfo[]
  /** What it waits for before there is a plan, in its own words; null where it has said nothing. */
  readonly trouble: string | null
  /** What it says line by line. */
  readonly story: readonly string[]
  readonly samples: readonly Sample[]
  readonly finished: Finished | null
}

export const KEPT_SAMPLES = 90
const SETTLED_MS = 3000

/** A run that was asked for and has said nothing yet. */
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
    lanes: [],
    laneRates: {},
    wantedLanes: null,
    wantedRate: null,
    copy: isShownAs(operation, 'copy') ? new CopyProgress() : null,
    archiving: isShownAs(operation, 'archiving') ? new ArchiveProgress(operation) : null,
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
    fsck: isShownAs(operation, 'findings') ? NO_FSCK : null,
    errors: [],
    trouble: null,
    story: [],
    samples: [{ at: now, done: 0, bytes: 0 }],
    finished: null,
  }
}

/** Work done since this run began, with what the lanes hold now. */
export function doneNow(run: RunView): number {
  if (run.archiving !== null) return run.archiving.done()
  let sum = run.doneBefore
  for (const lane of run.lanes) if (run.plan === null || lane.unit === run.plan.unit) sum += lane.done
  return sum
}

/** Bytes that a copy has moved since this run began; 0 where nobody tells. */
export function bytesNow(run: RunView): number {
  if (run.archiving !== null) return run.archiving.moved()
  return run.lanes.reduce((sum, lane) => sum + lane.bytes, run.bytesBefore)
}

/** All the work there is, what earlier runs did included; null where no plan has told. */
export function workOf(run: RunView): number | null {
  if (run.archiving !== null) return run.archiving.work()
  if (run.plan === null) return null
  return run.copy === null ? run.plan.total : run.copy.rows().rows
}

/** 0..1 of the whole work, what earlier runs did included; below 1 while work is left, also in a run that has ended; null when no plan says. */
export function share(run: RunView): number | null {
  if (run.finished?.status === 'ok' || isGoneThrough(run)) return 1
  const all = workOf(run)
  if (all === null || all <= 0) return null
  const tables = run.finished === null ? null : endedTables(run)
  // What there was to do in the tables that failed nobody knows: the plan's estimate would come close to whole.
  if (tables !== null && tables.ended >= tables.all) return Math.min(0.99, tables.ok / tables.all)
  if (run.copy !== null && run.finished !== null) return Math.min(0.99, run.copy.tally().read / all)
  return Math.min(0.99, Math.max(0, (run.baseline + doneNow(run)) / all))
}

/** Tables of an import by how they ended; null for runs whose work is not counted in actions. */
export function endedTables({
  plan,
  counts,
}: RunView): { readonly ok: number; readonly ended: number; readonly all: number } | null {
  if (plan === null || plan.unit !== 'action' || plan.tables < 2) return null
  const ok = counts.ok + counts.current
  return { ok, ended: ok + counts.failed + counts.refused + counts.stopped + counts.skipped, all: plan.tables }
}

/** Whether a run that ended as failed has left nothing out: it failed by what it found, or by rows that were set aside. */
function isGoneThrough({ finished, copy, archiving, plan }: RunView): boolean {
  if (finished?.status !== 'failed' || plan === null) return false
  if (copy !== null) return copy.isGoneThrough
  // One that could not look at something ends by another code.
  return archiving === null && finished.error?.code === 'DIFFERENCES'
}

function sampleBefore(run: RunView, since: number): Sample | null {
  let found: Sample | null = null
  for (const sample of run.samples) {
    if (sample.at <= since) found = sample
    else break
  }
  return found ?? run.samples[0] ?? null
}

/** Work a second over the last `windowMs`, or null before one second has passed. */
export function rateOf(run: RunView, now: number, windowMs: number): number | null {
  return pace(run, now, windowMs, 'done', doneNow(run))
}

/** Bytes a second over the last `windowMs`; null before one second has passed, and where nobody tells bytes. */
export function byteRate(run: RunView, now: number, windowMs: number): number | null {
  const bytes = bytesNow(run)
  return bytes === 0 ? null : pace(run, now, windowMs, 'bytes', bytes)
}

function pace(run: RunView, now: number, windowMs: number, of: 'done' | 'bytes', amount: number): number | null {
  const end = run.endedAt ?? now
  const sampled = sampleBefore(run, end - windowMs)
  // While a copy was planned nothing could move.
  const begunAt = run.copy?.begunAt ?? run.archiving?.begunAt ?? null
  const from =
    begunAt !== null && sampled !== null && sampled.at < begunAt ? { at: begunAt, done: 0, bytes: 0 } : sampled
  if (from === null || end - from.at < 1000) return null
  return (Math.max(0, amount - from[of]) * 1000) / (end - from.at)
}

/** Work a second since the run began to work, or null before one second has passed of one that goes on. */
export function meanRate(run: RunView, now: number): number | null {
  if (run.copy !== null && run.endedAt !== null) return run.copy.pace.mean()?.rows ?? null
  const ms = (run.endedAt ?? now) - (run.copy?.begunAt ?? run.archiving?.begunAt ?? run.startedAt)
  // How long it took is known of a run that has ended, however short that was.
  return ms < (run.endedAt === null ? 1000 : 1) ? null : (doneNow(run) * 1000) / ms
}

/** Milliseconds to go by the rate of the last 30 s; null when that would be a guess: nothing moved, or no plan says how much is left. */
export function eta(run: RunView, now: number): number | null {
  const all = workOf(run)
  if (run.finished !== null || run.phase === 'paused' || all === null) return null
  // Nobody knows when a table goes on that a person has paused.
  if (run.copy?.tables.some(({ state }) => state === 'paused') === true) return null
  const left = all - run.baseline - doneNow(run)
  const speed = rateOf(run, now, 30_000)
  // The first batches of a copy say little: a number that is wrong by an hour is worse than none.
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

/** Work a second of a lane: of its chunk, or of the last one while this one is young; null while nothing is known. */
export function laneRate(run: RunView, lane: Lane, now: number): number | null {
  const ms = now - lane.startedAt
  if (ms >= 1000) return (lane.done * 1000) / ms
  return run.laneRates[lane.worker] ?? null
}

/** All the work as it is shown beside what is done: a plan may have been too low, and what has ended well was all there was. */
export function shownTotal(run: RunView, done: number): number {
  const planned = run.plan?.total ?? 0
  return run.finished?.status === 'ok' && done > 0 ? done : Math.max(planned, done)
}

/** Whether the run still works. */
export function isRunning(run: RunView | undefined): run is RunView {
  return run !== undefined && run.phase !== 'done'
}
