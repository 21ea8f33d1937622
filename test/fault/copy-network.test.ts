/** The connection between a copy and its servers is cut or silent, or answers to COMMIT are lost. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { asSluiceError } from '../../src/shared/errors.ts'
import { CopySession } from '../../src/stores/postgresql/server/session.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import { ALL } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'
import { expectDone, expectHonest, of, type Copied } from './copy-kit.ts'
import { inLoad, isCommit } from './server-line.ts'

const ROWS = 1500
const CHUNK = 500
const SELECT = 'SELECT id, name FROM t ORDER BY id'
const QUICK = 'response_timeout=1&connect_timeout=2&retry_seconds=20'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-network-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function sourceOf(system: 'sqlite' | 'postgresql' | 'mysql'): Promise<Place> {
  const source = await makePlace(system, folder)
  const rows = Array.from({ length: ROWS }, (_, i) => `(${i + 1}, '${`row ${i} `.repeat(60)}')`)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)', `INSERT INTO t VALUES ${rows.join(', ')}`)
  return source
}

describe.each([
  ['postgresql', 'COPY "public"."t"'],
  ['mysql', 'INTO TABLE'],
] as const)('the target, %s,', (system, load) => {
  const IMPATIENT = system !== 'postgresql' && !ALL
  let proxy: Proxy
  let source: Place
  let why = ''

  beforeAll(async () => {
    why = await missing(system)
    if (why !== '') return
    source = await sourceOf('sqlite')
    proxy = await startProxy(Number(new URL((await makePlace(system, folder)).url).port))
  })
  afterEach(() => {
    proxy?.onClientData(null)
    proxy?.thaw()
  })
  afterAll(async () => proxy?.close())

  async function room(): Promise<Copied> {
    const target = await makePlace(system, folder)
    const through = `${target.url.replace(/:\d+\//, `:${proxy.port}/`)}?${QUICK}`
    const copy = { ...copyOf(source, target, 't', { chunkRows: CHUNK, workers: 1 }), to: through }
    return { copy, source, target, table: 't', select: SELECT }
  }

  /** The run meets the fault, and continues by itself. */
  async function expectSurvives(done: Copied, happened: () => boolean): Promise<void> {
    const { finished, events } = await perform(done.copy)
    expect(happened()).toBe(true)
    expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS), quarantined: '0' } })
    expect(of(events, 'chunk.failed')).toEqual([])
    // Even if answers are lost, each chunk is reported as done once, by the worker that did it.
    const reported = of(events, 'chunk.done').map(({ chunk }) => chunk)
    expect(new Set(reported).size).toBe(reported.length)
    expect(String(reported.length)).toBe(finished.totals?.['chunks'])
    proxy.onClientData(null)
    await expectDone(done)
  }

  test('is disconnected in the middle of rows: the run continues', { timeout: 60_000 }, async (context) => {
    context.skip(why !== '', why)
    const done = await room()
    const { acted } = inLoad(proxy, load, { load: 2, bytes: 100_000 }, () => proxy.cut())
    await expectSurvives(done, acted)
  })

  test('is silent in the middle of rows: the run continues', { timeout: 60_000 }, async (context) => {
    context.skip(IMPATIENT, 'waits for seconds: on PostgreSQL, and with SLUICE_TEST_ALL')
    context.skip(why !== '', why)
    const done = await room()
    const { acted } = inLoad(proxy, load, { load: 2, bytes: 100_000 }, () => {
      proxy.freeze()
      void sleep(2_500).then(() => proxy.thaw())
    })
    await expectSurvives(done, acted)
  })

  test.for([
    ['does not get COMMIT', 'drop'],
    ['commits, and its answer is lost', undefined],
  ] as const)('%s, repeatedly: the run continues', { timeout: 60_000 }, async ([, answer], context) => {
    context.skip(why !== '', why)
    const done = await room()
    let commits = 0
    let dice = 1
    let closing = -1
    let closings = 0
    proxy.onClientData((data, connection) => {
      if (data.includes("status = 'completed', records_processed")) closing = connection.id
      if (!isCommit(data)) return undefined
      commits++
      const isClosing = connection.id === closing
      closing = -1
      // About every third statement, but independent of the steps of a chunk, because otherwise the copy would never
      // complete; and always those that close the first chunks.
      dice = (Math.imul(dice, 1_103_515_245) + 12_345) >>> 0
      const hit = isClosing ? ++closings <= 2 : (dice >>> 16) % 3 === 0
      if (!hit) return undefined
      connection.cut()
      return answer
    })
    await expectSurvives(done, () => commits > 20 && closings > 2)
  })

  test('is silent after the COMMIT of a chunk: the run continues', { timeout: 60_000 }, async (context) => {
    context.skip(IMPATIENT, 'waits for seconds: on PostgreSQL, and with SLUICE_TEST_ALL')
    context.skip(why !== '', why)
    const done = await room()
    let closing = -1
    let muted = false
    proxy.onClientData((data, connection) => {
      if (data.includes("status = 'completed', records_processed")) closing = connection.id
      if (connection.id !== closing || !isCommit(data) || muted) return
      muted = true
      setImmediate(() => connection.mute())
    })
    await expectSurvives(done, () => muted)
  })
})

describe.each(['postgresql', 'mysql'] as const)('the source, %s,', (system) => {
  test(
    'is disconnected during a read: the run continues in a new snapshot, and reports it at the end',
    { timeout: 60_000 },
    async (context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      const source = await sourceOf(system)
      await using proxy = await startProxy(Number(new URL(source.url).port))
      const target = await makePlace('sqlite', folder)
      const copy = copyOf(source, target, 't', { chunkRows: CHUNK, workers: 1 })
      const done: Copied = { copy, source, target, table: 't', select: SELECT }
      let cut = false
      const { finished, events } = await perform(
        { ...copy, from: `${source.url.replace(/:\d+\//, `:${proxy.port}/`)}?${QUICK}` },
        {
          onEvent: (event) => {
            if (cut || event.type !== 'chunk.done') return
            cut = true
            proxy.cut()
          },
        },
      )
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      expect(of(events, 'chunk.retried')).toMatchObject([{ error: { code: 'CONNECTION_LOST' } }])
      expect(of(events, 'table.finished')).toMatchObject([
        { status: 'ok', notes: [expect.stringContaining('2 snapshots of the source')] },
      ])
      await expectDone(done)
    },
  )
})

test('a table without a key is copied from the start if its snapshot is lost', { timeout: 60_000 }, async (context) => {
  const why = await missing('postgresql')
  context.skip(why !== '', why)
  const source = await makePlace('postgresql', folder)
  await source.sql(
    'CREATE TABLE k (a int, b text)',
    "INSERT INTO k SELECT i, repeat('x', 500) FROM generate_series(1, 1500) i",
  )
  await using proxy = await startProxy(Number(new URL(source.url).port))
  const target = await makePlace('postgresql', folder)
  const copy = copyOf(source, target, 'k', { chunkRows: 200, workers: 1 })
  const run = await perform(
    { ...copy, from: `${source.url.replace(/:\d+\//, `:${proxy.port}/`)}?${QUICK}` },
    {
      onEvent: ({ type }) => {
        if (type === 'chunk.done') proxy.cut()
      },
    },
  )
  expect(run.finished).toMatchObject({ exitCode: 3, status: 'failed', error: { code: 'CONNECTION_LOST' } })
  expectHonest(run)
  // Rows move to other blocks: blocks of the first run and of the second cannot be combined.
  await source.sql("UPDATE k SET b = 'moved' WHERE a % 3 = 0")
  const again = await perform(copy)
  expect(again.finished).toMatchObject({ exitCode: 0, totals: { written: '1500' } })
  expect(of(again.events, 'table.finished')).toMatchObject([{ copied: { readPoints: '1' } }])
  await expectDone({ copy, source, target, table: 'k', select: 'SELECT a, b FROM k ORDER BY a' })
})

test('a session of PostgreSQL that is lost at any moment of its opening is called lost', async ({ skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', `needs postgresql: ${why}`)
  const place = await makePlace('postgresql', folder)
  await using proxy = await startProxy(Number(new URL(place.url).port))
  const settings = postgresSettings(place.url.replace(/:\d+\//, `:${proxy.port}/`))
  const codes: string[] = []
  for (let cutAt = 1; codes.at(-1) !== 'open'; cutAt++) {
    let sent = 0
    proxy.onClientData((_, connection) => {
      if (++sent !== cutAt) return
      connection.cut()
      return 'drop'
    })
    const opened = await CopySession.open(settings, 'write').catch((error: unknown) => asSluiceError(error).code)
    codes.push(typeof opened === 'string' ? opened : 'open')
    if (typeof opened !== 'string') await opened.close()
  }
  expect(codes.length).toBeGreaterThan(4)
  expect(codes).not.toContain('INTERNAL')
})
