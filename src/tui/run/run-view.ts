/** What is known of one run, folded from its events. Bounded: lists keep their newest entries, counters keep the rest. */
import type { Operation } from '../../engine/operation.ts'
import type { Dec, EventBody, QuestionEvent } from '../../model/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'

export type TableResult = Extract<EventBody, { type: 'table.finished' }>
export type Check = Extract<EventBody, { type: 'verify.check' }>
export type Mismatch = Extract<EventBody, { type: 'verify.mismatch' }>
export type Finished = Extract<EventBody, { type: 'run.finished' }>

export type Lane = {
  readonly worker: number
  readonly table: string
  readonly chunk: string
  readonly done: number
  readonly total: number
  readonly unit: string
  readonly startedAt: number
  /** Why the lane waits, or null while it works. */
  readonly waits: string | null
}

/** One second of progress. */
export type Sample = { readonly at: number; readonly done: number }

export type RunView = {
  readonly id: number
  readonly operation: Operation
  readonly commandLine: string
  readonly runId: Dec | null
  readonly phase: 'starting' | 'running' | 'paused' | 'stopping' | 'aborting' | 'done'
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
  readonly chunksDone: number
  readonly retries: number
  readonly lanes: readonly Lane[]
  readonly wantedLanes: number | null
  readonly counts: Readonly<Record<'ok' | 'current' | 'failed' | 'refused' | 'stopped' | 'skipped', number>>
  readonly results: readonly TableResult[]
  readonly checks: readonly Check[]
  readonly mismatches: readonly Mismatch[]
  readonly mismatchCount: number
  readonly questions: readonly QuestionEvent[]
  readonly errors: readonly ErrorInfo[]
  readonly samples: readonly Sample[]
  readonly finished: Finished | null
}

export const KEPT_RESULTS = 500
export const KEPT_SAMPLES = 90

/** A run that was asked for and has said nothing yet. */
export function freshRun(id: number, operation: Operation, commandLine: string, now: number): RunView {
  return {
    id,
    operation,
    commandLine,
    runId: null,
    phase: 'starting',
    startedAt: now,
    endedAt: null,
    source: null,
    target: null,
    resumes: null,
    baseline: 0,
    plan: null,
    doneBefore: 0,
    chunksDone: 0,
    retries: 0,
    lanes: [],
    wantedLanes: null,
    counts: { ok: 0, current: 0, failed: 0, refused: 0, stopped: 0, skipped: 0 },
    results: [],
    checks: [],
    mismatches: [],
    mismatchCount: 0,
    questions: [],
    errors: [],
    samples: [{ at: now, done: 0 }],
    finished: null,
  }
}

/** Work done since this run began, with what the lanes hold now. */
export function doneNow(run: RunView): number {
  let sum = run.doneBefore
  for (const lane of run.lanes) if (run.plan === null || lane.unit === run.plan.unit) sum += lane.done
  return sum
}

/** 0..1 of the whole work, what earlier runs did included; below 1 until the run has ended well; null when no plan says. */
export function share(run: RunView): number | null {
  if (run.finished?.status === 'ok') return 1
  if (run.plan === null || run.plan.total <= 0) return null
  return Math.min(0.99, Math.max(0, (run.baseline + doneNow(run)) / run.plan.total))
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
  const end = run.endedAt ?? now
  const from = sampleBefore(run, end - windowMs)
  if (from === null || end - from.at < 1000) return null
  return (Math.max(0, doneNow(run) - from.done) * 1000) / (end - from.at)
}

/** Work a second since the run began, or null before one second has passed. */
export function meanRate(run: RunView, now: number): number | null {
  const ms = (run.endedAt ?? now) - run.startedAt
  return ms < 1000 ? null : (doneNow(run) * 1000) / ms
}

/** Milliseconds to go by the rate of the last 30 s; null when that would be a guess: nothing moved, or no plan says how much is left. */
export function eta(run: RunView, now: number): number | null {
  if (run.finished !== null || run.phase === 'paused' || run.plan === null) return null
  const left = run.plan.total - run.baseline - doneNow(run)
  const speed = rateOf(run, now, 30_000)
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

/** Whether the run still works. */
export function isRunning(run: RunView | undefined): run is RunView {
  return run !== undefined && run.phase !== 'done'
}
