/** Folds engine events into a `RunView` and into lines of the log. */
import type { Event } from '../../model/event.ts'
import { clean, takeStart } from '../draw/text.ts'
import { countDec, msOf, numberOf, plural, seconds } from '../draw/format.ts'
import type { LogEntry } from '../state/state.ts'
import type { Lane, RunView } from './run-view.ts'
import { doneNow, KEPT_RESULTS, KEPT_SAMPLES } from './run-view.ts'

const LOG_CELLS = 500

const last = <T>(list: readonly T[], item: T, keep: number): readonly T[] =>
  list.length < keep ? [...list, item] : [...list.slice(list.length - keep + 1), item]

function setLane(run: RunView, lane: Lane): readonly Lane[] {
  const others = run.lanes.filter((l) => l.worker !== lane.worker)
  return [...others, lane].toSorted((a, b) => a.worker - b.worker)
}

const withoutChunk = (run: RunView, table: string, chunk: string): readonly Lane[] =>
  run.lanes.filter((l) => l.table !== table || l.chunk !== chunk)

/** `run` after one event that was seen at `now`. */
export function foldEvent(run: RunView, event: Event, now: number): RunView {
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
      const lane = {
        worker: event.worker,
        table: event.table,
        chunk: event.chunk,
        done: 0,
        total: Number(event.total),
        unit: event.unit,
      }
      return { ...run, lanes: setLane(run, { ...lane, startedAt: now, waits: null }) }
    }
    case 'chunk.progress': {
      const before = run.lanes.find((l) => l.worker === event.worker)
      const same = before?.table === event.table && before.chunk === event.chunk
      const lane = { worker: event.worker, table: event.table, chunk: event.chunk, unit: event.unit, waits: null }
      const startedAt = same ? before.startedAt : now
      return {
        ...run,
        lanes: setLane(run, { ...lane, done: Number(event.done), total: Number(event.total), startedAt }),
      }
    }
    case 'chunk.retried': {
      const waits = `${event.error.code}: try ${event.attempt} in ${seconds(event.waitMs)}`
      const lanes = run.lanes.map((l) => (l.table === event.table && l.chunk === event.chunk ? { ...l, waits } : l))
      return { ...run, lanes, retries: run.retries + 1 }
    }
    case 'chunk.done': {
      const counts = run.plan === null || event.unit === run.plan.unit
      return {
        ...run,
        lanes: withoutChunk(run, event.table, event.chunk),
        chunksDone: run.chunksDone + 1,
        doneBefore: run.doneBefore + (counts ? Number(event.done) : 0),
      }
    }
    case 'chunk.failed':
      return {
        ...run,
        lanes: withoutChunk(run, event.table, event.chunk),
        errors: last(run.errors, event.error, KEPT_RESULTS),
      }
    case 'table.finished':
      return {
        ...run,
        lanes: run.lanes.filter((l) => l.table !== event.table),
        results: last(run.results, event, KEPT_RESULTS),
        counts: { ...run.counts, [event.status]: run.counts[event.status] + 1 },
        errors: event.error === undefined ? run.errors : last(run.errors, event.error, KEPT_RESULTS),
      }
    case 'verify.check':
      return { ...run, checks: last(run.checks, event, KEPT_RESULTS) }
    case 'verify.mismatch':
      return { ...run, mismatches: last(run.mismatches, event, KEPT_RESULTS), mismatchCount: run.mismatchCount + 1 }
    case 'question':
      return { ...run, questions: last(run.questions, event, KEPT_RESULTS) }
    case 'run.finished':
      return {
        ...run,
        phase: 'done',
        lanes: [],
        doneBefore: doneNow(run),
        endedAt: now,
        finished: event,
        errors: event.error === undefined ? run.errors : last(run.errors, event.error, KEPT_RESULTS),
      }
    default:
      return run
  }
}

/** One sample a second at most; called with every flush and every tick of a live run. */
export function sample(run: RunView, now: number): RunView {
  const newest = run.samples.at(-1)
  if (newest !== undefined && now - newest.at < 950) return run
  return { ...run, samples: last(run.samples, { at: now, done: doneNow(run) }, KEPT_SAMPLES) }
}

/** The line of the log that an event makes, or null. Cut, so that one hostile message cannot fill the memory. */
export function logEntry(event: Event, now: number): LogEntry | null {
  const ts = msOf(event.ts) ?? now
  const entry = (level: LogEntry['level'], text: string): LogEntry => ({
    ts,
    level,
    text: takeStart(clean(text), LOG_CELLS),
  })
  switch (event.type) {
    case 'log':
      return entry(
        event.level,
        (event.table === undefined ? '' : `${event.table}: `) +
          event.message +
          (event.hint === undefined ? '' : ` · do: ${event.hint}`),
      )
    case 'run.started':
      return entry('note', `${event.command} started${event.resumes === undefined ? '' : `, resumes ${event.resumes}`}`)
    case 'plan.ready':
      return entry(
        'note',
        `plan ${event.hash}: ${plural(numberOf(event.tables), 'table')}, ${event.estimated ? 'about ' : ''}${countDec(event.total)} ${event.unit}s`,
      )
    case 'table.finished':
      if (event.error !== undefined) {
        const hint = event.error.hint === undefined ? '' : ` · do: ${event.error.hint}`
        return entry('error', `${event.table}: ${event.error.code} ${event.error.message}${hint}`)
      }
      return entry(
        'note',
        `${event.table}: ${event.status}${event.version === undefined ? '' : ` v${event.version}`}, ${seconds(event.ms)}`,
      )
    case 'chunk.retried':
      return entry(
        'warn',
        `${event.table}: ${event.error.code} ${event.error.message}, trying again in ${seconds(event.waitMs)}`,
      )
    case 'chunk.failed':
      return entry('error', `${event.table} ${event.chunk}: ${event.error.code} ${event.error.message}`)
    case 'verify.check':
      return entry(
        event.equal ? 'note' : 'error',
        `${event.table} v${event.version} ${event.check}: ${event.equal ? [event.log, event.catalog].filter((side) => side !== '').join(' = ') : `log ${event.log}, catalog ${event.catalog}`} (${event.witness})`,
      )
    case 'verify.mismatch':
      return entry(
        'error',
        `${event.table} v${event.version} ${event.check} ${event.path ?? ''} ${event.field}: log ${event.log}, catalog ${event.catalog}`,
      )
    case 'question':
      return entry(
        event.same ? 'note' : 'error',
        `${event.title}: ${event.same ? 'same answer' : (event.difference ?? 'answers differ')}, ${plural(Number(event.rows), 'row')}`,
      )
    case 'run.finished':
      return entry(
        event.status === 'ok' ? 'note' : event.status === 'stopped' ? 'warn' : 'error',
        `run ${event.status}, exit ${event.exitCode}, ${seconds(event.ms)}${event.error === undefined ? '' : ` · ${event.error.code} ${event.error.message}`}`,
      )
    default:
      return null
  }
}
