import { PassThrough } from 'node:stream'
import { afterEach, expect, it } from 'vitest'
import { Takeover } from '../../src/tui/terminal/takeover.ts'
import { parseAsOf } from '../../src/tui/session/prompts.ts'
import { shellQuoted } from '../../src/tui/session/operations.ts'
import { fakeWorkbench } from './fake-workbench.mjs'
import type { App, AppOptions } from './support/app.ts'
import { openApp } from './support/app.ts'

let open: App[] = []
const start = async (options: AppOptions = {}): Promise<App> => {
  const app = openApp(options)
  open.push(app)
  await app.until('213')
  return app
}
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

it('imports one row by its path, and several as one batch of the lake', async () => {
  const app = await start()
  await app.press(['/', 'rates', 'enter', 'i'], 'enter starts')
  expect(app.fake.runsStarted.at(-1)?.operation).toMatchObject({
    kind: 'import',
    table: './lake/finance/rates',
    dryRun: true,
    resume: true,
  })
  await app.press(['esc', 'esc', '/', '!rates', 'enter', 'g', 'space', 'space', 'i'], 'Import 2 tables')
  expect(app.fake.runsStarted.at(-1)?.operation).toMatchObject({
    kind: 'batch-import',
    path: './lake',
    only: ['crm/accounts', 'crm/contacts'],
    dryRun: true,
  })
  // A plan alone starts nothing, and current tables have nothing to import.
  const before = app.fake.runsStarted.length
  await app.press(['enter'], (s) => !s.includes('Import 2 tables'))
  expect(app.fake.runsStarted).toHaveLength(before)
})

it('imports marked rows of another lake from there, and none of two lakes at once', async () => {
  const app = await start({ columns: 120, rows: 40 })
  await app.press(['a', './second', 'enter'], /▾ .\/second[^]*crm\/contacts/)
  await app.press(['enter'], '▸ ./second')
  await app.press(['enter'], '▾ ./second')
  await app.press(['j', 'space', 'space', 'i'], 'Import 2 tables')
  expect(app.fake.runsStarted.at(-1)?.operation).toMatchObject({
    kind: 'batch-import',
    path: './second',
    only: ['crm/accounts', 'crm/contacts'],
  })
  await app.press(['esc'], (screen) => !screen.includes('Import 2 tables'))
  const before = app.fake.runsStarted.length
  await app.press(['g', 'j', 'space', 'i'], 'unmark those of the others')
  expect(app.fake.runsStarted).toHaveLength(before)
})

it('validates marked rows one after the other', async () => {
  const app = await start({ fake: fakeWorkbench({ hold: true }) })
  await app.press(['space', 'space', 'v'], 'validate ./lake/crm/accounts')
  expect(app.fake.runsStarted).toHaveLength(1)
  app.fake.runsStarted[0]?.finish(0)
  await app.until('validate ./lake/crm/accounts')
  await app.press(['2', '2'], 'crm/contacts')
  expect(app.fake.runsStarted.map((r) => r.operation.kind)).toEqual(['validate', 'validate'])
  app.fake.runsStarted[1]?.finish(0)
  await app.until('idle')
})

it('steers the shown run', async () => {
  const app = await start({ fake: fakeWorkbench({ hold: true }) })
  await app.press(['/', 'rates', 'enter', 'i'], 'enter starts')
  await app.press(['enter'], 'planning')
  const run = app.fake.runsStarted.at(-1)
  run?.emit({ type: 'run.started', command: 'import', tool: '1' })
  run?.emit({ type: 'chunk.started', table: 't', chunk: 'c', worker: 1, total: '10', unit: 'action' })
  await app.until('p pause')
  await app.press(['p'], 'importing, paused')
  await app.press(['p', '+'], 'workers wanted 2')
  await app.press(['x'], 'importing, stopping')
  await app.press(['X'], 'Abort now')
  await app.press(['tab', 'enter'], 'aborted on request')
  expect(run?.calls).toEqual(['pause true', 'pause false', 'workers 2', 'stop', 'abort'])
})

it('keeps the cursor on its row when the order or the list changes', async () => {
  const app = await start()
  await app.press(['jjjjjjjj'], '› ml/features')
  await app.press(['s', 's', 's', 'S'], /SIZE ▼/)
  expect(app.screen()).toContain('› ml/features')
  app.fake.catalogOf('ml/features', { state: 'current' })
  await app.press(['R'], /› ml\/features .*✓ current/)
})

it('copies to the clipboard through the terminal', async () => {
  const app = await start()
  await app.press(['y'], 'copied: path')
  expect(app.raw()).toContain(`\u001b]52;c;${Buffer.from('./lake/crm/accounts').toString('base64')}\u0007`)
})

it('shows a note if a key does nothing', async () => {
  const app = await start()
  await app.press(['/', 'rates', 'enter', 'r'], 'does nothing here')
  expect(app.row(24)).not.toContain('? keys')
  // The note disappears by itself, and nothing is written after it.
  await app.until((screen) => screen.includes('? keys') && !screen.includes('does nothing here'))
})

it('exits with the exit code of the run it was started for', async () => {
  const operation = {
    kind: 'validate',
    table: './lake/sales/orders',
    catalog: 'c',
    verbose: false,
    samples: 1,
  } as const
  const app = openApp({
    initial: { operation, commandLine: 'sluice validate ./lake/sales/orders', leaveWhenDone: true },
  })
  expect((await app.result).exitCode).toBe(0)
})

it('stays on the Run screen of the run it was started for until a key leaves it', async () => {
  const operation = {
    kind: 'validate',
    table: './lake/sales/orders',
    catalog: 'c',
    verbose: false,
    samples: 1,
  } as const
  const app = openApp({
    initial: { operation, commandLine: 'sluice validate ./lake/sales/orders', leaveWhenDone: false },
  })
  await app.until('q leave')
  expect(app.screen()).toContain('ok, exit 0')
  await app.press(['4'], 'q leave')
  app.type('q')
  expect((await app.result).exitCode).toBe(0)
})

const FIRST = { kind: 'validate', table: './lake/sales/orders', catalog: 'c', verbose: false, samples: 1 } as const
const FIRST_LINE = 'sluice validate ./lake/sales/orders'

it('q does not leave a later run of the UI of an ended command, whose exit code is the result', async () => {
  const fake = fakeWorkbench({ hold: true })
  const app = openApp({ fake, initial: { operation: FIRST, commandLine: FIRST_LINE, leaveWhenDone: false } })
  await app.until('planning')
  fake.runsStarted[0]?.finish(1)
  await app.until('q leave')
  await app.press(['1'], '213')
  await app.press(['v'], /validat/)
  await expect.poll(() => fake.runsStarted.length).toBe(2)
  await app.press(['2'], (screen) => !screen.includes('q leave'))
  await app.press(['q', 'q'], 'A run is active')
  await app.press(['esc'], (screen) => !screen.includes('A run is active'))
  expect(fake.runsStarted[1]?.calls).toEqual([])
  fake.runsStarted[1]?.finish(0)
  await app.until('q leave')
  app.type('q')
  expect((await app.result).exitCode).toBe(1)
})

it('a run that waits behind the run of a command is finished before the UI leaves, and changes no exit code', async () => {
  const fake = fakeWorkbench({ hold: true })
  const app = openApp({ fake, initial: { operation: FIRST, commandLine: FIRST_LINE, leaveWhenDone: true } })
  await app.until('planning')
  await app.press(['1'], '213')
  await app.press(['v'], '1 queued')
  fake.runsStarted[0]?.finish(1)
  await expect.poll(() => fake.runsStarted.length).toBe(2)
  await app.settled()
  fake.runsStarted[1]?.finish(0)
  expect((await app.result).exitCode).toBe(1)
})

it('takes a closed terminal for one request to stop', () => {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  const asked: string[] = []
  const takeover = new Takeover(stdin as unknown as NodeJS.ReadStream, stdout as unknown as NodeJS.WriteStream, {
    interrupt: () => asked.push('interrupt'),
    terminate: (signal) => asked.push(signal),
    crash: () => asked.push('crash'),
  })
  takeover.enter()
  stdin.emit('end')
  process.emit('SIGHUP')
  stdout.emit('error', new Error('EIO'))
  process.emit('SIGTERM')
  takeover.leave()
  expect(asked).toEqual(['SIGHUP', 'SIGTERM'])
})

it('queries only what is shown, and once', async () => {
  const app = await start()
  await app.settled()
  expect(app.fake.asked.toSorted()).toEqual(['overview ./lake/crm/accounts', 'runs', 'tables'])
})

it('shows new commits when they appear, and queries the overview of the table again', async () => {
  const app = await start({ columns: 120, rows: 40 })
  await app.settled()
  const [bytes, asked] = [app.bytes(), app.fake.asked.length]
  app.fake.commits('crm/accounts', { version: 217, catalog: { state: 'behind', commits: 5 } })
  await app.until(/crm\/accounts +217 .*↓ 5 behind/)
  await app.settled()
  expect(app.fake.asked.slice(asked)).toEqual(expect.arrayContaining(['overview ./lake/crm/accounts']))
  expect(app.bytes() - bytes).toBeLessThan(4000)
})

it('lists tables that need attention with the reason, and starts the repair with its plan', async () => {
  const app = await start({ columns: 120, rows: 40 })
  // A filter would hide these tables.
  await app.press(['/', 'crm', 'enter', 'tab', 'tab'], 'Tables › what needs you · 6')
  expect(app.screen()).toContain('› legacy/broken')
  await app.press(['enter'], 'legacy/broken needs you')
  expect(app.screen()).toContain('restore the three files')
  await app.press(['esc', 'j', 'j', 'j'], '› events/clicks')
  await app.press(['enter'], '12 commits ahead of the catalog')
  await app.press(['enter'], 'Import events/clicks')
  await app.press(['esc'], (screen) => !screen.includes('Import events/clicks'))
  await app.press(['tab'], (screen) => !screen.includes('what needs you ·'))
  // A small screen has no panel: a key opens the list, and esc returns.
  app.resize(80, 24)
  await app.press(['n'], /what needs you ─+\n ✗ legacy\/broken/)
  await app.press(['esc'], 'CATALOG')
})

it('adds a store, folds it, and queries an unreadable one again', async () => {
  const app = await start({ columns: 120, rows: 40 })
  await app.press(['a', 'nowhere/at', 'enter'], 'the path nowhere/at does not exist')
  await app.press(['ctrl-u', 'sqlite:///away.db', 'enter'], '✗ Database connection failed')
  // It hides no other store, shows its full error in the panel, and is listed as needing attention.
  expect(app.screen()).toContain('crm/accounts')
  expect(app.screen()).toContain('CONNECT_FAILED: Database connection failed')
  expect(app.screen()).toMatch(/✗ sqlite:.*Database connection fai/)
  const asked = (): number => app.fake.runsStarted.filter((run) => run.operation.kind === 'discover-database').length
  const before = asked()
  await app.press(['R'], () => asked() > before)
  await app.press(['a', 'sqlite:///shop.db', 'enter'], /copies into this store[^]*✓ copy completed, 2,210,059 rows/)
  await app.press(['a', './second', 'enter'], '▾ ./second')
  await app.until(/crm\/accounts[^]*crm\/accounts/)
  await app.press(['enter'], '▸ ./second')
  await app.press(['right'], '▾ ./second')
  await app.press(['G', 'i'], 'Import crm/contacts')
  expect(app.fake.runsStarted.at(-1)?.operation).toMatchObject({ kind: 'import', table: './second/crm/contacts' })
})

it('starts at the state of the earlier session, and drops what no longer exists', async () => {
  const kept: unknown[] = []
  const memory = { read: () => kept.at(-1) ?? null, write: (value: unknown) => void kept.push(value) }
  const first = await start({ columns: 120, rows: 40, memory })
  await first.press(['a', './second', 'enter'], '▾ ./second')
  await first.press(['g', 'j', 'j', 'j', 's', 'S', ']'], 'COLUMN')
  await first.until(/› +events\/clicks/)
  await first.quit()
  expect(kept.at(-1)).toEqual({
    screen: 'tables',
    row: './lake/events/clicks',
    tab: 'schema',
    filter: '',
    sort: 'version',
    descending: true,
    stores: [{ name: './second', url: './second' }],
  })
  const again = openApp({ columns: 120, rows: 40, memory })
  open.push(again)
  await again.until(/› +events\/clicks/)
  await again.until('[Schema]')
  expect(again.screen()).toContain('▸ ./second')
  await again.quit()
  kept.push({ row: './lake/gone', sort: 'nonsense', descending: 7, stores: [{ url: 3 }], filter: 'crm' })
  const third = await start({ memory })
  await third.until('› crm/accounts')
  expect(third.screen()).toContain('filter crm')
})

it('synchronizes a table next to other runs, shows the lag, and reports the end of the sync', async () => {
  const app = await start({ columns: 120, rows: 40, fake: fakeWorkbench({ hold: true }) })
  await app.press(['j', 'j', 'w'], /› events\/clicks .*↻ 12 behind/)
  const sync = app.fake.runsStarted.at(-1)
  expect(sync?.operation).toMatchObject({ kind: 'sync', tables: ['./lake/events/clicks'], watch: true })
  app.fake.commits('events/clicks', { catalog: { state: 'current' } })
  await app.until(/› events\/clicks .*↻ current/)
  await app.until(/sync +█▁ 0 commits behind · w ends/)
  // It does not delay other runs.
  await app.press(['i'], 'Import events/clicks')
  await app.press(['esc'], (screen) => !screen.includes('Import events/clicks'))
  const error = { code: 'TARGET_BUSY', message: 'database is locked', retryable: true } as const
  sync?.emit({ type: 'table.finished', table: 'clicks', status: 'failed', ms: 1, error })
  await app.until(/› events\/clicks .*✗ sync/)
  sync?.emit({ type: 'table.finished', table: 'clicks', status: 'ok', ms: 1 })
  await app.until(/› events\/clicks .*↻ current/)
  sync?.finish(4, { error: { ...error, code: 'CONNECTION_LOST', message: 'the catalog went away' } })
  await app.until(/✗ events\/clicks +sync --watch ended: the catalog/)
  await app.press(['w'], /› events\/clicks .*↻ current/)
  const again = app.fake.runsStarted.at(-1)
  await app.press(['w'], () => again?.calls.includes('stop') === true)
  again?.finish(75)
  await app.until(/› events\/clicks .*✓ current/)
})

it('shows in the help which screen its keys are for', async () => {
  const app = await start()
  await app.press(['enter', '?'], 'Keys · Table › overview')
  await app.press(['esc', '2', '?'], 'Keys · Runs · now')
  expect(app.screen()).toMatch(/NOT NOW/)
  expect(app.screen()).toMatch(/p +pause, resume: no run is active/)
  await app.press(['?'], (screen) => screen.includes('Keys · Runs ') && !screen.includes('· now'))
  await app.press(['?'], (screen) => !screen.includes('Keys'))
})

it('shows why a key does nothing for the row', async () => {
  const app = await start()
  await app.until('events/clicks')
  await app.press(['?'], 'Keys · Tables · now')
  expect(app.screen()).toMatch(/L +phases of a table: the row is not a table of a database/)
})

it('parses versions and times', () => {
  expect(parseAsOf(' v1839 ')).toEqual({ version: 1839 })
  expect(parseAsOf('')).toEqual({})
  expect(parseAsOf('2026-11-20T12:00:00Z')).toEqual({ timestampMs: Date.parse('2026-11-20T12:00:00Z') })
  expect(parseAsOf('2026-11-20 12:00')).toEqual({ timestampMs: new Date(2026, 10, 20, 12).getTime() })
  expect(parseAsOf('yesterday')).toBeNull()
  expect(parseAsOf('2026-13-45')).toBeNull()
})

it('quotes what a shell would split', () => {
  expect(shellQuoted("it's here")).toBe(String.raw`'it'\''s here'`)
  expect(shellQuoted('sqlite:///lake.db')).toBe('sqlite:///lake.db')
})

it('does not return to the screen of runs that the user has left, and clears marks after the command', async () => {
  const app = await start({ fake: fakeWorkbench({ hold: true }) })
  await app.press(['space', 'space', 'space', 'v'], 'validate ./lake/crm/accounts')
  expect(app.screen()).toContain('2 queued')
  await app.press(['1'], '[1 Tables]')
  expect(app.screen()).not.toContain('marked')
  app.fake.runsStarted[0]?.finish(0)
  await expect.poll(() => app.fake.runsStarted.length).toBe(2)
  await app.settled()
  expect(app.screen()).toContain('[1 Tables]')
  // A user on the Runs screen sees the next run.
  await app.press(['2'], 'validate ./lake/crm/contacts')
  app.fake.runsStarted[1]?.finish(0)
  await expect.poll(() => app.fake.runsStarted.length).toBe(3)
  await app.settled()
  expect(app.screen()).toContain('[2 Runs]')
})
