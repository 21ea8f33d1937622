/**
 * A check of files, from the palette to its end: named by hand, followed on the Run screen, and in the lines of a
 * headless run.
 */
import { afterEach, expect, it } from 'vitest'
import { Narrator } from '../../src/render/narrator.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import { fakeWorkbench } from './fake-workbench.mjs'
import type { App, AppOptions } from './support/app.ts'
import { openApp } from './support/app.ts'

let open: App[] = []
const start = async (options: AppOptions = {}): Promise<App> => {
  const app = openApp({ columns: 120, rows: 40, fake: fakeWorkbench({ hold: true }), ...options })
  open.push(app)
  await app.until('213')
  return app
}
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

const TABLE = './lake/sales/orders'
const at = (step: 'listing' | 'files' | 'history', done: number, total: number | null, bytes = 0): EventBody => ({
  type: 'fsck.progress',
  table: TABLE,
  step,
  done: String(done),
  ...(total === null ? {} : { total: String(total) }),
  bytes: String(bytes),
})
const missing: EventBody = {
  type: 'fsck.finding',
  table: TABLE,
  level: 'finding',
  finding: 'file-missing',
  path: 'day=1/part-0.parquet',
  detail: 'the file does not exist',
  hint: 'restore it',
}
const listed: EventBody = {
  type: 'fsck.checked',
  table: TABLE,
  check: 'listing',
  looked: '20000',
  of: '20000',
  findings: '1',
  detail: '20100 objects listed',
}

it('is in the palette, for the row under the cursor and for marked rows', async () => {
  const app = await start()
  await app.press([':', 'fsck'], 'check the files of a table (fsck)')
  await app.press(['enter'], 'checking files')
  expect(app.fake.runsStarted.at(-1)).toMatchObject({
    operation: {
      kind: 'fsck',
      table: './lake/crm/accounts',
      catalog: 'sqlite:///lake.db',
      deep: false,
      outside: false,
    },
    commandLine: 'sluice fsck ./lake/crm/accounts --database-url sqlite:///lake.db',
  })
})

it('accepts the name of a table, like validate and compare, and tab completes it', async () => {
  const app = await start()
  await app.press([':', 'val', 'tab'], ': validate')
  await app.press(['clic'], ': validate clic')
  expect(app.screen()).toContain('· events/clicks')
  expect(app.screen()).not.toContain('· sales/orders')
  await app.press(['tab'], ': validate events/clicks')
  await app.press(['enter'], 'validating')
  expect(app.fake.runsStarted.at(-1)?.operation).toMatchObject({ kind: 'validate', table: './lake/events/clicks' })
  app.fake.runsStarted.at(-1)?.finish(0)
  await app.until('idle')
  // Works from any screen; a table without a catalog is checked by its log, and cannot be validated.
  await app.press(['2', ':', 'fsck orders'], '· sales/orders')
  await app.press(['enter'], 'checking files')
  expect(app.fake.runsStarted.at(-1)?.operation).toMatchObject({ kind: 'fsck', table: TABLE })
  app.fake.runsStarted.at(-1)?.finish(0)
  await app.until('idle')
  await app.press([':', 'validate tmp'], 'no command of that name works here')
  await app.press(['esc'], (screen) => !screen.includes('validate tmp'))
  await app.press([':', 'fsck tmp'], '· scratch/tmp_join')
  await app.press(['enter'], 'checking files')
  const { operation, commandLine } = app.fake.runsStarted.at(-1) ?? {}
  expect(operation).not.toHaveProperty('catalog')
  expect(commandLine).toBe('sluice fsck ./lake/scratch/tmp_join')
})

it('shows on the Run screen how many files were checked, and findings', async () => {
  const app = await start()
  await app.press([':', 'fsck orders', 'enter'], 'checking files')
  const run = app.fake.runsStarted.at(-1)
  run?.emit({ type: 'run.started', command: 'fsck', tool: '0.1.0' })
  run?.emit(at('listing', 20_100, null, 3_000_000_000))
  await app.until('listing')
  run?.emit(at('files', 0, 20_000))
  app.clock.now += 4000
  run?.emit(at('files', 8_000, 20_000, 1_200_000_000))
  await app.until('files 8,000/20,000')
  expect(app.row(1)).toContain('checking files 40 %')
  run?.emit(missing)
  await app.until('1 finding')
  expect(app.screen()).toContain('day=1/part-0.parquet the file does not exist')
  run?.emit(at('files', 20_000, 20_000, 3_000_000_000))
  run?.emit(listed)
  run?.emit(at('history', 3, 40))
  await app.until('20100 objects listed')
  expect(app.screen()).toContain('files 20,000/20,000')
  run?.finish(1)
  await app.until('idle')
})

it('is printed every ten seconds without a screen', () => {
  const narrator = new Narrator(false)
  const lines: string[] = []
  const report = (seconds: number, event: EventBody): void => {
    const ts = new Date(1_700_000_000_000 + seconds * 1000).toISOString()
    for (const { elapsed, word, text } of narrator.event({ v: 1, seq: 0, ts, runId: '1', ...event }))
      lines.push(`${elapsed} ${word} ${text}`)
  }
  report(0, { type: 'run.started', command: 'fsck', tool: '0.1.0' })
  report(1, at('listing', 4_000, null, 5_000_000))
  report(12, at('listing', 48_000, null, 60_000_000))
  report(13, at('files', 0, 20_000))
  report(20, at('files', 7_000, 20_000, 700_000_000))
  report(23, at('files', 10_000, 20_000, 1_000_000_000))
  report(24, at('files', 11_000, 20_000, 1_100_000_000))
  report(43, at('history', 30, 40))
  expect(lines.filter((one) => one.includes(' at '))).toEqual([
    '0:12 at 48,000 objects listed  60.0 MB  4,000/s',
    '0:23 at 50 %  10,000 of 20,000 files  1.0 GB  1,000/s  0:10 left',
    '0:43 at 75 %  30 of 40 commits',
  ])
})
