/** Folds engine events into a `RunView`. */
import type { Event, TableStatus } from '../../model/run/event.ts'
import { countDec, numberOf, seconds } from '../../render/screen-format.ts'
import { foldFsck } from './fsck-fold.ts'
import { isRunShownOn } from './run-screen.ts'
import { bytesNow, doneNow, KEPT_SAMPLES, type WorkerView, type RunView } from './run-view.ts'
import { KEPT } from '../../model/run/kept-events.ts'

type Reported = Extract<Event, { type: 'run.summary' | 'chunks.summary' }>

const last = <T>(list: readonly T[], item: T, keep: number): readonly T[] =>
  list.length < keep ? [...list, item] : [...list.slice(list.length - keep + 1), item]

function setWorker(run: RunView, view: WorkerView): readonly WorkerView[] {
  const others = run.workers.filter((l) => l.worker !== view.worker)
  return [...others, view].toSorted((a, b) => a.worker - b.worker)
}

const NO_STEP = { step: null, span: {}, attempt: 1 } as const

const withoutChunk = (run: RunView, table: string, chunk: string): readonly WorkerView[] =>
  run.workers.filter((l) => l.table !== table || l.chunk !== chunk)

/** Maximum number of notes kept for a comparison. */
const MOST_NOTES = 6

const doneIn = (run: RunView, table: string): number =>
  run.workers.reduce(
    (sum, worker) =>
      sum + (worker.table === table && (run.plan === null || worker.unit === run.plan.unit) ? worker.done : 0),
    0,
  )

function ratesAfter(run: RunView, event: Extract<Event, { type: 'chunk.done' }>): RunView['workerRates'] {
  const worker = run.workers.find(({ table, chunk }) => table === event.table && chunk === event.chunk)?.worker
  if (worker === undefined || event.ms <= 0) return run.workerRates
  return { ...run.workerRates, [worker]: (Number(event.read ?? event.done) * 1000) / event.ms }
}

/** The view of a run after one event that arrived at `now`. */
export function foldEvent(run: RunView, event: Event, now: number): RunView {
  run.copy?.fold(event, now)
  run.archiving?.fold(event, now)
  switch (event.type) {
    case 'run.started':
      return {
        ...run,
        runId: event.runId,
        phase: run.phase === 'starting' ? 'running' : run.phase,
        source: event.source ?? null,
        target: event.target ?? null,
        resumes: event.resumes ?? null,
        baseline: numberOf(event.baseline?.done) ?? 0,
      }
    case 'plan.ready':
      return {
        ...run,
        phase: run.phase === 'starting' ? 'running' : run.phase,
        trouble: null,
        plan: {
          tables: Number(event.tables),
          chunks: Number(event.chunks),
          total: Number(event.total),
          unit: event.unit,
          estimated: event.estimated,
          bytes: Number(event.bytes),
        },
      }
    case 'chunk.started': {
      const view = {
        worker: event.worker,
        table: event.table,
        chunk: event.chunk,
        done: 0,
        bytes: 0,
        total: Number(event.total),
        unit: event.unit,
      }
      const { from, to } = event
      const span = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
      return { ...run, workers: setWorker(run, { ...view, ...NO_STEP, span, startedAt: now, waits: null }) }
    }
    case 'copy.started':
      return { ...run, baseline: run.baseline + Number(event.done.rows) }
    case 'chunk.progress': {
      const before = run.workers.find((l) => l.worker === event.worker)
      const same = before?.table === event.table && before.chunk === event.chunk
      const { worker, table, chunk, unit, step = null } = event
      const { span, attempt } = same ? before : NO_STEP
      const view = { worker, table, chunk, unit, waits: null, step, span, attempt }
      // After a wait a copy reads the chunk from its beginning, so measure the rate from now.
      const again = run.copy !== null && before?.waits !== null
      const startedAt = same && !again ? before.startedAt : now
      return {
        ...run,
        workers: setWorker(run, {
          ...view,
          done: Number(event.done),
          bytes: Number(event.bytes ?? 0),
          total: Number(event.total),
          startedAt,
        }),
      }
    }
    case 'chunk.retried': {
      const waits = `${event.error.code}: try ${event.attempt} in ${seconds(event.waitMs)}`
      const { attempt } = event
      // A failed try of a copy is rolled back; an import continues after its last batch.
      const left = run.copy === null ? {} : { done: 0, bytes: 0 }
      const workers = run.workers.map((l) =>
        l.table === event.table && l.chunk === event.chunk ? { ...l, ...left, waits, attempt } : l,
      )
      return { ...run, workers, retries: run.retries + 1 }
    }
    case 'chunk.done': {
      const counts = run.plan === null || event.unit === run.plan.unit
      return {
        ...run,
        workers: withoutChunk(run, event.table, event.chunk),
        workerRates: ratesAfter(run, event),
        chunksDone: run.chunksDone + 1,
        doneBefore: run.doneBefore + (counts ? Number(event.read ?? event.done) : 0),
        bytesBefore: run.bytesBefore + Number(event.bytes ?? 0),
      }
    }
    case 'diff.progress':
      return comparing(run, event, now)
    case 'chunk.released':
      return { ...run, workers: withoutChunk(run, event.table, event.chunk) }
    case 'run.steered':
      return steered(run, event, now)
    case 'chunk.failed':
      return {
        ...run,
        workers: withoutChunk(run, event.table, event.chunk),
        errors: last(run.errors, event.error, KEPT.listed),
      }
    case 'table.finished':
      return {
        ...run,
        workers: run.workers.filter((l) => l.table !== event.table),
        // Comparisons and stopped imports have no `chunk.done`, so count their work here. Unfinished work of a copy is
        // rolled back.
        doneBefore: run.doneBefore + (run.copy === null ? doneIn(run, event.table) : 0),
        results: last(run.results, event, KEPT.listed),
        counts: { ...run.counts, [event.status]: run.counts[event.status] + 1 },
        errors: event.error === undefined ? run.errors : last(run.errors, event.error, KEPT.listed),
      }
    case 'verify.check':
      return { ...run, checks: last(run.checks, event, KEPT.listed) }
    case 'verify.mismatch':
      return { ...run, mismatches: last(run.mismatches, event, KEPT.listed), mismatchCount: run.mismatchCount + 1 }
    case 'fsck.progress':
    case 'fsck.checked':
    case 'fsck.finding':
      return foldFsck(run, event, now)
    case 'log':
      if (event.level === 'warn' && run.plan === null) return { ...run, trouble: event.message }
      return event.level === 'note' && isRunShownOn(run.operation, 'compare')
        ? { ...run, notes: last(run.notes, event.message, MOST_NOTES) }
        : run
    case 'question':
      return { ...run, questions: last(run.questions, event, KEPT.listed) }
    case 'difference':
      return {
        ...run,
        differences: last(run.differences, event, KEPT.listed),
        differenceCount: run.differenceCount + 1,
      }
    case 'run.summary':
    case 'chunks.summary':
      return foldSummary(run, event)
    case 'run.finished':
      return {
        ...run,
        phase: 'done',
        pausedAt: null,
        workers: [],
        // Chunks that a copy has not completed are rolled back.
        doneBefore: run.copy === null ? doneNow(run) : run.doneBefore,
        endedAt: now,
        finished: event,
        errors: event.error === undefined ? run.errors : last(run.errors, event.error, KEPT.listed),
      }
    default:
      return run
  }
}

/** Adds the summary of earlier events to a run that was joined late. */
function foldSummary(run: RunView, event: Reported): RunView {
  const { plan } = run
  const worked = Object.entries(event.work).reduce(
    (sum, [unit, done]) => (plan === null || unit === plan.unit ? sum + Number(done) : sum),
    0,
  )
  const summed = {
    ...run,
    chunksDone: run.chunksDone + Number(event.chunks),
    doneBefore: run.doneBefore + worked,
    bytesBefore: run.bytesBefore + Number(event.bytes),
    retries: run.retries + Number(event.retries),
  }
  return event.type === 'chunks.summary' ? summed : withCounts(summed, event)
}

function withCounts(run: RunView, event: Extract<Reported, { type: 'run.summary' }>): RunView {
  const statuses = Object.keys(run.counts) as TableStatus[]
  const counts = { ...run.counts }
  for (const status of statuses) counts[status] += Number(event.tables[status] ?? 0)
  const findingCount = Number(event.findings)
  return {
    ...run,
    counts,
    mismatchCount: run.mismatchCount + Number(event.mismatches),
    differenceCount: run.differenceCount + Number(event.differences),
    fsck: run.fsck === null ? null : { ...run.fsck, findingCount: run.fsck.findingCount + findingCount },
  }
}

/** Adds a worker line for the table under comparison: its source rows, and the number of ranges left. */
function comparing(run: RunView, event: Extract<Event, { type: 'diff.progress' }>, now: number): RunView {
  const { table, step, done, total, left } = event
  const known = run.workers.find((worker) => worker.table === table)
  const view: WorkerView = {
    worker: 1,
    table,
    chunk: step === 'comparing' ? `${countDec(left)} left` : step,
    done: Number(done),
    bytes: 0,
    total: Number(total),
    unit: 'row',
    waits: null,
    ...NO_STEP,
    startedAt: known?.startedAt ?? now,
  }
  return { ...run, workers: setWorker(run, view), comparing: event }
}

/** The view of a run in another phase; sets or clears `pausedAt`. @param now ms since the epoch */
export function withPhase(run: RunView, phase: RunView['phase'], now: number): RunView {
  return { ...run, phase, pausedAt: phase === 'paused' ? (run.pausedAt ?? now) : null }
}

/** Applies steering requests of other programs to the view. */
function steered(
  run: RunView,
  { paused, workers, rate, stopping }: Extract<Event, { type: 'run.steered' }>,
  now: number,
): RunView {
  const turned = run.phase === 'running' || run.phase === 'paused'
  const phase = stopping === true ? 'stopping' : paused === undefined ? run.phase : paused ? 'paused' : 'running'
  return {
    ...(turned ? withPhase(run, phase, now) : run),
    wantedWorkers: workers ?? run.wantedWorkers,
    wantedRate: rate === undefined ? run.wantedRate : rate === null ? Infinity : Number(rate),
  }
}

/** Drops samples later than `now`. The first sample stays: the run had done nothing before it. */
const samplesUntil = (samples: RunView['samples'], now: number): RunView['samples'] =>
  samples.filter(({ at }, index) => index === 0 || at <= now).map((one) => (one.at <= now ? one : { ...one, at: now }))

/** Adds at most one sample per second; called with every event and every tick of a live run. */
export function sample(run: RunView, now: number): RunView {
  const newest = run.samples.at(-1)
  // An event may be older than the newest tick: drop the samples that were taken after the event.
  if (newest !== undefined && now < newest.at) return sample({ ...run, samples: samplesUntil(run.samples, now) }, now)
  if (newest !== undefined && now - newest.at < 950) return run
  return { ...run, samples: last(run.samples, { at: now, done: doneNow(run), bytes: bytesNow(run) }, KEPT_SAMPLES) }
}
