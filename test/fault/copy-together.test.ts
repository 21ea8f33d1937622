/**
 * Two copies of one table at the same time: they share its chunks, wait for each other, or one is refused; a program
 * that lost a chunk writes nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL, someOf } from '../support/backend.ts'
import { watchLedger } from '../support/copy-ledger.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'
import { expectDone, of, startCopy, untilFrozen, type Child, type Copied } from './copy-kit.ts'
import { inLoad, isCommit, onStatement } from './server-line.ts'

const ROWS = 3000
const SELECT = 'SELECT id, name FROM t ORDER BY id'
/**
 * On another host, so that others cannot see whether it is alive; with a short lease; without heartbeats, so only the
 * step in which it is frozen is in progress.
 */
const FROZEN = { host: 'elsewhere', leaseMs: 900, isSilent: true } as const
const DAY_MS = 86_400_000
/** Rows per second, so that both programs work for a while. */
const SLOWLY = 4000

let folder = ''
let source: Place

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-together-'))
  source = await makePlace('sqlite', folder)
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)',
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO t SELECT i, hex(zeroblob(300)) || i FROM n`,
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const chunksOf = (events: Parameters<typeof of>[0]): readonly string[] =>
  of(events, 'chunk.done').map(({ chunk }) => chunk)

describe.each(['postgresql', 'mysql'] as const)('into %s', (system) => {
  let proxy: Proxy

  beforeAll(async () => {
    if ((await missing(system)) !== '') return
    proxy = await startProxy(Number(new URL((await makePlace(system, folder)).url).port))
  })
  afterAll(async () => proxy?.close())

  const place = async (context: { skip(condition: boolean, why: string): void }): Promise<Place> => {
    const why = await missing(system)
    context.skip(why !== '', why)
    proxy.onClientData(null)
    return makePlace(system, folder)
  }
  const doneAt = (target: Place, more: Partial<Copied['copy']> = {}): Copied => ({
    copy: copyOf(source, target, 't', { chunkRows: 100, workers: 1, rate: SLOWLY, ...more }),
    source,
    target,
    table: 't',
    select: SELECT,
  })
  /** At once, so that no further answer reaches the program before the signal. */
  const freeze = ({ process: { pid } }: Child): void => {
    proxy.freeze()
    if (pid !== undefined) process.kill(pid, 'SIGSTOP')
  }
  const through = (target: Place): string => target.url.replace(/:\d+\//, `:${proxy.port}/`)

  // MySQL claims chunks by the same statement, so one system is enough.
  test.for(system === 'postgresql' || ALL ? someOf([1, 2, 3, 4, 5, 6], 6) : [])(
    'two copies that begin at the same time share the chunks (%i)',
    { timeout: 60_000 },
    async (_, context) => {
      const target = await place(context)
      const done = doneAt(target)
      const both = [startCopy(done.copy), startCopy({ ...done.copy, chunkRows: 130 })]
      const ended = await Promise.all(both.map((child) => child.ended))
      for (const { finished } of ended)
        expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      const chunks = ended.flatMap(({ events }) => chunksOf(events))
      expect(new Set(chunks).size).toBe(chunks.length)
      await expectDone(done)
    },
  )

  test('two copies share the chunks, with clocks that are days apart', { timeout: 60_000 }, async (context) => {
    const target = await place(context)
    const done = doneAt(target)
    const watch = watchLedger(target, 't')
    const [early, late] = [
      { host: 'there', aheadMs: -DAY_MS },
      { host: 'elsewhere', aheadMs: DAY_MS },
    ]
    // The slow program still works when the fast one finds no chunk left.
    const first = startCopy({ ...done.copy, rate: SLOWLY / 10 }, early)
    await first.until('chunk.done')
    const second = startCopy(done.copy, late)
    await second.until('chunk.done')
    await watch.look()
    const ended = await Promise.all([first.ended, second.ended])
    await watch.look()
    for (const { finished, events } of ended) {
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      expect(chunksOf(events).length).toBeGreaterThan(0)
      // Neither takes the other for dead.
      expect(of(events, 'log')).toEqual([])
      expect(of(events, 'chunk.retried')).toEqual([])
    }
    const chunks = ended.flatMap(({ events }) => chunksOf(events))
    expect(chunks.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: ROWS / 100 }, (__, i) => i + 1))
    expect(watch.problems).toEqual([])
    await expectDone(done)
  })

  const LOAD = system === 'postgresql' ? 'COPY "public"."t"' : 'INTO TABLE'
  const OPENING = 'BEGIN ISOLATION LEVEL READ COMMITTED'
  const FREEZES: readonly (readonly [string, (act: () => void) => void])[] = [
    ['in the middle of its rows', (act) => void inLoad(proxy, LOAD, { load: 3, bytes: 20_000 }, act)],
    [
      'between its last row and its COMMIT',
      (act) => {
        let closing = false
        proxy.onClientData((data) => {
          if (closing || !data.includes("status = 'completed', records_processed")) return
          closing = true
          act()
        })
      },
    ],
    ['while it makes the ledger', (act) => void onStatement(proxy, isCommit, act, 9)],
    [
      'between its claim and its transaction',
      (act) => void onStatement(proxy, (data) => data.includes(OPENING), act, 3),
    ],
  ]

  test.for(system === 'postgresql' ? FREEZES : someOf(FREEZES.slice(0, 2), 2))(
    'a copy frozen %s until its lease has expired writes nothing after another has done its work',
    { timeout: 60_000 },
    async ([, freezeAt], context) => {
      const target = await place(context)
      const done = doneAt(target)
      const frozen = startCopy({ ...done.copy, to: through(target), rate: 1e6, chunkRows: 500 }, FROZEN)
      freezeAt(() => freeze(frozen))
      await untilFrozen(frozen)
      proxy.thaw()
      const watch = watchLedger(target, 't')
      // It may have to wait for what the frozen session has locked, until its own heartbeat.
      const other = await startCopy({ ...done.copy, workers: 2, rate: 1e6 }, { leaseMs: 900 }).ended
      expect(other.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      expect(frozen.events.some(({ type }) => type === 'run.finished')).toBe(false)
      await watch.look()
      frozen.process.kill('SIGCONT')
      const { finished, events } = await frozen.ended
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS), quarantined: '0' } })
      expect(of(events, 'row.aside')).toEqual([])
      expect(of(events, 'chunk.failed')).toEqual([])
      await watch.look()
      expect(watch.problems).toEqual([])
      await expectDone(done)
    },
  )

  test.runIf(system === 'postgresql' || ALL)(
    'a copy frozen during planning continues after another has planned and copied the table',
    { timeout: 60_000 },
    async (context) => {
      const target = await place(context)
      const done = doneAt(target)
      const frozen = startCopy({ ...done.copy, to: through(target), chunkRows: 7 }, FROZEN)
      let commits = -1
      proxy.onClientData((data) => {
        if (data.includes('INSERT INTO migration_checkpoints')) commits = Math.max(commits, 0)
        // Every hundred chunks are recorded in their own transaction.
        else if (commits >= 0 && isCommit(data) && ++commits === 3) freeze(frozen)
      })
      await untilFrozen(frozen)
      proxy.thaw()
      const other = await perform({ ...done.copy, rate: 1e6 })
      expect(other.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      frozen.process.kill('SIGCONT')
      expect((await frozen.ended).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      await expectDone(done)
    },
  )
})

test('two copies into SQLite: the second is refused, and changes nothing', { timeout: 60_000 }, async () => {
  const target = await makePlace('sqlite', folder)
  const copy = copyOf(source, target, 't', { chunkRows: 100, workers: 1, rate: SLOWLY })
  const first = startCopy(copy)
  await first.until('chunk.done')
  const second = await perform(copy)
  expect(second.finished).toMatchObject({ exitCode: 5, status: 'refused', error: { code: 'LEDGER_BUSY' } })
  expect((await first.ended).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
  await expectDone({ copy, source, target, table: 't', select: SELECT })
})

test('of two copies of a table without a key, one waits for the other', { timeout: 60_000 }, async (context) => {
  const why = await missing('postgresql')
  context.skip(why !== '', why)
  const [from, target] = [await makePlace('postgresql', folder), await makePlace('postgresql', folder)]
  await from.sql(
    'CREATE TABLE k (a int, b text)',
    "INSERT INTO k SELECT i % 7, repeat('x', 500) FROM generate_series(1, 2000) i",
  )
  const copy = copyOf(from, target, 'k', { chunkRows: 200, workers: 1, rate: SLOWLY })
  const first = startCopy(copy)
  await first.until('chunk.done')
  // The frozen program is alive and has its lease, so the other one cannot finish before it.
  first.process.kill('SIGSTOP')
  const second = startCopy(copy)
  await second.until('log')
  first.process.kill('SIGCONT')
  const ended = await Promise.all([first.ended, second.ended])
  for (const { finished } of ended) expect(finished).toMatchObject({ exitCode: 0, totals: { written: '2000' } })
  expect(chunksOf(ended[1].events)).toEqual([])
  expect(
    ended[1].events.some((event) => event.type === 'log' && event.message.includes('cannot be shared without a key')),
  ).toBe(true)
  await expectDone({ copy, source: from, target, table: 'k', select: 'SELECT a, b FROM k ORDER BY a, b' })
})
