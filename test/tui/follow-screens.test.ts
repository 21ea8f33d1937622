/** The Run screen of a followed copy after all tables are copied, at three sizes. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { dec } from '../../src/model/run/event.ts'
import type { FollowProgressEvent } from '../../src/model/follow/events.ts'
import { fakeWorkbench } from './fake-workbench.mjs'
import { openApp, type App } from './support/app.ts'
import * as told from './support/copy-events.ts'
import { expectGolden } from './support/golden.ts'

const SIZES = [
  [80, 24],
  [120, 40],
  [200, 50],
] as const

const TABLES = ['public.accounts', 'public.events_by_day', 'public.vehicles'] as const

let open: App[] = []

beforeAll(() => {
  process.env['TZ'] = 'UTC'
})

afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

/** The stream is behind for a while, catches up, and falls behind again. */
function progress(second: number): FollowProgressEvent {
  const behind = [40, 30, 20, 10, 0, 0, 0, 5, 15, 25][second % 10] ?? 0
  return {
    type: 'follow.progress',
    position: `0/1A2B${(3000 + second).toString(16).toUpperCase()}`,
    end: '0/1A2BFFFF',
    lagBytes: dec(behind * 100_000),
    lagMs: behind * 100,
    transactions: dec(1000 + second * 40),
    changes: dec(52_000 + second * 900),
    rate: dec(600 + (second % 7) * 90),
    heldBytes: dec(40_000_000 + second * 1_500_000),
    safeBytes: dec(960_000_000 - second * 1_500_000),
    tables: { copying: '0', catchup: '1', live: '2' },
  }
}

describe.each(SIZES)('a followed copy at %i×%i', (columns, rows) => {
  it('shows the tables of its stream, curves of lag and rate, and the retained WAL with its limit', async () => {
    const fake = fakeWorkbench({ hold: true, lake: null, catalog: null })
    const app = openApp({ columns, rows, fake, initial: { operation: told.COPY, commandLine: told.COMMAND } })
    open.push(app)
    await app.until('planning the copy')
    const run = fake.runsStarted.at(-1)
    if (run === undefined) throw new Error('no run')
    run.emit({ type: 'run.started', command: 'copy', tool: '0.1.0' })
    run.emit(told.planned(TABLES.map((table, i) => told.planLine(table, 1000 * (i + 1)))))
    run.emit({ type: 'follow.started', stream: '7', slot: 'sluice_7', position: '0/1A2B', tables: '3', isNew: false })
    const [accounts, events, vehicles] = TABLES
    const counted = { type: 'follow.counted', truncates: '0' } as const
    run.emit({ ...counted, table: accounts, state: 'live', inserts: '1200', updates: '48210', deletes: '12' })
    run.emit({
      ...counted,
      table: events,
      state: 'live',
      inserts: '1902340',
      updates: '0',
      deletes: '311',
      truncates: '2',
    })
    run.emit({ ...counted, table: vehicles, state: 'catchup', inserts: '0', updates: '7', deletes: '0' })
    const proof = { type: 'follow.proved', position: '0/1A2B0BD0', unread: '0', pauseMs: 12, ms: 800 } as const
    run.emit({ ...proof, table: accounts, rows: '48000', targetRows: '48000', differing: '0' })
    run.emit({ ...proof, table: events, rows: '1902029', targetRows: '1902029', differing: '3' })
    for (let second = 0; second < 40; second++) run.emit(progress(second))
    await app.until('changes/s')
    await app.settled()
    const screen = app.screen()
    expect(screen.split('\n')).toHaveLength(rows)
    expect(screen).toContain('public.events_by_day'.slice(0, 8))
    expectGolden(`follow-${columns}x${rows}`, screen)
    // The proof of the copy does not cover rows that changed later.
    run.finish(75, { notChecked: 'changes up to 0/1A2B0BDF are applied; changed rows were not compared' })
    await app.until('changed rows were not')
    await app.settled()
    expect(app.screen()).toMatch(/note +changes up to 0\/1A2B0BDF are applied/)
    expect(app.screen()).toMatch(/left +lag 0:02 · 2\.5 MB were not applied/)
    expect(app.screen()).not.toMatch(/equal on both sides(?! when)/)
    expectGolden(`follow-stopped-${columns}x${rows}`, app.screen())
  })
})

it('shows its tables on the smallest screen, without title and blank line', async () => {
  const fake = fakeWorkbench({ hold: true, lake: null, catalog: null })
  const app = openApp({ columns: 40, rows: 10, fake, initial: { operation: told.COPY, commandLine: told.COMMAND } })
  open.push(app)
  await app.until('planning the copy')
  const run = fake.runsStarted.at(-1)
  if (run === undefined) throw new Error('no run')
  run.emit({ type: 'run.started', command: 'copy', tool: '0.1.0' })
  run.emit(told.planned(TABLES.map((table, i) => told.planLine(table, 1000 * (i + 1)))))
  run.emit({ type: 'follow.started', stream: '7', slot: 'sluice_7', position: '0/1A2B', tables: '3', isNew: false })
  for (const table of TABLES)
    run.emit({ type: 'follow.counted', table, state: 'live', inserts: '1', updates: '0', deletes: '0', truncates: '0' })
  run.emit(progress(1))
  await app.until(/public\.accounts +live/)
  await app.press(['G'], /› public\.vehicles +live/)
  expectGolden('follow-40x10', app.screen())
})
