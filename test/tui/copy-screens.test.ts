/** The Run screen of copies, and a database's tables, as drawn at three sizes. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EventBody } from '../../src/model/run/event.ts'
import { uiCommands } from '../../src/cli/ui/commands.ts'
import { fakeWorkbench, type FakeRun } from './fake-workbench.mjs'
import type { App, AppOptions } from './support/app.ts'
import { openApp } from './support/app.ts'
import * as told from './support/copy-events.ts'
import { expectGolden } from './support/golden.ts'

const SIZES = [
  [80, 24],
  [120, 40],
  [200, 50],
] as const

let open: App[] = []
const start = (options: AppOptions): App => {
  const app = openApp(options)
  open.push(app)
  return app
}

beforeAll(() => {
  process.env['TZ'] = 'UTC'
})

afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

const VEHICLES = 'public.vehicles'
const BROKEN = 'public.broken'
const EVENTS = 'public.events_by_day'
const lossy = told.fault('LOSSY_TYPE', 'price numeric(40,20) loses digits as REAL', 'accept it: --accept-lossy price')

/** A copy started on the command line, with the first events of the engine. */
async function copying(size: AppOptions, first: readonly EventBody[]): Promise<{ app: App; run: FakeRun }> {
  const fake = fakeWorkbench({ hold: true, lake: null, catalog: null })
  const app = start({ ...size, fake, initial: { operation: told.COPY, commandLine: told.COMMAND } })
  await app.until('planning the copy')
  const run = fake.runsStarted.at(-1)
  if (run === undefined) throw new Error('no run')
  run.emit({ type: 'run.started', command: 'copy', tool: '0.1.0' })
  for (const event of first) run.emit(event)
  return { app, run }
}

const ONE = [
  told.planned([told.planLine(told.TABLE, told.ROWS)]),
  told.begun({ proved: 6 }),
  ...[1, 2, 3, 4, 5, 31].map((no) => told.skipped(no)),
]
const MANY = [
  told.planned([
    told.planLine(told.TABLE, told.ROWS),
    told.planLine(VEHICLES, 120_000),
    told.planLine(BROKEN, 10, { status: 'refused', error: lossy }),
    told.planLine(EVENTS, 99_000, { key: ['tenant', 'at'], estimated: true }),
  ]),
  told.begun({ proved: 6 }),
  ...[1, 2, 3, 4, 5, 31].map((no) => told.skipped(no)),
  told.begun({ table: VEHICLES, rows: 120_000, chunks: 3 }),
  { type: 'table.finished', table: BROKEN, status: 'refused', ms: 1, error: lossy },
  { ...told.begun({ table: EVENTS, rows: 99_000, chunks: 2 }), key: ['tenant', 'at'], estimated: true },
] as readonly EventBody[]

/** A minute of work: at its end one worker waits, one proves, and one chunk has failed. */
async function work(app: App, run: FakeRun, broken = false): Promise<void> {
  const begun = app.clock.now
  const pass = async (ms: number): Promise<void> => {
    app.clock.now += ms
    const seen = `${Math.floor((app.clock.now - begun) / 1000)}`
    await app.until((screen) => screen.includes(`0:${seen.padStart(2, '0')} so far`))
  }
  for (let no = 6; no <= 17; no++) {
    const worker = (no % 4) + 1
    run.emit(told.started(no, worker))
    if (no === 9) run.emit(told.rowAside(9, '431877'))
    run.emit(told.done(no, worker, no === 9 ? 1 : 0))
    // The screen is drawn once in a tenth of a second, so wait only after every fourth chunk.
    if (no % 4 === 1) await pass(16_000)
  }
  run.emit(told.started(19, 1))
  run.emit(told.started(18, 2))
  run.emit(told.started(33, 3))
  run.emit(told.started(23, 4))
  run.emit(told.moved(19, 1, 42_000, 'writing'))
  run.emit(told.moved(18, 2, 50_000, 'proving'))
  run.emit(told.moved(33, 3, 15_000, 'reading'))
  if (broken) {
    run.emit(told.started(28, 5))
    run.emit(told.failed(28))
  }
  await pass(4000)
  run.emit(told.retried(23, 3, 1200))
  run.emit(told.throttled)
  await app.until('throttled')
}

const COPIED = {
  chunks: '45',
  proved: '38',
  earlier: '6',
  looked: '6',
  read: '2160059',
  written: '2160058',
  skipped: '0',
  quarantined: '1',
  readPoints: '2',
}
const NOTE =
  'read from 2 snapshots of the source: each chunk equals the source when it was read; if a program wrote meanwhile, the table as a whole equals no single snapshot'

describe.each(SIZES)('at %i×%i', (columns, rows) => {
  const size = { columns, rows }
  const golden = async (name: string, app: App): Promise<void> => {
    await app.settled()
    const screen = app.screen()
    expect(screen.split('\n')).toHaveLength(rows)
    expectGolden(`${name}-${columns}x${rows}`, screen)
  }

  it('shows the map of a copy, its workers, and the state of a chunk', async () => {
    const { app, run } = await copying(size, ONE)
    await work(app, run)
    await golden('copy', app)
    if (columns < 100) {
      await app.press(['tab'], 'STATE')
      await golden('copy-chunks', app)
    }
    await app.press(['j'], '› ')
    await app.press(['enter'], 'chunk        9 of 45')
    await golden('copy-chunk', app)
  })

  it('shows several tables, and the errors only', async () => {
    const { app, run } = await copying(size, MANY)
    await work(app, run, true)
    await golden('copy-tables', app)
    await app.press(['tab', 'e'], 'errors only')
    await golden('copy-errors', app)
  })

  it('shows the failure and the next step', async () => {
    const { app, run } = await copying(size, ONE)
    await work(app, run, true)
    const error = told.fault(
      'CHUNKS_FAILED',
      '1 of 45 chunks of coordinate_speed_new failed: PROOF_FAILED',
      'correct the cause, then run the same command again: it does only what is not done',
    )
    run.emit({
      type: 'table.finished',
      table: told.TABLE,
      status: 'failed',
      ms: 12,
      copied: COPIED,
      notes: [NOTE],
      error,
    })
    run.finish(1, { error, resumeCommand: told.COMMAND })
    await app.until('failed, exit 1')
    await golden('copy-failed', app)
  })

  it("lists a database's tables, their columns, and the plan of a copy", async () => {
    const app = start({
      ...size,
      fake: fakeWorkbench({ lake: null, catalog: null, database: 'postgresql://app@db/tracks' }),
    })
    await app.until('public.events')
    await golden('database', app)
    await app.press(['space', 'space', 'c'], 'copy to (URL)')
    await app.press(['sqlite:///edge.db', 'enter'], 'loses digits')
    await golden('copy-plan', app)
    await app.press(['esc'], (screen) => !screen.includes('loses digits'))
    await app.press(['k', 'enter'], 'range (at), 48 partitions')
    await golden('columns', app)
  })

  it('shows the partitions of a table as a timeline', async () => {
    const app = start({
      ...size,
      fake: fakeWorkbench({ lake: null, catalog: null, database: 'postgresql://app@db/tracks' }),
    })
    await app.until('public.events')
    await app.press(['j', 't'], (screen) => screen.includes('Q3-FY25'))
    await golden('timeline', app)
    await app.press(['esc'], (screen) => !screen.includes('esc closes'))
    await golden('timeline-beside', app)
  })

  it('shows the phases of a table, those that need attention first', async () => {
    const app = start({
      ...size,
      fake: fakeWorkbench({ lake: null, catalog: null, database: 'postgresql://app@db/tracks' }),
      commands: await uiCommands({ env: {} }, { secrets: [], urls: [] }),
    })
    await app.until('public.events')
    await app.press(['j', 'L'], (screen) => screen.includes('due or blocked'))
    await golden('lifecycle', app)
    await app.press(['y'], (screen) => screen.includes('copied'))
    // A due phase is started here, after its plan.
    await app.press(['j', 'enter'], 'Start (tab goes there)')
    await golden('start', app)
    await app.press(['tab', 'enter'], 'ok, exit 0')
    await golden('told', app)
    await app.press(['esc', 'esc'], 'enter shows its plan')
  })

  it('shows the distribution of rows on the token ring of a Cassandra table', async () => {
    const app = start({
      ...size,
      fake: fakeWorkbench({ lake: null, catalog: null, database: 'cassandra://app@db/shop' }),
    })
    await app.until('shop.orders')
    await app.press(['t'], 'FROM TOKEN')
    await golden('ring', app)
    await app.press(['esc'], (screen) => !screen.includes('esc closes'))
    await golden('ring-beside', app)
  })
})

it('draws a copy with ASCII characters only with --ascii', async () => {
  const { app, run } = await copying({ columns: 80, rows: 24, ascii: true }, ONE)
  await work(app, run, true)
  await app.settled()
  expectGolden('copy-ascii-80x24', app.screen())
  expect(app.screen()).toMatch(/^[\x20-\x7e\n]*$/)
})
