/** Keys on the screen of a copy, and on the tables of a database. */
import { afterEach, expect, it } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { fakeWorkbench, type FakeRun } from './fake-workbench.mjs'
import type { App, AppOptions } from './support/app.ts'
import { openApp } from './support/app.ts'
import * as told from './support/copy-events.ts'

let open: App[] = []
const start = (options: AppOptions = {}): App => {
  const app = openApp(options)
  open.push(app)
  return app
}
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

async function copying(more: AppOptions = {}): Promise<{ app: App; run: FakeRun }> {
  const fake = fakeWorkbench({ hold: true, lake: null, catalog: null, database: 'postgresql://app@db/tracks' })
  const app = start({ fake, initial: { operation: told.COPY, commandLine: told.COMMAND }, ...more })
  await app.until('planning the copy')
  const [run] = fake.runsStarted
  if (run === undefined) throw new Error('no run')
  run.emit({ type: 'run.started', command: 'copy', tool: '0.1.0' })
  run.emit(told.planned([told.planLine(told.TABLE, told.ROWS)]))
  run.emit(told.begun())
  run.emit(told.started(1, 1))
  await app.until('w1')
  return { app, run }
}

it('changes rate and workers, pauses and resumes, stops and aborts', async () => {
  const { app, run } = await copying()
  expect(app.row(24)).toMatch(/p pause {2}\+\/- workers {2}<> rate {2}x stop {2}X abort/)
  await app.press(['>'], 'there is no limit to lift')
  await app.press(['<'], 'nothing moves yet')
  for (let second = 1; second <= 3; second++) {
    app.clock.now += 1000
    run.emit(told.moved(1, 1, second * 8000, 'writing'))
    await app.until(`${second * 16} %`)
  }
  await app.press(['<'], 'limit 4,000/s')
  await app.press(['<', '>'], 'limit 4,000/s')
  await app.press(['+', '+', '-'], 'workers wanted 5')
  await app.press(['p'], 'copying, paused')
  expect(app.row(24)).toContain('p resume')
  await app.press(['p'], (screen) => !screen.includes('paused'))
  await app.press(['x'], 'copying, stopping')
  expect(app.screen()).toContain('stopping after the running chunks')
  await app.press(['X'], 'resumable, chunks undone')
  await app.press(['tab', 'enter'], 'aborted on request')
  expect(run.calls).toEqual([
    'rate 4000',
    'rate 2000',
    'rate 4000',
    'workers 5',
    'workers 6',
    'workers 5',
    'pause true',
    'pause false',
    'stop',
    'abort',
  ])
})

it('is not steered by the mouse, by replies of the terminal, or by a paste', async () => {
  const { app, run } = await copying()
  for (let second = 1; second <= 3; second++) {
    app.clock.now += 1000
    run.emit(told.moved(1, 1, second * 8000, 'writing'))
    await app.until(`${second * 16} %`)
  }
  app.type('\u001b[<35;10;6M', '\u001b[<0;10;6m', '\u001b[?1;2c', '\u001b]11;rgb:ff/ff/ff\u0007')
  app.type(...Array.from('\u001b[<35;10;6M'))
  await app.press(['\u001b[200~<<<xXp\r\u001b[201~'], 'no text field is open')
  await app.press(['<<<x'], 'several keys at once')
  expect(run.calls).toEqual([])
  await app.press(['<'], 'limit 4,000/s')
  expect(run.calls).toEqual(['rate 4000'])
})

it('hints only keys that work, and switches between workers and chunks', async () => {
  const { app, run } = await copying()
  await app.press(['enter'], 'STATE')
  expect(app.row(24)).toContain('tab workers')
  await app.press(['esc'], 'WORKER')
  await app.press(['j'], 'STATE')
  await app.press(['tab'], 'WORKER')
  run.emit(told.failed(1))
  await app.press(['e'], 'errors only')
  await app.until('PROOF_FAILED')
  await app.press(['enter'], 'sluice diff names the rows that differ')
  await app.press(['esc', 'e'], 'WORKER')
  run.finish(1, { error: told.fault('CHUNKS_FAILED', 'one chunk failed') })
  await app.until('failed, exit 1')
  expect(app.row(24)).not.toMatch(/pause|workers|rate|stop|abort/)
})

it('keeps the cursor on its chunk while others come and go', async () => {
  const { app, run } = await copying({ columns: 120, rows: 40 })
  run.emit(told.done(1, 1))
  run.emit(told.started(2, 1))
  run.emit(told.started(3, 2))
  await app.press(['G'], /› +1 +1–50000/)
  run.emit(told.done(2, 1))
  run.emit(told.started(4, 1))
  run.emit(told.failed(3))
  await app.until(/3 +100001–150000 +✗ failed/)
  expect(app.screen()).toMatch(/› +1 +1–50000/)
})

it('writes nothing while idle, and little while a cell changes', async () => {
  const { app, run } = await copying({ columns: 200, rows: 50 })
  run.emit(told.moved(1, 1, 25_000, 'writing'))
  await app.until('50 %')
  await app.settled()
  const before = app.bytes()
  await new Promise((resolve) => setTimeout(resolve, 1300))
  // The clock of the test is stopped, and so are all ages and rates.
  expect(app.bytes() - before).toBe(0)
  run.emit(told.moved(1, 1, 50_000, 'proving'))
  await app.until('reading it back')
  await app.settled()
  expect(app.bytes() - before).toBeLessThan(2500)
})

it('reports the end of a run after ctrl-c with the exit code of the program', async () => {
  const heard: Event[] = []
  const { app, run } = await copying({
    initial: { operation: told.COPY, commandLine: told.COMMAND, leaveWhenDone: false },
    onEvent: (_run, event) => void heard.push(event),
  })
  app.type('ctrl-c')
  await app.until('stopping after the running batches')
  expect(run.calls).toContain('stop 130')
  run.finish(130, { status: 'stopped', ms: 192_000, resumeCommand: told.COMMAND })
  const { exitCode } = await app.result
  expect(exitCode).toBe(130)
  expect(heard.at(-1)).toMatchObject({ type: 'run.finished', status: 'stopped', exitCode: 130 })
})

it('a run that succeeds after ctrl-c has exit code 0', async () => {
  const { app, run } = await copying({
    initial: { operation: told.COPY, commandLine: told.COMMAND, leaveWhenDone: false },
  })
  app.type('ctrl-c')
  await app.until('stopping after the running batches')
  run.finish(0, { ms: 192_000 })
  expect((await app.result).exitCode).toBe(0)
})

it('queries the tables of a database only if they are shown', async () => {
  const { app, run } = await copying()
  await app.settled()
  expect(app.fake.runsStarted).toHaveLength(1)
  await app.press(['1'], 'public.events')
  expect(app.fake.runsStarted.map(({ operation }) => operation.kind)).toEqual(['copy', 'discover-database'])
  run.finish(0)
})

it('lists the tables of a database file of the lake, copies the marked ones, and closes the list again', async () => {
  const app = start({ columns: 120, rows: 40 })
  await app.until('OTHER SOURCES')
  await app.press(['/', 'chinook', 'enter', 'enter'], 'no table matches')
  await app.press(['esc', 'G'], /› public.import_tmp/)
  expect(app.screen()).toMatch(/app\/chinook.db +ROWS +SIZE +RESUMABLE/)
  await app.press(['k', 'k', 'space', 'c'], 'copy to (URL)')
  await app.press(['edge', 'enter'], 'a URL such as')
  await app.press(['ctrl-u', 'postgresql://me:hidden@db/edge', 'enter'], 'enter starts')
  expect(app.screen()).not.toContain('hidden')
  const dry = app.fake.runsStarted.at(-1)
  expect(dry?.operation).toMatchObject({
    kind: 'copy',
    dryRun: true,
    from: 'sqlite:///lake/app/chinook.db',
    to: 'postgresql://me:hidden@db/edge',
    tables: ['public.coordinate_speed_new'],
  })
  expect(dry?.commandLine).toBe(
    'sluice copy --from sqlite:///lake/app/chinook.db --to postgresql://me@db/edge --table public.coordinate_speed_new',
  )
  await app.press(['y'], 'copied: command')
  await app.press(['esc'], (screen) => !screen.includes('enter starts'))
  await app.press(['c', 'up'], /copy to \(URL\) postgresql:\/\/me:\S+@db\/edge/)
  expect(app.screen()).not.toContain('hidden')
  // The refused text is in the history too, to be corrected.
  await app.press(['up'], /copy to \(URL\) edge/)
  await app.press(['down', 'enter'], 'enter starts')
  expect(app.fake.runsStarted.at(-1)?.operation).toMatchObject({ dryRun: true, to: 'postgresql://me:hidden@db/edge' })
  await app.press(['esc'], (screen) => !screen.includes('enter starts'))
  await app.press(['esc', 'esc'], (screen) => /› app\/chinook.db/.test(screen) && !screen.includes('RESUMABLE'))
})

it('shows how long it waits for both sides of a copy', async () => {
  const fake = fakeWorkbench({ lake: null, catalog: null, database: 'postgresql://app@db/tracks' })
  const app = start({ fake })
  await app.until('public.events')
  const { start: begin } = fake
  // A side that does not answer: the run emits no event until the test does.
  fake.start = (operation, commandLine) => {
    const run = begin(operation, commandLine)
    return { ...run, subscribe: () => () => undefined, done: new Promise(() => undefined), abort: () => undefined }
  }
  await app.press(['c', 'd1://account/away', 'enter'], 'planning: reading source and target')
  expect(app.screen()).not.toContain('so far')
  app.clock.now += 12_000
  await app.until('0:12 so far: an unreachable source or target is tried again')
  await app.press(['esc'], (screen) => !screen.includes('so far'))
})

it('shows the path of database files in its title', async () => {
  const titleOf = async (to: string, columns = 80): Promise<string> => {
    const fake = fakeWorkbench({ hold: true, lake: null, catalog: null })
    const from = 'postgresql://app@a-rather-long-name-of-a-host.example/tracks'
    const app = start({ fake, columns, initial: { operation: { ...told.COPY, from, to }, commandLine: told.COMMAND } })
    await app.until('planning the copy')
    return app.row(1)
  }
  expect(await titleOf('sqlite:///bg2.db')).toMatch(/ → bg2\.db /)
  expect(await titleOf('sqlite:///tmp/x/out a.db')).toMatch(/ → tmp\/x\/out a\.db /)
  expect(await titleOf('duckdb:////tmp/x/out a.db')).toMatch(/ → \/tmp\/x\/out a\.db /)
  expect(await titleOf('sqlite:////t/o.db', 60)).toMatch(/ → \/t\/o\.db /)
})

it('shows why a database cannot be read, and queries it again with R', async () => {
  const app = start({ fake: fakeWorkbench({ lake: null, catalog: null, database: 'postgresql://app@away/x' }) })
  await app.until('CONNECT_FAILED Database connection failed')
  await app.press(['R'], () => app.fake.runsStarted.length === 2)
  await app.until('CONNECT_FAILED')
  expect(app.row(24)).not.toMatch(/import|copy|enter/)
})

it('shows the tables of a database that was opened as a catalog and has none', async () => {
  const app = start({
    fake: fakeWorkbench({ lake: null, catalog: 'postgresql://app@db/tracks', database: 'postgresql://app@db/tracks' }),
  })
  await app.until('public.events')
  await app.press(['/', 'event', 'enter'], /1 tables? · filter event/)
})

it('does not list the database of a catalog with tables until that is requested', async () => {
  const fake = fakeWorkbench({ catalog: 'postgresql://app@db/c', database: 'postgresql://app@db/c' })
  const app = start({ fake })
  await app.until('213')
  await app.settled()
  expect(fake.runsStarted).toHaveLength(0)
})

it('lists a database again after a run that read or wrote it has ended', async () => {
  const { app, run } = await copying()
  await app.press(['1'], 'public.')
  const listings = (): number =>
    app.fake.runsStarted.filter(({ operation }) => operation.kind === 'discover-database').length
  expect(listings()).toBe(1)
  run.finish(0)
  await app.until('idle')
  expect(listings()).toBe(2)
})
