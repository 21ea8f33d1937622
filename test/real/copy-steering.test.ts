/** Steering requests for single tables and chunks of a running copy: pause, resume, skip, retry. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { SteeringRequest } from '../../src/engine/run/operation.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { ledgerProblems } from '../support/copy-ledger.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

let folder = ''
let source: Place
let target: Place

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-steered-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const rows = (count: number): string => Array.from({ length: count }, (_, i) => `(${i + 1}, 'row ${i + 1}')`).join(', ')

beforeEach(async () => {
  source = await makePlace('sqlite', folder)
  target = await makePlace('sqlite', folder)
  for (const name of ['a', 'b', 'c'])
    await source.sql(
      `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, name TEXT)`,
      `INSERT INTO ${name} VALUES ${rows(300)}`,
    )
})

const of = <T extends EventBody['type']>(events: readonly Event[], type: T): readonly Extract<Event, { type: T }>[] =>
  events.filter((event): event is Extract<Event, { type: T }> => event.type === type)

/** Copies three tables; `reported` may send a request after each event. */
function steered(reported: (event: Event, options: (request: SteeringRequest) => void) => void): Promise<Ran> {
  let wish: (request: SteeringRequest) => void = () => undefined
  const control = {
    paused: false,
    lanes: null,
    onRequest: (listener: (request: SteeringRequest) => void) => void (wish = listener),
  }
  const copy = copyOf(source, target, 'a', { tables: ['a', 'b', 'c'], chunkRows: 100, workers: 1 })
  return perform(copy, { control, onEvent: (event) => reported(event, (what) => wish(what)) })
}

const again = (): Promise<Ran> =>
  perform(copyOf(source, target, 'a', { tables: ['a', 'b', 'c'], chunkRows: 70, workers: 2 }))
const counted = async (): Promise<readonly (string | null | undefined)[]> =>
  Promise.all(['a', 'b', 'c'].map(async (name) => (await target.rows(`SELECT COUNT(*) FROM ${name}`))[0]?.[0]))
const statuses = ({ events }: Ran): unknown =>
  Object.fromEntries(of(events, 'table.finished').map(({ table, status }) => [table, status]))

test('a table that is skipped is not called done, and the next run continues it', async () => {
  const first = await steered((event, options) => {
    if (event.type === 'chunk.done' && event.table === 'a') options({ act: 'skip', table: 'a' })
  })
  expect(first.finished).toMatchObject({
    status: 'stopped',
    exitCode: 75,
    totals: { tables: '3', ok: '2', written: '700', proved: '7', chunks: '9' },
    resumeCommand: 'sluice copy',
    error: { code: 'STOPPED', message: 'skipped on request, and so not finished: a' },
  })
  expect(statuses(first)).toEqual({ a: 'skipped', b: 'ok', c: 'ok' })
  expect(await counted()).toEqual(['100', '300', '300'])
  const second = await again()
  expect(second.finished).toMatchObject({ exitCode: 0, totals: { written: '900' } })
  expect(await ledgerProblems(target, 'a', 300)).toEqual([])
})

test('no chunk of a paused table starts before it is resumed, and the run waits for it', async () => {
  const order: string[] = []
  const { finished, events } = await steered((event, options) => {
    if (event.type === 'plan.ready') setTimeout(() => options({ act: 'pause', table: 'a' }))
    if (event.type !== 'chunk.done') return
    order.push(event.table)
    if (order.length === 6) options({ act: 'resume', table: 'a' })
  })
  expect(finished.exitCode).toBe(0)
  expect(of(events, 'table.steered').map(({ table, act }) => `${act} ${table}`)).toEqual(['pause a', 'resume a'])
  // A chunk that was running at the time of the request was finished.
  expect(order.filter((table, i) => table === 'a' && i < 6).length).toBeLessThanOrEqual(1)
  expect(await counted()).toEqual(['300', '300', '300'])
})

test('a chunk that is skipped or paused is released and rolled back, and the others continue', async () => {
  let held = false
  const first = await steered((event, options) => {
    if (event.type === 'chunk.started' && event.table === 'b' && event.chunk === '2')
      options({ act: 'skip', table: 'b', chunk: '2' })
    if (event.type === 'chunk.started' && event.table === 'c' && !held) {
      held = true
      options({ act: 'pause', table: 'c', chunk: '1' })
    }
    if (event.type === 'chunk.done' && event.table === 'c' && event.chunk === '3')
      options({ act: 'resume', table: 'c', chunk: '1' })
  })
  expect(of(first.events, 'chunk.released')).toMatchObject([
    { table: 'b', chunk: '2', reason: 'asked' },
    { table: 'c', chunk: '1', reason: 'asked' },
  ])
  expect(of(first.events, 'chunk.done').map(({ table, chunk }) => `${table}${chunk}`)).toEqual([
    'a1',
    'a2',
    'a3',
    'b1',
    'b3',
    'c2',
    'c3',
    'c1',
  ])
  expect(statuses(first)).toEqual({ a: 'ok', b: 'skipped', c: 'ok' })
  expect(first.finished).toMatchObject({ exitCode: 75, totals: { written: '800' } })
  expect((await again()).finished).toMatchObject({ exitCode: 0, totals: { written: '900' } })
})

test('a failed chunk is retried during the run, and its final state counts', async () => {
  await target.sql('CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT)', "INSERT INTO a VALUES (150, 'in the way')")
  let repaired: Promise<unknown> | null = null
  const first = await steered((event, options) => {
    // The table was reported as failed by then, while the others are still being copied.
    if (event.type === 'chunk.started' && event.table === 'b' && repaired === null) {
      options({ act: 'pause', table: 'c' })
      repaired = target.sql('DELETE FROM a WHERE id = 150').then(() => {
        options({ act: 'retry', table: 'a' })
        options({ act: 'resume', table: 'c' })
      })
    }
  })
  expect(of(first.events, 'chunk.failed')).toMatchObject([{ table: 'a', chunk: '2' }])
  expect(of(first.events, 'table.finished').map(({ table, status }) => `${table} ${status}`)).toEqual(
    expect.arrayContaining(['a failed', 'b ok', 'a ok', 'c ok']),
  )
  expect(statuses(first)).toEqual({ a: 'ok', b: 'ok', c: 'ok' })
  expect(first.finished).toMatchObject({ exitCode: 0, totals: { ok: '3', written: '900' } })
})

test('a request that cannot be applied is reported, and changes nothing', async () => {
  const { finished, events } = await steered((event, options) => {
    if (event.type !== 'chunk.done' || event.chunk !== '1') return
    options({ act: 'skip', table: 'nowhere' })
    options({ act: 'retry', table: 'a', chunk: '1' })
  })
  expect(finished.exitCode).toBe(0)
  expect(of(events, 'log').map(({ message }) => message)).toEqual(
    expect.arrayContaining(['this run has no table nowhere', 'chunk 1 of a has not failed: there is nothing to retry']),
  )
})

test.for([
  ['postgresql', 'postgresql', 60_000],
  ['sqlite', 'd1', 3000],
] as const)('a chunk that is being streamed from %s to %s is released completely', async ([a, b, count], { skip }) => {
  for (const system of [a, b]) {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
  }
  const [from, to] = [await makePlace(a, folder), await makePlace(b, folder)]
  const made =
    a === 'sqlite'
      ? `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i, 'row ' || i FROM n`
      : `SELECT i, 'row ' || i FROM generate_series(1, ${count}) i`
  await from.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)', `INSERT INTO t ${made}`)
  let options: (request: SteeringRequest) => void = () => undefined
  let asked = false
  const copy = copyOf(from, to, 't', { chunkRows: count / 3, batchRows: 500 })
  const first = await perform(copy, {
    control: { paused: false, lanes: null, onRequest: (listener) => void (options = listener) },
    onEvent: (event) => {
      if (asked || event.type !== 'chunk.progress' || event.chunk !== '2' || event.step !== 'writing') return
      asked = true
      options({ act: 'skip', table: event.table, chunk: '2' })
    },
  })
  expect(first.finished.exitCode).toBe(75)
  expect(of(first.events, 'chunk.failed')).toEqual([])
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(count) } })
  expect(await ledgerProblems(to, 't', count)).toEqual([])
})
