/**
 * The Run screen of a cutover and of a followed stream: what they wait for and do, without a progress bar of a copy.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import type { FollowProgressEvent } from '../../src/model/follow/events.ts'
import { fakeWorkbench, type FakeRun } from './fake-workbench.mjs'
import { openApp, type App } from './support/app.ts'
import * as told from './support/copy-events.ts'
import { expectGolden } from './support/golden.ts'

const TO = 'postgresql://app@db/shop'
const CUTOVER: Operation = {
  kind: 'cutover',
  stream: '7',
  to: TO,
  budgetMs: 2000,
  triesForMs: 600_000,
  unsigned: false,
  revert: false,
  keepSessions: false,
  stay: false,
  dryRun: false,
  confirm: 'public.bookings',
}
const FOLLOW: Operation = { kind: 'follow', stream: '7', to: TO, end: false, untilCaughtUp: false, untilEqual: false }
const BARS = /░|chunk|key space|WORKER|\?|0 %/
/** Without the log, which contains the plan. */
const drawn = (screen: string): string => screen.replace(/^─ log ─[^]*$/m, '')

let open: App[] = []
beforeAll(() => {
  process.env['TZ'] = 'UTC'
})
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

async function begun(operation: Operation, columns: number, rows: number): Promise<{ app: App; run: FakeRun }> {
  const fake = fakeWorkbench({ hold: true, lake: null, catalog: null })
  const app = openApp({ columns, rows, fake, initial: { operation, commandLine: `${operation.kind} 7 --to ${TO}` } })
  open.push(app)
  await app.until(`${operation.kind} 7`)
  const run = fake.runsStarted.at(-1)
  if (run === undefined) throw new Error('no run')
  return { app, run }
}

/** Blanks at the end of a row depend on what was drawn there before. */
const trimmed = (app: App): string => app.screen().replaceAll(/ +$/gm, '')

const gate = (name: string, state: 'ok' | 'waiting' | 'refused', detail: string): EventBody => ({
  type: 'cutover.gate',
  table: 'public.bookings',
  name,
  state,
  detail,
})

const progress = (more: Partial<FollowProgressEvent> = {}): FollowProgressEvent => ({
  type: 'follow.progress',
  position: '0/C541438',
  end: '0/C541510',
  lagBytes: '216',
  lagMs: 0,
  transactions: '4',
  changes: '11999',
  rate: '12',
  heldBytes: '8952',
  tables: { copying: '0', catchup: '0', live: '1' },
  ...more,
})

describe.each([
  [40, 10],
  [80, 24],
  [120, 40],
])('at %i×%i', (columns, rows) => {
  it('a cutover shows what it waits for, its checks, its stream and its steps', async () => {
    const { app, run } = await begun(CUTOVER, columns, rows)
    const at = `${columns}x${rows}`
    run.emit({ type: 'run.started', command: 'cutover', tool: '0.1.0', target: TO })
    await app.until('whether a')
    expect(
      app
        .screen()
        .replace(/^.*\n.*\n/, '')
        .replace(/\n.*$/, ''),
    ).not.toMatch(BARS)
    for (const name of ['stream', 'table', 'quarantine']) run.emit(gate(name, 'ok', `the ${name} is fine`))
    run.emit(gate('sign-off', 'ok', 'given by ann, 400,000 rows as of 0/C541000'))
    run.emit(gate('reverse stream', 'waiting', 'the reverse stream is possible; it is created before the cutover'))
    run.emit({ type: 'follow.started', stream: '7', slot: 'sluice_7', position: '0/1', tables: '1', isNew: false })
    run.emit(told.planned([told.planLine('public.bookings', 400_000)]))
    run.emit(gate('compared', 'waiting', 'all rows are being compared'))
    run.emit(progress())
    const comparing = { type: 'diff.progress', table: 'public.bookings', step: 'comparing', estimated: true } as const
    run.emit({ ...comparing, done: '200000', total: '400004', ranges: '1', left: '2', differences: '0' })
    await app.until('49 %')
    await app.settled()
    expectGolden(`switch-${at}`, trimmed(app))
    expect(drawn(app.screen())).not.toMatch(/░|chunk|key space|WORKER| 0 %/)
    expect(app.screen()).toContain('waits for check compared')
    expect(app.screen()).toContain('no lag')
    run.emit(gate('compared', 'ok', '400000 rows equal as of 0/C541438'))
    run.emit(gate('reverse stream', 'ok', 'slot sluice_9 exists'))
    run.emit({ type: 'cutover.step', step: 'trying', detail: 'try 1: the table is locked, other sessions wait' })
    await app.until(/the table is locked, other\s+sessions\s+wait/)
    run.emit({ type: 'cutover.step', step: 'released', detail: 'the lock was not got; the next try begins in 500 ms' })
    await app.until((screen) => screen.includes('the lock was not got'))
    run.emit({
      type: 'cutover.switched',
      table: 'public.bookings',
      parked: 'public.bookings_before_cutover',
      revert: false,
      pauseMs: 55,
      waitedMs: 55,
      tries: '2',
      provedRows: '400000',
      touchedRows: '0',
      stream: '9',
      position: '0/C54A948',
      wayBack: 'sluice cutover 1 --revert',
    })
    await app.until(/cutover done: public\.bookings is now\s+the\s+other table/)
    expect(drawn(app.screen())).not.toMatch(/░|chunk|key space|WORKER/)
  })

  it('a followed stream shows its steps before it is open, and since when it is paused', async () => {
    const { app, run } = await begun(FOLLOW, columns, rows)
    run.emit({ type: 'run.started', command: 'follow', tool: '0.1.0', target: TO })
    await app.until('reading source, target and ledger')
    const before = app.screen()
    expect(before).not.toMatch(/░|chunk|key space|WORKER|\?  \?/)
    run.emit(told.planned([told.planLine('public.bookings', 400_000), told.planLine('public.accounts', 20_000)]))
    await app.until('opening the stream')
    expect(drawn(app.screen())).not.toMatch(/░|chunk|key space|WORKER| 0 %/)
    run.emit(progress({ tables: { copying: '0', catchup: '0', live: '2' } }))
    await app.until('live 2 of 2')
    run.emit({ type: 'run.steered', paused: true })
    await app.until('following, paused')
    app.clock.now += 65_000
    run.emit(progress({ lagMs: 65_000, lagBytes: '2100000', tables: { copying: '0', catchup: '0', live: '2' } }))
    await app.until('lag 1:05 · 2.1 MB')
    await app.settled()
    expect(app.screen()).toMatch(/paused at \d\d:\d\d:\d\d, 1:05 ago/)
    expectGolden(`follow-paused-${columns}x${rows}`, trimmed(app))
  })
})

it.each([told.COPY, FOLLOW, CUTOVER])('a wait before the plan is shown at the top: $kind', async (operation) => {
  const { app, run } = await begun(operation, 80, 24)
  run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0', target: TO })
  const message = 'not reached: connect ECONNREFUSED 127.0.0.1:1; try 2 follows; retries end after 30 s: d1://a/b'
  run.emit({ type: 'log', level: 'warn', message })
  await app.until((screen) => screen.split('\n').slice(2, 5).join(' ').includes('connect ECONNREFUSED'))
  expect(app.screen()).not.toContain('planning: asking')
})

it('a table that is copied again is shown next to tables that are only followed', async () => {
  const { app, run } = await begun(FOLLOW, 80, 24)
  run.emit({ type: 'run.started', command: 'follow', tool: '0.1.0', target: TO })
  const [copied, live] = [told.TABLE, 'public.accounts']
  run.emit(told.planned([told.planLine(copied, told.ROWS), told.planLine(live, 20_000)]))
  const counted = { type: 'follow.counted', updates: '7', deletes: '0', truncates: '0' } as const
  run.emit({ ...counted, table: live, state: 'live', inserts: '1200' })
  run.emit(told.begun())
  run.emit(told.started(1, 1))
  run.emit(progress({ tables: { copying: '1', catchup: '0', live: '1' } }))
  run.emit(told.moved(1, 1, 12_000, 'writing'))
  await app.until(/public\.accounts +live/)
  await app.settled()
  expect(app.screen()).toMatch(/c…speed_new +copying +0 %/)
  expect(app.screen()).not.toContain('/20,000')
})
