/** The view of real copies, folded from their events: stopped, resumed, with a refused row, with keys of any type. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { foldEvent, sample } from '../../src/tui/run/fold.ts'
import { freshRun, runProgress, type RunView } from '../../src/tui/run/run-view.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, perform, type Place } from '../support/copy-systems.ts'

const ROWS = 3000
const NUMBERS = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})`

const folded = (operation: CopyOperation, events: readonly Event[]): RunView =>
  events.reduce(
    (run, event) => sample(foldEvent(run, event, Date.parse(event.ts)), Date.parse(event.ts)),
    freshRun(1, operation, '', Date.parse(events[0]?.ts ?? '')),
  )

const strip = (run: RunView, table: string, width = 60): ReadonlySet<string> =>
  new Set(run.copy?.table(table)?.map.cells(width))

describe('events of real copies', () => {
  let folder: Folder
  let source: Place

  beforeAll(async () => {
    folder = temporaryFolder()
    source = await makePlace('sqlite', folder.path)
    await source.sql(
      'CREATE TABLE numbers (id INTEGER PRIMARY KEY, name TEXT)',
      `${NUMBERS} INSERT INTO numbers SELECT i * 3, 'n' || i FROM n`,
      'CREATE TABLE texts (place TEXT NOT NULL, no INTEGER NOT NULL, name TEXT, PRIMARY KEY (place, no)) WITHOUT ROWID',
      `${NUMBERS} INSERT INTO texts SELECT 'p' || (i % 17), i, 'n' || i FROM n`,
    )
  })
  afterAll(() => folder[Symbol.dispose]())

  it('give the totals of the engine, and fill the whole strip', async () => {
    const operation = copyOf(source, await makePlace('sqlite', folder.path), '*', { chunkRows: 250 })
    const { finished, events } = await perform(operation)
    expect(finished.exitCode).toBe(0)
    const run = folded(operation, events)
    const { read, written, skipped, quarantined } = finished.totals
    expect(run.copy?.tally()).toEqual({
      read: Number(read),
      written: Number(written),
      skipped: Number(skipped),
      quarantined: Number(quarantined),
      proved: ROWS * 2,
    })
    for (const table of run.copy?.tables ?? []) {
      expect([...strip(run, table.name)], table.name).toEqual(['proved'])
      expect(table.state).toBe('ok')
      const { all, proved } = table.map.counts()
      expect({ all, proved }).toEqual({ all: Number(table.result?.copied?.chunks), proved: all })
    }
    expect(run.copy?.table('numbers')?.map.axis).toEqual({ by: 'value', low: 3n, high: BigInt(ROWS * 3) })
    expect(run.copy?.table('texts')?.map.axis).toEqual({ by: 'order' })
    expect(runProgress(run)).toBe(1)
  })

  it('continue at the progress of the stopped copy, and count only later work', async () => {
    const to = await makePlace('sqlite', folder.path)
    const operation = copyOf(source, to, 'numbers', { chunkRows: 100, workers: 1 })
    const interrupt = new Interrupter()
    let closed = 0
    const first = await perform(operation, {
      interrupt,
      onEvent: ({ type }) => {
        if (type === 'chunk.done' && ++closed === 7) interrupt.requestStop()
      },
    })
    expect(first.finished.status).toBe('stopped')
    const stopped = folded(operation, first.events)
    const done = stopped.copy?.tally().read ?? 0
    expect(runProgress(stopped)).toBe(done / ROWS)
    expect(done).toBe(stopped.doneBefore)
    expect([...strip(stopped, 'numbers')].toSorted()).toEqual(['pending', 'proved'])
    const { events } = await perform(operation)
    const run = folded(operation, events)
    expect(run.baseline).toBe(done)
    expect(run.doneBefore).toBe(ROWS - done)
    expect(run.copy?.tally()).toMatchObject({ read: ROWS, proved: ROWS })
    expect([...strip(run, 'numbers')]).toEqual(['proved'])
  })

  it('show the refused row, its position and the cause', async () => {
    const to = await makePlace('sqlite', folder.path)
    await to.sql("CREATE TABLE numbers (id INTEGER PRIMARY KEY, name TEXT CHECK (name <> 'n1500'))")
    const operation = copyOf(source, to, 'numbers', { chunkRows: 100 })
    const { finished, events } = await perform(operation)
    expect(finished.error?.code).toBe('ROWS_ASIDE')
    const run = folded(operation, events)
    expect(run.copy?.tally()).toMatchObject({ read: ROWS, written: ROWS - 1, quarantined: 1 })
    // All rows were read; the end of the run reports the error.
    expect(runProgress(run)).toBe(1)
    const again = await perform(operation)
    expect(runProgress(folded(operation, again.events))).toBe(1)
    const [bad, ...more] = run.copy?.keptChunks.list('numbers', true) ?? []
    expect(more).toEqual([])
    expect(bad).toMatchObject({ state: 'aside', quarantined: 1, rows: [{ key: ['4500'] }] })
    expect(run.copy?.table('numbers')?.map.cells(3)).toEqual(['proved', 'aside', 'proved'])
  })
})
