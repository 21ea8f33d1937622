/** The Run screen of archives, as drawn at three sizes. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EventBody } from '../../src/model/run/event.ts'
import { fakeWorkbench, type FakeRun } from './fake-workbench.mjs'
import type { App, AppOptions } from './support/app.ts'
import { openApp } from './support/app.ts'
import * as told from './support/archive-events.ts'
import { expectGolden } from './support/golden.ts'

const SIZES = [
  [80, 24],
  [120, 40],
  [200, 50],
] as const

let open: App[] = []

beforeAll(() => {
  process.env['TZ'] = 'UTC'
})

afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

async function archiving(
  size: AppOptions,
  first: readonly EventBody[],
  operation: typeof told.ARCHIVE | typeof told.RESTORE = told.ARCHIVE,
): Promise<{ app: App; run: FakeRun }> {
  const fake = fakeWorkbench({ hold: true, lake: null, catalog: null })
  const app = openApp({ ...size, fake, initial: { operation, commandLine: told.COMMAND } })
  open.push(app)
  await app.until('planning')
  const run = fake.runsStarted.at(-1)
  if (run === undefined) throw new Error('no run')
  run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
  for (const event of first) run.emit(event)
  return { app, run }
}

const quarter = (n: number): string => `Q${(n % 4) + 1}-FY${21 + Math.floor(n / 4)}`
const PLAN: readonly EventBody[] = [
  told.columns,
  told.planned('Q4-FY20', { status: 'done', state: 'DROPPED' }),
  told.planned(quarter(0), { status: 'resume', state: 'EXPORTED' }),
  told.planned(quarter(1)),
  told.planned(quarter(2)),
  told.planned(quarter(3), { estimatedMs: 83_000 }),
  told.planned(quarter(4), { status: 'held', note: 'lawsuit 4711' }),
  told.planned(quarter(5), { status: 'blocked', note: 'invoices refers to its rows' }),
  told.planned(quarter(6), { status: 'drop', state: 'DETACHED' }),
  told.planned('rest', { status: 'later', rows: '0', bytes: '0' }),
]

/** One partition is done, one has failed, and one is in progress. */
async function work(app: App, run: FakeRun): Promise<void> {
  const begun = app.clock.now
  const pass = async (ms: number): Promise<void> => {
    app.clock.now += ms
    const seen = `${Math.floor((app.clock.now - begun) / 1000)}`
    await app.until((screen) => screen.includes(`0:${seen.padStart(2, '0')} so far`))
  }
  run.emit(told.moved(quarter(0), 'verifying', 4_000_000))
  await pass(10_000)
  run.emit(told.reached(quarter(0), 'VERIFIED', { ...told.STORED, ms: 10_000 }))
  run.emit(told.reached(quarter(0), 'PUBLISHED', { ...told.STORED, version: '3' }))
  run.emit(
    told.reached(quarter(0), 'DETACHED', { ...told.STORED, version: '3', dropAfter: '2026-11-27T12:04:57.000Z' }),
  )
  run.emit(told.reached(quarter(1), 'EXPORTED', { ...told.STORED, ms: 9_000 }))
  await pass(9_000)
  run.emit(told.reached(quarter(1), 'FAILED', { error: told.changed }))
  run.emit(told.reached(quarter(2), 'EXPORTING'))
  for (let i = 1; i <= 3; i++) {
    run.emit(told.moved(quarter(2), 'exporting', 470_000 * i * 4))
    await pass(4000)
  }
}

describe.each(SIZES)('at %i×%i', (columns, rows) => {
  const golden = async (name: string, app: App): Promise<void> => {
    await app.settled()
    const screen = app.screen()
    expect(screen.split('\n')).toHaveLength(rows)
    expectGolden(`${name}-${columns}x${rows}`, screen)
  }

  it('shows the states of partitions, and failures', async () => {
    const { app, run } = await archiving({ columns, rows }, PLAN)
    await work(app, run)
    await golden('archive', app)
    await app.press(['k'], 'exported anew')
    if (columns < 100) await golden('archive-failed-row', app)
    await app.press(['G'], '›◐ Q3-FY21')
    run.finish(5, { error: told.changed, resumeCommand: told.COMMAND })
    await app.until('exit 5')
    await golden('archive-end', app)
  })
})

it('keeps the active partition visible if the list is longer than the screen', async () => {
  const names = Array.from({ length: 60 }, (_, n) => `2001-${String(n + 1).padStart(3, '0')}`)
  const { app, run } = await archiving({ columns: 80, rows: 24 }, [told.columns, ...names.map((n) => told.planned(n))])
  run.emit(told.moved('2001-041', 'exporting', 5))
  await app.until('›◐ 2001-041')
  run.emit(told.moved('2001-060', 'exporting', 5))
  await app.until('›◐ 2001-060')
  // A cursor that the user has moved stays.
  await app.press(['g'], '›– 2001-001')
  run.emit(told.moved('2001-030', 'exporting', 5))
  await app.settled()
  expect(app.screen()).toContain('›– 2001-001')
  await app.press(['pagedown', 'pagedown'], (screen) => !screen.includes('2001-001'))
  await app.press(['G'], '›◐ 2001-030')
  await app.press(['enter'], 'calendar     ')
  expect(app.screen()).toContain('details: jsonb → string, as the text that the source prints')
  await app.press(['esc', 'e'], 'errors only')
  expect(app.screen()).toContain('nothing is wrong with any partition')
})

it('draws an archive with ASCII characters only with --ascii', async () => {
  const { app, run } = await archiving({ columns: 80, rows: 24, ascii: true }, PLAN)
  await work(app, run)
  await app.settled()
  expectGolden('archive-ascii-80x24', app.screen())
  expect(app.screen()).toMatch(/^[\x20-\x7e\n]*$/)
})

it('shows a restore and its result', async () => {
  const plan = [told.columns, told.planned('Q2-FY21', { state: 'DROPPED', estimated: false })]
  const { app, run } = await archiving({ columns: 80, rows: 24 }, plan, told.RESTORE)
  run.emit(told.moved('Q2-FY21', 'restoring', 3_000_000))
  await app.until('25 %')
  await app.settled()
  expectGolden('archive-restore-80x24', app.screen())
  run.emit(told.reached('Q2-FY21', 'RESTORED', { rows: String(told.ROWS) }))
  run.finish(0, { totals: { partitions: '1', restored: '1', rows: String(told.ROWS) } })
  await app.until('ok, exit 0')
  expect(app.screen()).toContain('1 restored')
  await app.quit()
  open = []
})
