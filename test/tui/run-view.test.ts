import { describe, expect, it } from 'vitest'
import type { Event, EventBody } from '../../src/model/event.ts'
import { foldEvent, sample } from '../../src/tui/run/fold.ts'
import { logEntry } from '../../src/tui/run/log-entry.ts'
import type { RunView } from '../../src/tui/run/run-view.ts'
import { doneNow, eta, freshRun, laneRate, meanRate, rateOf, share, shownTotal } from '../../src/tui/run/run-view.ts'
import { LOG_LINES, reducer } from '../../src/tui/state/reducer.ts'
import { initialState } from '../../src/tui/state/state.ts'

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
  it('is never above its total, and all of it when the run has ended well', () => {
    let run = fold(freshRun(1, operation, 'x', 0), 100, plan, progress(400), chunkDone(700, 50), progress(450))
    expect([doneNow(run), shownTotal(run, doneNow(run)), share(run)]).toEqual([1150, 1150, 0.99])
    run = fold(freshRun(1, operation, 'x', 0), 100, plan, chunkDone(987, 50))
    expect([shownTotal(run, doneNow(run)), share(run)]).toEqual([1000, 0.987])
    run = fold(run, 200, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 })
    expect([shownTotal(run, doneNow(run)), share(run)]).toEqual([987, 1])
  })

  it('of a table that was stopped stays', () => {
    const table: EventBody = { type: 'table.finished', table: 't', status: 'stopped', ms: 1 }
    const run = fold(freshRun(1, operation, 'x', 0), 100, plan, progress(400), table)
    expect(doneNow(run)).toBe(400)
  })

  it('has a rate for each lane, also where no chunk takes a second', () => {
    let run = fold(freshRun(1, operation, 'x', 0), 100, plan, progress(400))
    const rate = (now: number): number | null => (run.lanes[0] === undefined ? null : laneRate(run, run.lanes[0], now))
    expect([rate(600), rate(2100)]).toEqual([null, 200])
    run = fold(run, 700, chunkDone(500, 250), progress(10))
    expect([rate(800), rate(1700)]).toEqual([2000, 10])
  })
})

describe('a run', () => {
  it('counts from where it resumed, and is not done before it says so', () => {
    let run = fold(
      freshRun(1, operation, 'x', 0),
      0,
      { type: 'run.started', command: 'import', tool: '1', resumes: '7', baseline: { done: '200' } },
      plan,
    )
    expect(share(run)).toBe(0.2)
    run = fold(run, 10_000, progress(400))
    expect(share(run)).toBe(0.6)
    expect(meanRate(run, 10_000)).toBe(40)
    expect(eta(run, 10_000)).toBe(10_000)
    run = fold(run, 11_000, progress(500, 1), progress(500, 2))
    expect(share(run)).toBe(0.99)
    run = fold(run, 12_000, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 })
    expect(share(run)).toBe(1)
    expect(run.lanes).toEqual([])
  })

  it('tells no time to go when nothing moves', () => {
    let run = fold(freshRun(1, operation, 'x', 0), 0, plan)
    expect(eta(run, 500)).toBeNull()
    run = fold(run, 2000, progress(100))
    expect(rateOf(run, 2000, 30_000)).toBe(50)
    for (let s = 3; s < 60; s += 1) run = sample(run, s * 1000)
    expect(eta(run, 60_000)).toBeNull()
  })

  it('does not count the work of a chunk twice', () => {
    const run = fold(freshRun(1, operation, 'x', 0), 1000, plan, progress(300), {
      type: 'chunk.done',
      table: 't',
      chunk: 'c1',
      worker: 1,
      done: '500',
      unit: 'action',
      ms: 3,
    })
    expect(share(run)).toBe(0.5)
    expect(run.lanes).toEqual([])
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

describe('the log', () => {
  it('cuts lines and takes out escapes', () => {
    const entry = logEntry(event({ type: 'log', level: 'note', message: `\u001b[2J${'x'.repeat(90_000)}` }), 0)
    expect(entry?.text).toHaveLength(500)
    expect(entry?.text.startsWith('\ufffd')).toBe(true)
  })

  it('is a ring', () => {
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
