/**
 * Progress of a comparison of two tables: rows, remaining ranges and differences, in the UI and in the lines of a
 * headless run.
 */
import { afterEach, expect, it } from 'vitest'
import { Narrator } from '../../src/render/narrator.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import { fakeWorkbench } from './fake-workbench.mjs'
import type { App } from './support/app.ts'
import { openApp } from './support/app.ts'
import { COPY, fault } from './support/copy-events.ts'

let open: App[] = []
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

const { onExisting: _, acceptLossy: _a, verify: _v, maxAside: _m, restart: _r, dryRun: _d, ...ends } = COPY
const DIFF = { ...ends, kind: 'diff', limit: 10, fix: false, deleteExtra: false } as const
const TABLE = 'public.orders'
const planned: EventBody = {
  type: 'plan.ready',
  hash: '77aa',
  tables: '1',
  chunks: '0',
  unit: 'row',
  total: '1000000',
  estimated: true,
  bytes: '0',
  excluded: [],
}
const at = (
  done: number,
  ranges: number,
  left: number,
  differences: number,
  step: 'comparing' | 'looking again' = 'comparing',
): EventBody => ({
  type: 'diff.progress',
  table: TABLE,
  step,
  done: String(done),
  total: '1000000',
  estimated: true,
  ranges: String(ranges),
  left: String(left),
  differences: String(differences),
})

it('is shown on the Run screen', async () => {
  const fake = fakeWorkbench({ hold: true, lake: null, catalog: null })
  const app = openApp({ columns: 120, rows: 40, fake, initial: { operation: DIFF, commandLine: 'sluice diff' } })
  open.push(app)
  await app.until('comparing')
  const [run] = fake.runsStarted
  run?.emit({ type: 'run.started', command: 'diff', tool: '0.1.0' })
  run?.emit(planned)
  run?.emit(at(0, 0, 5, 0))
  app.clock.now += 4000
  run?.emit(at(400_000, 2, 3, 1))
  await app.until('rows 400,000/1,000,000 est.   ranges 2, about 3 left   1 difference')
  await app.until('1 row so far: compared again before it is named')
  expect(app.row(1)).toContain('comparing 40 %')
  run?.emit(at(1_000_000, 6, 0, 1, 'looking again'))
  await app.until('ranges 6, looking again')
  run?.emit({ ...at(1_000_000, 6, 0, 1), step: 'looking for extra rows', looked: '300000' } as EventBody)
  await app.until('ranges 6, looking for extra rows: 300,000 looked up')
  const columns = [{ column: 'speed', source: '1.5', target: '1.6' }]
  run?.emit({ type: 'difference', table: TABLE, key: ['7', 'a'], difference: 'different', columns })
  run?.emit({ type: 'table.finished', table: TABLE, status: 'failed', ms: 9, notes: ['one differs'] })
  run?.finish(1, { error: fault('DIFFERENCES', 'one row differs') })
  await app.until('rows 1,000,000/1,000,000')
  await app.until(/100 % {2}failed/)
  await app.press(['enter'], /1 row that differs[\s\S]*\(7, a\) differs: speed 1.5 → 1.6/)
})

it('is printed every ten seconds without a screen', () => {
  const narrator = new Narrator(false)
  const reported = (ms: number, body: EventBody): readonly string[] =>
    narrator
      .event({ v: 1, seq: 1, ts: new Date(ms).toISOString(), runId: '1', ...body })
      .map(({ word, text }) => `${word} ${text}`)
  reported(0, { type: 'run.started', command: 'diff', tool: '0.1.0' })
  expect(reported(1, planned)).toEqual(['plan 1 table, about 1,000,000 rows'])
  expect(reported(5000, at(200_000, 1, 4, 0))).toEqual([])
  expect(reported(11_000, at(400_000, 2, 3, 1))).toEqual([
    'at 40 %  400,000/1,000,000 est.  36,364/s  0:16 left  2 ranges compared, about 3 left  1 difference so far',
  ])
  const extra = { ...at(1_000_000, 5, 0, 1), step: 'looking for extra rows', looked: '300000' } as EventBody
  expect(reported(22_000, extra)).toEqual([
    expect.stringContaining('looking for extra rows, 300,000 of the target looked up  1 difference so far'),
  ])
})
