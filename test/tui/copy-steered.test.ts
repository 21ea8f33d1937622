/** Single tables and chunks of a copy are paused, skipped and retried, by keys and by another program on the socket. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EventBody } from '../../src/model/run/event.ts'
import { fakeWorkbench, type FakeRun } from './fake-workbench.mjs'
import type { App, AppOptions } from './support/app.ts'
import { openApp } from './support/app.ts'
import * as told from './support/copy-events.ts'
import { expectGolden } from './support/golden.ts'

let open: App[] = []
beforeAll(() => {
  process.env['TZ'] = 'UTC'
})
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

const ORDERS = 'public.orders'
const VEHICLES = 'public.vehicles'
const denied = told.fault('TARGET_DENIED', 'permission denied for table vehicles', 'grant INSERT on vehicles to sluice')
const on = (table: string, event: EventBody): EventBody => ({ ...event, table }) as EventBody

/** Three tables: one is paused and has quarantined rows, one has failed, one is being copied. */
async function three(size: AppOptions): Promise<{ app: App; run: FakeRun }> {
  const fake = fakeWorkbench({ hold: true, lake: null, catalog: null })
  const app = openApp({ ...size, fake, initial: { operation: told.COPY, commandLine: told.COMMAND } })
  open.push(app)
  await app.until('planning the copy')
  const [run] = fake.runsStarted
  if (run === undefined) throw new Error('no run')
  const first: readonly EventBody[] = [
    { type: 'run.started', command: 'copy', tool: '0.1.0' },
    told.planned([
      told.planLine(told.TABLE, told.ROWS),
      told.planLine(ORDERS, 400_000),
      told.planLine(VEHICLES, 120_000),
    ]),
    told.begun(),
    told.begun({ table: ORDERS, rows: 400_000, chunks: 8 }),
    told.begun({ table: VEHICLES, rows: 120_000, chunks: 3 }),
    told.started(1, 1),
    told.rowAside(1, '431'),
    told.done(1, 1, 1),
    on(VEHICLES, told.started(1, 2)),
    on(VEHICLES, { ...told.failed(1), error: denied } as EventBody),
    { type: 'table.finished', table: VEHICLES, status: 'failed', ms: 900, error: denied },
    told.started(2, 1),
    told.started(3, 2),
  ]
  for (const event of first) run.emit(event)
  for (const step of [1, 2, 3]) {
    app.clock.now += 2000
    run.emit(told.moved(2, 1, step * 12_000, 'writing'))
    run.emit(told.moved(3, 2, step * 9_000, 'writing'))
    await app.until(`0:0${step * 2} so far`)
  }
  run.emit({ type: 'target.latency', p95Ms: 41.5, baselineMs: 12 })
  return { app, run }
}

describe.each([
  [80, 24],
  [120, 40],
  [200, 50],
])('at %i×%i', (columns, rows) => {
  it('shows which table is paused and why, which failed, and quarantined rows', async () => {
    const { app, run } = await three({ columns, rows })
    await app.press(['P'], 'choose a row first')
    expect(run.calls).toEqual([])
    await app.press(['j', 'k', 'P'], `${told.TABLE} is paused: P resumes it`)
    expect(run.calls).toEqual([`pause ${told.TABLE}`])
    run.emit({ type: 'table.steered', table: told.TABLE, act: 'pause' })
    run.emit(told.done(3, 2))
    run.emit(told.done(2, 1))
    run.emit(on(ORDERS, told.started(1, 1)))
    await app.until(/paused +6 %/)
    await app.press(['j', 'k'], (screen) => !screen.includes('P resumes it'))
    await app.settled()
    expectGolden(`copy-paused-${columns}x${rows}`, app.screen())
    await app.press(['P'], `${told.TABLE} is resumed`)
    expect(run.calls.at(-1)).toBe(`resume ${told.TABLE}`)
    run.emit({ type: 'table.steered', table: told.TABLE, act: 'resume' })
    await app.until(/copying +6 %/)
  })
})

it('retries the failed chunks of a table, and no longer shows the failure', async () => {
  const { app, run } = await three({ columns: 120, rows: 40 })
  await app.press(['G'], /›✗ public.vehicles/)
  await app.press(['r'], 'is tried again: only its failed parts')
  expect(run.calls).toEqual([`retry ${VEHICLES}`])
  run.emit({ type: 'table.steered', table: VEHICLES, act: 'retry' })
  run.emit(on(VEHICLES, told.started(1, 3)))
  await app.until(/public.vehicles +copying/)
  expect(app.screen()).not.toContain('TARGET_DENIED permission denied for table vehicles  ')
  await app.press(['S'], 'is left to another run')
  run.emit({ type: 'table.steered', table: VEHICLES, act: 'skip' })
  run.emit({ type: 'chunk.released', table: VEHICLES, chunk: '1', reason: 'stop' })
  await app.until(/public.vehicles +skipped/)
  // A skipped table counts neither in the progress nor in the remaining time.
  expect(app.screen()).toContain('of 2,610,059')
  await app.press(['S'], 'is resumed')
  expect(run.calls).toEqual([`retry ${VEHICLES}`, `skip ${VEHICLES}`, `resume ${VEHICLES}`])
})

it('pauses single chunks, and shows changes by another program', async () => {
  const { app, run } = await three({ columns: 120, rows: 40 })
  await app.press(['tab', 'j', 'k', 'j'], /› +\d/)
  await app.press(['P'], /chunk \d is paused/)
  const [call = ''] = run.calls
  const chunk = /#(\d)$/.exec(call)?.[1] ?? ''
  run.emit({ type: 'table.steered', table: told.TABLE, chunk, act: 'pause' })
  run.emit({ type: 'chunk.released', table: told.TABLE, chunk, reason: 'asked' })
  await app.until(new RegExp(`› +${chunk} .* paused`))
  await app.until('P resumes it, and the run waits for it')
  run.emit({ type: 'table.steered', table: told.TABLE, chunk, act: 'resume' })
  await app.until((screen) => !new RegExp(` ${chunk} .* paused`).test(screen.split('log ─')[0] ?? ''))
  run.emit({ type: 'run.steered', paused: true, workers: 7, rate: '2500' })
  await app.until('copying, paused')
  await app.until('workers wanted 7')
  await app.until('limit 2,500')
  await app.press(['p'], (screen) => !screen.includes('copying, paused'))
  run.emit({ type: 'run.steered', stopping: true })
  await app.until('copying, stopping')
})

it('refuses more workers than the target allows, and distinguishes quarantined rows from a failure', async () => {
  const { app, run } = await three({ columns: 120, rows: 40 })
  run.emit({ ...told.begun({ table: ORDERS, rows: 50_000, chunks: 1 }), writers: '1' } as EventBody)
  run.emit(on(ORDERS, told.started(1, 1)))
  run.emit(on(ORDERS, told.done(1, 1, 2)))
  run.emit({
    type: 'table.finished',
    table: ORDERS,
    status: 'failed',
    ms: 5,
    error: told.fault('ROWS_ASIDE', '2 rows of orders are not in the target'),
  })
  await app.until('done but for quarantined rows 1')
  await app.until(/! public.orders +done .* 2 rows quarantined/)
  await app.press(['+'], 'the target accepts one chunk at a time')
  expect(run.calls).toEqual([])
})
