/** The view of a copy, folded from its events: totals, the map of the key space, and bounded memory for many chunks. */
import { describe, expect, it } from 'vitest'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { foldEvent, sample } from '../../src/tui/run/fold.ts'
import { rateAfter } from '../../src/tui/run/rate-limit.ts'
import { eta, freshRun, meanRate, rateOf, runProgress, type RunView } from '../../src/tui/run/run-view.ts'
import { ChunkMap } from '../../src/tui/run/copy/chunk-map.ts'
import { fitKeyRange, keyRangeText } from '../../src/tui/run/copy/key-axis.ts'
import { chunkText } from '../../src/tui/screens/run/copy/texts.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { showsOutput, withOutput } from '../../src/tui/run/output.ts'
import * as told from './support/copy-events.ts'

const event = (body: EventBody): Event => ({ v: 1, seq: 1, ts: '2026-11-20T12:00:00.000Z', runId: '1', ...body })
const fold = (run: RunView, now: number, ...bodies: EventBody[]): RunView =>
  sample(
    bodies.reduce((r, b) => foldEvent(r, event(b), now), run),
    now,
  )
const fresh = (now = 0): RunView =>
  fold(freshRun(1, told.COPY, told.COMMAND, now), now, told.planned([told.planLine(told.TABLE, told.ROWS)]))
const copyOf = (run: RunView): NonNullable<RunView['copy']> => {
  if (run.copy === null) throw new Error('no copy')
  return run.copy
}
const stripOf = (run: RunView, width: number): string => {
  const marks = { proved: '#', written: '=', copying: '+', pending: '.', waits: '~', aside: '!', failed: 'x' }
  return (copyOf(run).table(told.TABLE)?.map.cells(width) ?? []).map((state) => marks[state]).join('')
}

describe('a copy', () => {
  it('accounts for every row that was read, in all runs together', () => {
    const run = fold(
      fresh(),
      1000,
      told.begun({ proved: 2 }),
      told.skipped(1),
      told.skipped(2, 3),
      told.started(3, 1),
      told.done(3, 1, 1),
    )
    expect(copyOf(run).tally()).toEqual({
      read: 150_000,
      written: 149_996,
      skipped: 0,
      quarantined: 4,
      proved: 149_996,
    })
    expect(copyOf(run).chunks()).toMatchObject({ all: 45, proved: 1, aside: 2, pending: 42 })
  })

  it('calculates rate and remaining time from where it resumed', () => {
    let run = fold(fresh(), 0, told.begun({ proved: 6 }), ...[1, 2, 3, 4, 5, 6].map((no) => told.skipped(no)))
    expect(runProgress(run)).toBeCloseTo(300_000 / told.ROWS, 5)
    run = fold(run, 10_000, told.started(7, 1))
    run = fold(run, 15_000, told.moved(7, 1, 25_000, 'writing'))
    run = fold(run, 20_000, told.done(7, 1), told.started(8, 1))
    expect(meanRate(run, 20_000)).toBe(5000)
    expect(rateOf(run, 20_000, 5000)).toBe(5000)
    expect(eta(run, 20_000)).toBe(((told.ROWS - 350_000) / (50_000 / 10)) * 1000)
  })

  it('is not 100 % before the end of the run, and never reads more than the total', () => {
    let run = fold(fresh(), 0, told.begun({ rows: 40_000, chunks: 1 }), told.started(1, 1), told.done(1, 1))
    expect(copyOf(run).rows()).toEqual({ rows: 50_000, estimated: false })
    expect(runProgress(run)).toBe(0.99)
    run = fold(run, 1, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 })
    expect(runProgress(run)).toBe(1)
  })

  it('drops the progress of a failed attempt', () => {
    let run = fold(
      fresh(),
      0,
      told.begun(),
      told.started(1, 1),
      told.moved(1, 1, 40_000, 'writing'),
      told.rowAside(1, '7'),
    )
    run = fold(run, 1000, told.retried(1, 2, 500))
    expect(run.workers[0]).toMatchObject({ done: 0, attempt: 2 })
    expect(copyOf(run).keptChunks.find(told.TABLE, '1')).toMatchObject({
      state: 'waits',
      quarantined: 0,
      againAt: 1500,
    })
    run = fold(run, 2000, told.moved(1, 1, 10, 'reading'), told.rowAside(1, '7'), told.done(1, 1, 1))
    expect(copyOf(run).keptChunks.find(told.TABLE, '1')).toMatchObject({
      state: 'aside',
      quarantined: 1,
      rows: [{ key: ['7'] }],
    })
  })

  it('has no chunk in progress after its end, or after a worker has begun another chunk', () => {
    let run = fold(fresh(), 0, told.begun(), told.started(1, 1), told.started(2, 1))
    expect(copyOf(run).chunks()).toMatchObject({ copying: 1, pending: 44 })
    run = fold(run, 1, told.done(2, 1), told.started(3, 1), {
      type: 'run.finished',
      status: 'stopped',
      exitCode: 75,
      totals: {},
      ms: 1,
    })
    expect(copyOf(run).chunks()).toMatchObject({ proved: 1, copying: 0, pending: 44 })
    expect(runProgress(run)).toBeCloseTo(50_000 / told.ROWS, 5)
  })

  it('counts rows as proved only if they were compared', () => {
    const none = fold(
      freshRun(1, told.COPY, '', 0),
      0,
      told.planned([told.planLine(told.TABLE, told.ROWS, { proof: 'none' })]),
      told.begun(),
      told.started(1, 1),
      told.done(1, 1),
    )
    expect(copyOf(none).tally().proved).toBe(0)
    expect(copyOf(none).chunks()).toMatchObject({ written: 1, proved: 0 })
    const blocks = fold(
      freshRun(1, told.COPY, '', 0),
      0,
      told.planned([told.planLine(told.TABLE, told.ROWS, { key: [] })]),
      { ...told.begun({ chunks: 1 }), key: [] } as EventBody,
      told.started(1, 1),
      {
        ...told.done(1, 1),
        checksum: { source: 'a', target: '' },
      } as EventBody,
    )
    expect(copyOf(blocks).chunks()).toMatchObject({ written: 1 })
    // Without a key the whole table is compared at the end.
    const copied = {
      chunks: '1',
      proved: '1',
      earlier: '0',
      looked: '0',
      read: '50000',
      written: '50000',
      skipped: '0',
      quarantined: '0',
      readPoints: '1',
    }
    const ended = fold(blocks, 1, { type: 'table.finished', table: told.TABLE, status: 'ok', ms: 1, copied })
    expect(copyOf(ended).chunks()).toMatchObject({ written: 0, proved: 1 })
    expect(copyOf(ended).tally().proved).toBe(50_000)
    // The detail of the chunk agrees with the strip, and names the proof.
    const chunk = copyOf(ended).keptChunks.find(told.TABLE, '1')
    if (chunk === null) throw new Error('no chunk')
    expect(chunk.state).toBe('proved')
    expect(chunkText(chunk, ended, 1).join('\n')).toMatch(
      /target +with the table\n(?:.|\n)*the whole table was compared at its end/,
    )
  })

  it('keeps failed chunks, and only some of the others, of twenty thousand chunks', () => {
    const all = 20_000
    let run = fold(fresh(), 0, told.begun({ rows: all * 50_000, chunks: all }))
    for (let no = 1; no <= all; no++) {
      const chunk = String(no)
      const range = { from: [String((no - 1) * 50_000 + 1)], to: [String(no * 50_000)] }
      run = foldEvent(run, event({ ...told.started(no, (no % 8) + 1), chunk, ...range } as EventBody), no)
      run = foldEvent(
        run,
        event(
          no % 1000 === 0
            ? ({ ...told.failed(no), chunk } as EventBody)
            : ({ ...told.done(no, (no % 8) + 1), chunk, ...range } as EventBody),
        ),
        no,
      )
    }
    const { keptChunks: book } = copyOf(run)
    expect(copyOf(run).chunks()).toMatchObject({ all, failed: 20, proved: all - 20 })
    expect(book.list(told.TABLE, true)).toHaveLength(20)
    expect(book.list(told.TABLE, false).length).toBeLessThan(100)
    expect(stripOf(run, 100).replaceAll('#', '')).toBe('x'.repeat(20))
  })
})

describe('the key space', () => {
  it('shows the worst state in a cell, and pending before proved', () => {
    let run = fold(
      fresh(),
      0,
      told.begun({ rows: 500_000, chunks: 10 }),
      told.started(1, 1),
      told.done(1, 1),
      told.started(3, 1),
      told.done(3, 1, 1),
    )
    run = fold(
      run,
      1,
      told.started(5, 1),
      told.started(7, 2),
      told.moved(7, 2, 50_000, 'proving'),
      told.started(9, 3),
      told.retried(9, 2, 100),
      told.started(10, 4),
      told.failed(10),
    )
    expect(stripOf(run, 10)).toBe('#.!.+.=.~x')
    // A cell that is proved by half is not shown as proved.
    expect(stripOf(run, 5)).toBe('.!+=x')
    expect(stripOf(run, 20)).toBe('##..!!..++..==..~~xx')
  })

  it('fills whole cells if chunks meet inside them', () => {
    const map = new ChunkMap({ by: 'value', low: 1n, high: 1000n }, 7)
    const edges = [0, 130, 271, 333, 700, 701, 999, 1000]
    for (let i = 1; i < edges.length; i++)
      map.set(String(i), 'proved', { from: [String((edges[i - 1] ?? 0) + 1)], to: [String(edges[i])] })
    for (const width of [1, 7, 78, 198, 1000])
      expect(
        map.cells(width).every((state) => state === 'proved'),
        String(width),
      ).toBe(true)
  })

  it('has open ends, and a place for rows without a key', () => {
    const map = new ChunkMap({ by: 'value', low: -100n, high: 99n }, 3)
    map.set('1', 'proved', { from: null, to: ['-1'] })
    map.set('2', 'proved', { from: ['0'], to: null })
    expect(map.cells(4)).toEqual(['proved', 'proved', 'proved', 'proved'])
    map.set('3', 'failed', {})
    expect(map.cells(4)).toEqual(['proved', 'proved', 'proved', 'failed'])
  })

  it('supports keys beyond the range of a JavaScript number', () => {
    const map = new ChunkMap({ by: 'value', low: -(2n ** 63n), high: 2n ** 63n - 1n }, 2)
    map.set('1', 'proved', { from: null, to: ['-1'] })
    expect(map.cells(4)).toEqual(['proved', 'proved', 'pending', 'pending'])
    map.set('2', 'copying', { from: ['0'], to: null })
    expect(map.cells(4)).toEqual(['proved', 'proved', 'copying', 'copying'])
  })

  it('is ordered by chunk number if keys are not numbers, and closes gaps in the numbers', () => {
    const map = new ChunkMap({ by: 'order' }, 4)
    map.set('1', 'proved')
    map.set('3', 'copying')
    expect(map.cells(8)).toEqual(['proved', 'proved', 'pending', 'pending', 'copying', 'copying', 'pending', 'pending'])
    map.set('9', 'proved')
    expect(map.cells(4)).toEqual(['proved', 'copying', 'proved', 'pending'])
  })

  it('prints ranges, and shortens them so that they still differ', () => {
    expect(keyRangeText({ from: ['400001'], to: ['450000'] }, ['id'])).toBe('400001–450000')
    expect(keyRangeText({ from: null, to: ['b', '7'] }, ['t', 'n'])).toBe('start–(b, 7)')
    expect(keyRangeText({}, ['id'])).toBe('rows without a key')
    expect(keyRangeText({ from: ['0'], to: ['128'] }, [])).toBe('blocks 0–127')
    expect(fitKeyRange({ from: ['9007199254740993'], to: ['9007199254790992'] }, ['id'], 17)).toBe('…4740993–…4790992')
    expect(fitKeyRange({ from: ['3f2a9c1e-aaaa'], to: ['7b1c0d2e-bbbb'] }, ['id'], 17)).toBe('3f2a9c1…–7b1c0d2…')
  })
})

describe('the limit on rows a second', () => {
  const at = (limit: number | null, perSecond: number): RunView => {
    let run: RunView = { ...fold(fresh(), 0, told.begun(), told.started(1, 1)), wantedRate: limit }
    for (let s = 1; s <= 10; s++) run = fold(run, s * 1000, told.moved(1, 1, s * perSecond, 'writing'))
    return run
  }
  it('is halved from the current rate, doubled, and removed if it limits nothing', () => {
    expect(rateAfter(at(null, 4321), false, 10_000)).toEqual({ rate: 2200 })
    expect(rateAfter(at(null, 4321), true, 10_000)).toHaveProperty('why')
    expect(rateAfter(at(null, 0), false, 10_000)).toHaveProperty('why')
    expect(rateAfter(at(2000, 1990), false, 10_000)).toEqual({ rate: 1000 })
    expect(rateAfter(at(2000, 1990), true, 10_000)).toEqual({ rate: 4000 })
    expect(rateAfter(at(20_000, 1990), true, 10_000)).toEqual({ rate: Infinity })
    expect(rateAfter(at(1, 1), false, 10_000)).toEqual({ rate: 1 })
  })
  it('is halved from the rate of a stream without chunks', () => {
    const applies = (rate: string): RunView =>
      fold(fresh(), 1000, {
        type: 'follow.progress',
        position: '0/1',
        end: '0/1',
        lagBytes: '0',
        lagMs: 0,
        transactions: '1',
        changes: '1',
        rate,
        heldBytes: '0',
        tables: { copying: '0', catchup: '0', live: '1' },
      })
    expect(rateAfter(applies('840'), false, 2000)).toEqual({ rate: 420 })
    expect(rateAfter(applies('0'), false, 2000)).toMatchObject({
      why: expect.stringMatching(/ctl RUN rate N/) as string,
    })
  })
})

it('a cutover without a copy is described in words, and a followed copy keeps its map', () => {
  const progress = {
    type: 'follow.progress',
    position: '0/1',
    end: '0/1',
    lagBytes: '0',
    lagMs: 0,
    transactions: '1',
    changes: '1',
    rate: '1',
    heldBytes: '0',
    tables: { copying: '0', catchup: '0', live: '1' },
  } as const
  const ended = { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 } as const
  const of = (operation: Operation, ...bodies: readonly EventBody[]): boolean => {
    const run = withOutput(freshRun(1, operation, 'sluice', 0), ['0:01 note     what it says'])
    return showsOutput(
      bodies.reduce((one, body, seq) => foldEvent(one, { v: 1, seq, ts: '', runId: '1', ...body }, 1), run),
    )
  }
  expect(of(told.COPY, progress, ended)).toBe(false)
  expect(of(told.COPY, ended)).toBe(true)
  const cutover = { kind: 'cutover', run: '1', to: 'sqlite:///x' } as unknown as Operation
  expect(of(cutover, progress, ended)).toBe(true)
})
