/** The database server is killed or restarted in the middle of a copy, as its target, its source, or both. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { someOf } from '../support/backend.ts'
import { copyOf, makePlace, perform, placeOn, type Place, type Ran } from '../support/copy-systems.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { expectDone, expectHonest, of, startCopy, type Copied } from './copy-kit.ts'

const ROWS = 3000
const CHUNK = 250
const SELECT = 'SELECT id, name FROM t ORDER BY id'
const why = POSTGRES_MISSING || 'SLUICE_TEST_POSTGRES_URL names a server that is not ours to kill'

describe.skipIf(!POSTGRES_OWN)(`a server that is killed${POSTGRES_OWN ? '' : ` (skipped: ${why})`}`, () => {
  let folder = ''
  let server: PostgresServer
  let inFile: Place
  let onServer: Place
  /** Resolves once the server has restarted. */
  let back: Promise<void> = Promise.resolve()

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-copy-server-'))
    server = await startPostgres()
    inFile = await makePlace('sqlite', folder)
    onServer = await placeOn('postgresql', server.url())
    await inFile.sql(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)',
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO t SELECT i, hex(zeroblob(500)) || i FROM n`,
    )
    await onServer.sql(
      'CREATE TABLE t (id int PRIMARY KEY, name text)',
      `INSERT INTO t SELECT i, repeat('0', 1000) || i FROM generate_series(1, ${ROWS}) i`,
    )
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  const PAIRS = {
    target: async () => ({ source: inFile, target: await placeOn('postgresql', server.url()) }),
    source: async () => ({ source: onServer, target: await makePlace('sqlite', folder) }),
    both: async () => ({ source: onServer, target: await placeOn('postgresql', server.url()) }),
  }

  async function room(role: keyof typeof PAIRS, patience: string): Promise<Copied> {
    const { source, target } = await PAIRS[role]()
    const patient = ({ system, url }: Place): string => (system === 'postgresql' ? `${url}?${patience}` : url)
    const copy = { ...copyOf(source, target, 't', { chunkRows: CHUNK }), from: patient(source), to: patient(target) }
    return { copy, source, target, table: 't', select: SELECT }
  }

  /** Runs a copy, and calls `act` once, as soon as so many chunks have begun. */
  async function disturbed({ copy }: Copied, chunks: number, act: () => Promise<void>): Promise<Ran> {
    let begun = 0
    const ran = await perform(copy, {
      onEvent: ({ type }) => {
        if (type === 'chunk.started' && ++begun === chunks) back = act()
      },
    })
    await back
    expect(begun).toBeGreaterThanOrEqual(chunks)
    return ran
  }

  const killed = async (): Promise<void> => {
    await server.kill9()
    await server.restart()
  }
  const restarted = async (): Promise<void> => {
    await server.stop()
    await server.restart()
  }

  afterEach(() => back.catch(() => undefined))

  test.for(
    someOf(
      (['target', 'source', 'both'] as const).flatMap((role) =>
        [
          ['killed', 4, killed],
          ['restarted', 3, restarted],
          ['killed', 9, killed],
        ].map((how) => [role, ...how] as const),
      ),
      2,
    ),
  )(
    '%s: the server is %s at chunk %i, and the run continues by itself',
    { timeout: 60_000 },
    async ([role, , at, act]) => {
      const done = await room(role, 'retry_seconds=30&connect_timeout=5')
      const ran = await disturbed(done, at as number, act as () => Promise<void>)
      expectHonest(ran)
      expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS), quarantined: '0' } })
      expect(of(ran.events, 'chunk.failed')).toEqual([])
      await expectDone(done)
    },
  )

  test(
    'a target that is a standby for a while, as in a failover: writes are retried until it is promoted',
    { timeout: 60_000 },
    async () => {
      const done = await room('target', 'retry_seconds=30&connect_timeout=5')
      let refusals = 0
      let begun = 0
      const ran = await perform(
        { ...done.copy, rate: ROWS },
        {
          onEvent: (event) => {
            if (event.type === 'chunk.started' && ++begun === 3) back = server.demote()
            const isRefusal = event.type === 'chunk.retried' && event.error.code === 'TARGET_DENIED'
            if (isRefusal && ++refusals === 1) back = back.then(async () => server.promote())
          },
        },
      )
      await back
      expect(refusals).toBeGreaterThan(0)
      expectHonest(ran)
      expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS), quarantined: '0' } })
      expect(of(ran.events, 'chunk.failed')).toEqual([])
      await expectDone(done)
    },
  )

  test('a target that is a standby from the start is refused at once', { timeout: 20_000 }, async () => {
    const { copy } = await room('target', 'connect_timeout=5')
    await server.demote()
    const { finished } = await perform(copy)
    await server.promote()
    expect(finished).toMatchObject({
      exitCode: 4,
      error: {
        code: 'TARGET_DENIED',
        reason: expect.stringContaining('read-only'),
        hint: expect.stringContaining('primary'),
      },
    })
  })

  test('the server and the program are killed together: the next run does the rest', { timeout: 60_000 }, async () => {
    const done = await room('both', 'retry_seconds=0.5&connect_timeout=1')
    const child = startCopy({ ...done.copy, rate: ROWS })
    await child.until('chunk.done')
    await server.kill9()
    child.process.kill('SIGKILL')
    expect((await child.ended).signal).toBe('SIGKILL')
    await expectNextDoesTheRest(done)
  })

  test.runIf(process.env['SLUICE_TEST_ALL'])(
    'the target is down for 45 seconds: the run continues by itself',
    { timeout: 180_000 },
    async () => {
      const done = await room('target', 'connect_timeout=5')
      const away = async (): Promise<void> => {
        await server.kill9()
        await sleep(45_000)
        await server.restart()
      }
      const ran = await disturbed(done, 4, away)
      expectHonest(ran)
      expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      await expectDone(done)
    },
  )

  // The retry limit of a run is longer than that of a test.
  test.runIf(process.env['SLUICE_TEST_ALL'])(
    'the target is down for longer than the retry limit: the run reports it, and the next does the rest',
    { timeout: 120_000 },
    async () => {
      const done = await room('target', 'retry_seconds=0.5&connect_timeout=1')
      const child = startCopy({ ...done.copy, rate: ROWS })
      await child.until('chunk.done')
      await server.kill9()
      const { finished, events } = await child.ended
      expect(finished).toMatchObject({ status: 'failed', exitCode: 4, resumeCommand: 'sluice copy' })
      if (finished !== undefined) expectHonest({ finished, events })
      await expectNextDoesTheRest(done)
    },
  )

  async function expectNextDoesTheRest(done: Copied): Promise<void> {
    await server.restart()
    const again = await perform({ ...done.copy, chunkRows: CHUNK / 2, workers: 3 })
    expect(again.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
    await expectDone(done)
  }

  test('a copy survives a server that is killed repeatedly during one run', { timeout: 60_000 }, async () => {
    const done = await room('both', 'retry_seconds=30&connect_timeout=5')
    const ended = new AbortController()
    const kills = (async () => {
      for (let i = 0; i < 4 && !ended.signal.aborted; i++) {
        await sleep(250)
        await killed()
      }
    })()
    const first = await perform({ ...done.copy, rate: ROWS })
    ended.abort()
    await kills
    expectHonest(first)
    if (first.finished.exitCode !== 0) {
      expect((await perform(done.copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
    }
    await expectDone(done)
  })
})
