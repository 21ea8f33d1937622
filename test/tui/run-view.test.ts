import { describe, expect, it } from 'vitest'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { foldEvent, sample } from '../../src/tui/run/fold.ts'
import { LogEntries } from '../../src/render/log-entry.ts'
import type { RunView } from '../../src/tui/run/run-view.ts'
import {
  doneNow,
  eta,
  freshRun,
  workerRate,
  meanRate,
  rateOf,
  runProgress,
  shownTotal,
} from '../../src/tui/run/run-view.ts'
import { LOG_LINES, reducer } from '../../src/tui/state/reducer.ts'
import { initialState } from '../../src/tui/state/state.ts'
import * as copied from './support/copy-events.ts'

const operation = { kind: 'validate', table: 't', catalog: 'c', verbose: false, samples: 1 } as const
const event = (body: EventBody): Event => ({ v: 1, seq: 1, ts: '2026-11-20T12:00:00.000Z', runId: '1', ...body })
const fold = (run: RunView, now: number, ...bodies: EventBody[]): RunView =>
  sample(
    bodies.reduce((r, b) => foldEvent(r, event(b), now), run),
    now,
  )
const plan = {
  type: 'plan.ready',
  hash: 'h',
  tables: '2',
  chunks: '4',
  unit: 'action',
  total: '1000',
  estimated: true,
  bytes: '1',
  excluded: [],
} as const
const progress = (done: number, worker = 1): EventBody => ({
  type: 'chunk.progress',
  table: 't',
  chunk: `c${worker}`,
  worker,
  done: String(done),
  total: '500',
  unit: 'action',
})

const chunkDone = (done: number, ms: number, worker = 1): EventBody => ({
  type: 'chunk.done',
  table: 't',
  chunk: `c${worker}`,
  worker,
  done: String(done),
  unit: 'action',
  ms,
})

describe('progress', () => {
  it('is never above the total, and 100 % when the run has succeeded', () => {
    let run = fold(freshRun(1, operation, 'x', 0), 100, plan, progress(400), chunkDone(700, 50), progress(450))
    expect([doneNow(run), shownTotal(run, doneNow(run)), runProgress(run)]).toEqual([1150, 1150, 0.99])
    run = fold(freshRun(1, operation, 'x', 0), 100, plan, chunkDone(987, 50))
    expect([shownTotal(run, doneNow(run)), runProgress(run)]).toEqual([1000, 0.987])
    run = fold(run, 200, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 })
    expect([shownTotal(run, doneNow(run)), runProgress(run)]).toEqual([987, 1])
  })

  it('is the share of tables if all have ended and some failed', () => {
    const ended = (table: string, status: 'ok' | 'failed'): EventBody => ({
      type: 'table.finished',
      table,
      status,
      ms: 1,
    })
    const begun = fold(freshRun(1, operation, 'x', 0), 100, plan, chunkDone(999, 50), ended('t', 'ok'))
    const failed = { type: 'run.finished', status: 'failed', exitCode: 1, totals: {}, ms: 1 } as const
    expect(runProgress(fold(begun, 200, failed))).toBe(0.99)
    expect(runProgress(fold(begun, 200, ended('u', 'failed'), failed))).toBe(0.5)
  })

  it('of a stopped table stays', () => {
    const table: EventBody = { type: 'table.finished', table: 't', status: 'stopped', ms: 1 }
    const run = fold(freshRun(1, operation, 'x', 0), 100, plan, progress(400), table)
    expect(doneNow(run)).toBe(400)
  })

  it('has a rate for each worker, even if each chunk takes less than a second', () => {
    let run = fold(freshRun(1, operation, 'x', 0), 100, plan, progress(400))
    const rate = (now: number): number | null =>
      run.workers[0] === undefined ? null : workerRate(run, run.workers[0], now)
    expect([rate(600), rate(2100)]).toEqual([null, 200])
    run = fold(run, 700, chunkDone(500, 250), progress(10))
    expect([rate(800), rate(1700)]).toEqual([2000, 10])
  })
})

describe('a run', () => {
  it('starts at the resumed progress, and is not 100 % before the end of the run', () => {
    let run = fold(
      freshRun(1, operation, 'x', 0),
      0,
      { type: 'run.started', command: 'import', tool: '1', resumes: '7', baseline: { done: '200' } },
      plan,
    )
    expect(runProgress(run)).toBe(0.2)
    run = fold(run, 10_000, progress(400))
    expect(runProgress(run)).toBe(0.6)
    expect(meanRate(run, 10_000)).toBe(40)
    expect(eta(run, 10_000)).toBe(10_000)
    run = fold(run, 11_000, progress(500, 1), progress(500, 2))
    expect(runProgress(run)).toBe(0.99)
    run = fold(run, 12_000, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 })
    expect(runProgress(run)).toBe(1)
    expect(run.workers).toEqual([])
  })

  it('has no remaining time while nothing moves', () => {
    let run = fold(freshRun(1, operation, 'x', 0), 0, plan)
    expect(eta(run, 500)).toBeNull()
    run = fold(run, 2000, progress(100))
    expect(rateOf(run, 2000, 30_000)).toBe(50)
    for (let s = 3; s < 60; s += 1) run = sample(run, s * 1000)
    expect(eta(run, 60_000)).toBeNull()
  })

  it('counts the work of a chunk once', () => {
    const run = fold(freshRun(1, operation, 'x', 0), 1000, plan, progress(300), {
      type: 'chunk.done',
      table: 't',
      chunk: 'c1',
      worker: 1,
      done: '500',
      unit: 'action',
      ms: 3,
    })
    expect(runProgress(run)).toBe(0.5)
    expect(run.workers).toEqual([])
  })

  it('keeps bounded lists and counts the rest', () => {
    let run = freshRun(1, operation, 'x', 0)
    for (let i = 0; i < 800; i += 1)
      run = foldEvent(
        run,
        event({
          type: 'verify.mismatch',
          table: 't',
          version: '1',
          check: 'stats',
          field: 'f',
          log: '1',
          catalog: '2',
        }),
        i,
      )
    expect(run.mismatches).toHaveLength(500)
    expect(run.mismatchCount).toBe(800)
  })
})

describe('a screen after a suspend', () => {
  const BEGAN = Date.parse('2026-11-20T12:00:00.000Z')
  const at = (second: number, seq: number, body: EventBody): Event => ({
    ...event(body),
    seq,
    ts: new Date(BEGAN + second * 1000).toISOString(),
  })
  /** One row a second, in chunks of ten seconds; the last ten seconds have ten times as many. */
  const events = [
    at(1, 1, { type: 'run.started', command: 'copy', tool: '1' }),
    at(1, 2, copied.planned([copied.planLine(copied.TABLE, 1000)])),
    at(1, 3, { ...copied.begun(), rows: '1000' } as EventBody),
    ...Array.from({ length: 12 }, (_, no) => [
      at(2 + no * 10, 4 + no * 2, copied.started(no + 1, 1)),
      at(12 + no * 10, 5 + no * 2, {
        ...copied.done(no + 1, 1),
        ...read(no === 11 ? 100 : 10),
        ms: 10_000,
      } as EventBody),
    ]).flat(),
  ]
  function read(rows: number): object {
    return { read: String(rows), written: String(rows), done: String(rows) }
  }
  const seen = (run: RunView, now: number): unknown => ({
    mean: meanRate(run, now),
    rates: [5000, 30_000, 60_000].map((window) => rateOf(run, now, window)),
    elapsed: now - run.startedAt,
    begunAt: run.copy?.begunAt,
    chunks: run.copy?.keptChunks.list(copied.TABLE, false).map(({ no, startedAt, ms }) => [no, startedAt, ms]),
    workers: run.workerRates,
  })
  const shown = (held: boolean, ended: readonly Event[]): RunView => {
    let state = initialState({ columns: 80, rows: 24, ascii: false, lake: null, catalog: 'c', now: BEGAN })
    const startedAt = new Date(BEGAN).toISOString()
    const about = { runId: '1', operation: copied.COPY, commandLine: '', tool: '1', host: 'h', pid: 1, startedAt }
    state = reducer(state, { type: 'run-joined', id: 1, about, snapshot: [], show: true, now: BEGAN })
    for (const [index, one] of [...events, ...ended].entries()) {
      const now = Date.parse(one.ts)
      // A program that wakes up reads the clock first.
      if (held && index === 6) state = reducer(state, { type: 'tick', now: BEGAN + 125_000 })
      if (held && index > 5) state = reducer(state, { type: 'events', id: 1, events: [one], now: BEGAN + 125_000 })
      else state = reducer(state, { type: 'events', id: 1, events: [one], now })
    }
    const [run] = state.runs.views
    if (run === undefined) throw new Error('no run')
    return run
  }

  it('shows the rates, means and times of the run', () => {
    const now = BEGAN + 125_000
    expect(seen(shown(true, []), now)).toEqual(seen(shown(false, []), now))
    const end = at(123, 99, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 122_000 })
    expect(seen(shown(true, [end]), now)).toEqual(seen(shown(false, [end]), now))
    expect(shown(true, [end])).toMatchObject({ startedAt: BEGAN, endedAt: BEGAN + 123_000 })
  })
})

describe('the log', () => {
  it('shortens lines and removes escape sequences', () => {
    const [entry] = new LogEntries().event(
      event({ type: 'log', level: 'note', message: `\u001b[2J${'x'.repeat(90_000)}` }),
      0,
    )
    expect(entry?.text).toHaveLength(500)
    expect(entry?.text).not.toContain('\u001b')
  })

  it('is a ring buffer', () => {
    let state = initialState({ columns: 80, rows: 24, ascii: false, lake: null, catalog: 'c', now: 0 })
    for (let i = 0; i < 30; i += 1)
      state = reducer(state, {
        type: 'log',
        entries: Array.from({ length: 100 }, (_, n) => ({ ts: 0, level: 'note', text: `${i}.${n}` })),
      })
    expect(state.log.entries).toHaveLength(LOG_LINES)
    expect(state.log.entries.at(-1)?.text).toBe('29.99')
    expect(state.log.at.cursor).toBe(LOG_LINES - 1)
  })
})
