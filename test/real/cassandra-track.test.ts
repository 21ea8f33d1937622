/**
 * Runs in the tables of the Cassandra Data Migrator, in a keyspace and in a PostgreSQL schema, and how they are
 * resumed.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { splitTokens } from '../../src/model/copy/ring.ts'
import { CqlTrack } from '../../src/stores/cassandra/track.ts'
import type { TrackStore } from '../../src/model/copy/track-port.ts'
import { openPostgres } from '../../src/stores/postgresql/server/sql-database.ts'
import { PostgresLedger } from '../../src/stores/postgresql/copy/ledger.ts'
import { PostgresTrack } from '../../src/stores/postgresql/copy/track.ts'
import { makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { startCopy } from '../fault/copy-kit.ts'
import { copyBetween, failures, started } from './cassandra-target-kit.ts'

const ROWS = 900
const SPLITS = 8
const LOW = -(2n ** 63n)
const HIGH = 2n ** 63n - 1n

type Track = AsyncDisposable & {
  readonly to: string
  readonly schema: string
  readonly store: TrackStore
  readonly ask: (query: string) => Promise<readonly Record<string, unknown>[]>
  readonly place: Place | null
  readonly keyspace: TestKeyspace | null
}

const because = CASSANDRA_MISSING === '' ? '' : ` (${CASSANDRA_MISSING})`
describe.skipIf(!CASSANDRA_AVAILABLE)(`tracked runs${because}`, () => {
  let source: TestKeyspace
  let folder = ''
  let noPostgres = ''

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-track-'))
    noPostgres = await missing('postgresql')
    source = await newKeyspace()
    await source.cql('CREATE TABLE customer (id int PRIMARY KEY, name text)')
    for (let at = 0; at < ROWS; at += 100) {
      const rows = Array.from({ length: 100 }, (_, i) => at + i)
      await Promise.all(
        rows.map((id) => source.rows('INSERT INTO customer (id, name) VALUES (?, ?)', [id, `name ${id}`])),
      )
    }
  }, 120_000)

  afterAll(async () => {
    await source[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  async function cassandra(): Promise<Track> {
    const keyspace = await newKeyspace()
    await keyspace.cql('CREATE TABLE customer (id int PRIMARY KEY, name text)')
    return {
      to: keyspace.url,
      schema: keyspace.name,
      store: new CqlTrack(keyspace.link, keyspace.name),
      ask: async (query) =>
        (await keyspace.rows(query)).map((row) => Object.fromEntries(row.keys().map((key) => [key, row.get(key)]))),
      place: null,
      keyspace,
      [Symbol.asyncDispose]: () => keyspace[Symbol.asyncDispose](),
    }
  }

  async function postgres(): Promise<Track> {
    const place = await makePlace('postgresql', folder)
    await place.sql('CREATE SCHEMA ks', 'CREATE TABLE ks.customer (id integer PRIMARY KEY, name text)')
    const database = await openPostgres(place.url, 'write', {})
    const ledger = new PostgresLedger(database, place.url)
    return {
      to: place.url,
      schema: 'ks',
      store: new PostgresTrack(ledger, 'ks'),
      ask: async (query) => {
        const rows = await place.rows(`SELECT row_to_json(q) FROM (${query.replace(/;\s*$/, '')}) q`)
        return rows.map(([text]) => JSON.parse(text ?? '{}') as Record<string, unknown>)
      },
      place,
      keyspace: null,
      [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose](),
    }
  }

  const copy = ({ to, schema }: Track, more: Partial<CopyOperation> = {}): CopyOperation =>
    copyBetween(source.url, to, ['customer'], {
      toSchema: schema,
      onExisting: 'upsert',
      ring: { splits: SPLITS },
      track: {},
      ...more,
    })

  const tokens = (ranges: readonly { low: bigint; high: bigint }[]): readonly string[] =>
    ranges.map(({ low, high }) => `${low}..${high}`)

  const messages = ({ events }: Ran): readonly string[] =>
    events.flatMap((event) => (event.type === 'log' ? [event.message] : []))

  describe.each(['cassandra', 'postgresql'] as const)('in %s', (system) => {
    const open = async (skip: (condition: boolean, note: string) => void): Promise<Track> => {
      skip(system === 'postgresql' && noPostgres !== '', noPostgres)
      return system === 'cassandra' ? cassandra() : postgres()
    }

    test('each range is recorded, and the queries of the guide work', { timeout: 60_000 }, async ({ skip }) => {
      await using track = await open(skip)
      const ran = await perform(copy(track))
      expect(ran.finished, failures(ran)).toMatchObject({ exitCode: 0, totals: { read: String(ROWS) } })
      const [run, ...others] = await track.store.runs('customer')
      if (run === undefined) throw new Error('no run')
      expect(others).toEqual([])
      const info = `Read: ${ROWS}; Write: ${ROWS}; Skipped: 0; Error: 0; Partitions Passed: ${SPLITS}; Partitions Failed: 0`
      expect(run).toMatchObject({ type: 'MIGRATE', previous: 0n, status: 'ENDED', info })
      expect(String(run.runId)).toBe(ran.events[0]?.runId)
      expect(run.ended).toBeGreaterThanOrEqual(run.started)
      const ranges = await track.store.ranges('customer', run.runId)
      expect(tokens(ranges)).toEqual(tokens(splitTokens(LOW, HIGH, SPLITS)))
      for (const { status, started: begun, info: text } of ranges) {
        expect(status).toBe('PASS')
        expect(begun).toBeGreaterThanOrEqual(run.started - 1000)
        expect(text).toMatch(
          /^Read: (\d+); Write: \1; Skipped: 0; Error: 0; Partitions Passed: 1; Partitions Failed: 0$/,
        )
      }
      const ks = `"${track.schema}"`
      const all = await track.ask(`SELECT * FROM ${ks}.cdm_run_info
WHERE table_name = 'customer'
ORDER BY run_id DESC;`)
      expect(all.map(({ status }) => status)).toEqual(['ENDED'])
      const details = await track.ask(`SELECT * FROM ${ks}.cdm_run_details
WHERE table_name = 'customer' AND run_id = ${run.runId}
ORDER BY token_min;`)
      expect(details.length).toBe(SPLITS)
      if (system === 'postgresql') {
        const failed = await track.ask(`SELECT token_min, token_max, status, run_info
FROM ${ks}.cdm_run_details
WHERE table_name = 'customer'
  AND run_id = ${run.runId}
  AND status IN ('FAIL', 'NOT_STARTED', 'STARTED')
ORDER BY token_min;`)
        expect(failed).toEqual([])
      }
      // Nothing is left to do, so no run is recorded.
      const again = await perform(copy(track, { track: { previous: String(run.runId) } }))
      expect([again.finished.exitCode, started(again)], failures(again)).toEqual([0, 0])
      expect((await track.store.runs('customer')).length).toBe(1)
      const plain = await perform(copy(track))
      const said = plain.events.find(({ type }) => type === 'run.tracked')
      expect(said).toMatchObject({ pending: '0', ranges: '0' })
      expect(said).not.toHaveProperty('cdmRun')
      expect((await track.store.runs('customer')).length).toBe(1)
      const taken = await perform(copy(track, { track: { runId: String(run.runId) } }))
      expect(taken.finished.error).toMatchObject({
        code: 'BAD_FLAG',
        message: `Run id ${run.runId} already exists for table customer`,
      })
    })

    test('the ranges that another tool has left are copied, and no others', { timeout: 60_000 }, async ({ skip }) => {
      await using track = await open(skip)
      const { store } = track
      const [a, b, c, d, e] = splitTokens(LOW, HIGH, 5)
      if (!a || !b || !c || !d || !e) throw new Error('five parts')
      const now = Date.now()
      const theirs = { table: 'customer', runId: 77n, type: 'MIGRATE', previous: 0n, started: now } as const
      await store.prepare()
      await store.putRun({ ...theirs, ended: null, info: null, status: 'STARTED' })
      await store.putRanges('customer', 77n, [
        { ...a, status: 'PASS', info: null, started: now },
        { ...b, status: 'FAIL', info: null, started: now },
        { ...c, status: 'STARTED', info: null, started: now },
        { ...d, status: 'NOT_STARTED', info: null, started: null },
        { ...e, status: 'PASS', info: null, started: now },
      ])
      const ran = await perform(copy(track, { track: { autoRerun: true, runId: '88' } }))
      expect(ran.finished, failures(ran)).toMatchObject({ exitCode: 0 })
      const [run] = await store.runs('customer')
      expect(run).toMatchObject({ runId: 88n, previous: 77n, status: 'ENDED' })
      expect(tokens(await store.ranges('customer', 88n))).toEqual(tokens([b, c, d]))
      expect((await store.ranges('customer', 77n)).map(({ status }) => status)).toEqual(
        'PASS FAIL STARTED NOT_STARTED PASS'.split(' '),
      )
      const [counted] = await source.rows(
        `SELECT COUNT(*) FROM customer WHERE token(id) >= ${b.low} AND token(id) <= ${d.high}`,
      )
      expect(ran.finished.totals['read']).toBe(String(counted?.values()[0]))
    })

    test('the records of a killed run are corrected by the next run', { timeout: 60_000 }, async ({ skip }) => {
      await using track = await open(skip)
      const { store } = track
      const interrupter = new Interrupter()
      let done = 0
      const stopped = await perform(copy(track, { workers: 1 }), {
        interrupt: interrupter,
        onEvent: (event) => {
          if (event.type === 'chunk.done' && ++done === 3) interrupter.requestStop()
        },
      })
      expect(stopped.finished.status).toBe('stopped')
      const [first] = await store.runs('customer')
      if (first === undefined) throw new Error('no run')
      expect(first).toMatchObject({ status: 'STARTED', ended: null })
      const ranges = await store.ranges('customer', first.runId)
      const passed = ranges.filter(({ status }) => status === 'PASS')
      expect(passed.length).toBeGreaterThanOrEqual(3)
      expect(passed.length).toBeLessThan(SPLITS)
      // As after a kill: the program could not record that it was done.
      await store.putRanges(
        'customer',
        first.runId,
        passed.slice(0, 2).map((range) => ({ ...range, status: 'STARTED' })),
      )
      const second = await perform(copy(track))
      expect(second.finished, failures(second)).toMatchObject({ exitCode: 0 })
      const [run] = await store.runs('customer')
      expect(run).toMatchObject({ previous: first.runId, status: 'ENDED' })
      const left = await store.ranges('customer', run?.runId ?? 0n)
      expect(left.length).toBe(SPLITS - passed.length)
      expect(left.every(({ status }) => status === 'PASS')).toBe(true)
      expect((await store.runs('customer')).find(({ runId }) => runId === first.runId)).toMatchObject({
        status: 'ENDED',
        info: expect.stringMatching(`; Partitions Passed: ${passed.length}; Partitions Failed: 0$`) as string,
      })
      const settled = await store.ranges('customer', first.runId)
      expect(settled.filter(({ status }) => status === 'PASS').length).toBeGreaterThanOrEqual(passed.length)
    })

    test('after kill -9 the next run completes the first one', { timeout: 90_000 }, async ({ skip }) => {
      await using track = await open(skip)
      const { store } = track
      const child = startCopy(copy(track, { workers: 1, ring: { splits: 64 } }))
      for (let i = 0; i < 3; i++) await child.until('chunk.done')
      child.process.kill('SIGKILL')
      expect((await child.ended).signal).toBe('SIGKILL')
      const [first] = await store.runs('customer')
      expect(first).toMatchObject({ status: 'STARTED', ended: null })
      const second = await perform(copy(track, { ring: { splits: 64 } }))
      expect(second.finished, failures(second)).toMatchObject({ exitCode: 0 })
      const [run] = await store.runs('customer')
      expect(run).toMatchObject({ previous: first?.runId, status: 'ENDED' })
      const before = await store.ranges('customer', first?.runId ?? 0n)
      const after = await store.ranges('customer', run?.runId ?? 0n)
      const ended = (await store.runs('customer')).find(({ runId }) => runId === first?.runId)
      expect(ended?.ended).toBeGreaterThanOrEqual(ended?.started ?? 0)
      const reported = before.filter(({ status }) => status === 'PASS')
      expect(ended).toMatchObject({
        status: 'ENDED',
        info: expect.stringMatching(
          `^Read: ([0-9]+); Write: \\1; .*Passed: ${reported.length}; Partitions Failed: 0$`,
        ) as string,
      })
      // Together the ranges that passed cover the ring, each token once.
      const passed = [...before, ...after].filter(({ status }) => status === 'PASS')
      expect(tokens(passed.toSorted((a, b) => (a.low < b.low ? -1 : 1)))).toEqual(tokens(splitTokens(LOW, HIGH, 64)))
      const [{ count } = { count: null }] = await track.ask(
        `SELECT COUNT(*) AS "count" FROM "${track.schema}".customer`,
      )
      expect(String(count)).toBe(String(ROWS))
    })

    test(
      'runs that were killed one after the other have their own separate ranges',
      { timeout: 90_000 },
      async ({ skip }) => {
        await using track = await open(skip)
        const { store } = track
        const killed = async (more: Partial<CopyOperation>): Promise<void> => {
          const child = startCopy(copy(track, { workers: 1, ring: { splits: 64 }, ...more }))
          for (let i = 0; i < 3; i++) await child.until('chunk.done')
          child.process.kill('SIGKILL')
          await child.ended
        }
        await killed({ track: { runId: '77' } })
        await killed({})
        const { track: _tracked, ...untracked } = copy(track, { ring: { splits: 64 }, workers: 1 })
        const interrupter = new Interrupter()
        let done = 0
        await perform(untracked, {
          interrupt: interrupter,
          onEvent: (event) => {
            if (event.type === 'chunk.done' && ++done === 3) interrupter.requestStop()
          },
        })
        const last = await perform(copy(track, { ring: { splits: 64 } }))
        expect(last.finished, failures(last)).toMatchObject({ exitCode: 0 })
        const runs = await store.runs('customer')
        expect(runs.map(({ status }) => status)).toEqual(['ENDED', 'ENDED', 'ENDED'])
        const passed: string[] = []
        for (const { runId, info } of runs) {
          const own = (await store.ranges('customer', runId)).filter(({ status }) => status === 'PASS')
          expect(info).toContain(`Partitions Passed: ${own.length};`)
          passed.push(...tokens(own))
        }
        // No range passed twice, and those of the untracked run belong to no tracked run.
        expect(new Set(passed).size).toBe(passed.length)
        expect(passed.length).toBeLessThanOrEqual(64 - 3)
        expect(passed.length).toBeGreaterThanOrEqual(64 - 3 - 4)
      },
    )

    test('a range that loses a row does not pass', { timeout: 60_000 }, async ({ skip }) => {
      skip(system === 'cassandra', 'Cassandra refuses no row of these')
      await using track = await open(skip)
      await track.place?.sql('ALTER TABLE ks.customer ADD CHECK (id <> 7)')
      const ran = await perform(copy(track))
      expect(ran.finished.error?.code).toBe('ROWS_ASIDE')
      const [run] = await track.store.runs('customer')
      expect(run?.status).toBe('ENDED')
      expect(run?.info).toBe(
        `Read: ${ROWS}; Write: ${ROWS - 1}; Skipped: 0; Error: 1; Partitions Passed: ${SPLITS - 1}; Partitions Failed: 1`,
      )
      await track.place?.sql('ALTER TABLE ks.customer DROP CONSTRAINT customer_id_check')
      const again = await perform(copy(track, { track: { previous: String(run?.runId) } }))
      expect(again.finished, failures(again)).toMatchObject({
        exitCode: 0,
        totals: { quarantined: '0' },
      })
      // Only the failed range: the row that an earlier attempt quarantined counts once.
      expect(again.finished.totals['written']).toBe(again.finished.totals['read'])
      expect(started(again)).toBe(1)
      const [sums] = await track.ask('SELECT sum(records_processed) AS "rows" FROM migration_checkpoints')
      expect(sums).toEqual({ rows: ROWS })
      expect((await track.place?.rows('SELECT count(*) FROM ks.customer'))?.[0]?.[0]).toBe(String(ROWS))
    })

    test('an unknown previous run is reported, and a new run starts', { timeout: 60_000 }, async ({ skip }) => {
      await using track = await open(skip)
      const ran = await perform(copy(track, { track: { previous: '5' }, cdmLines: true }))
      expect(ran.finished.exitCode).toBe(0)
      expect(messages(ran)).toContain('Run NOT FOUND/NOT STARTED for Previous RunId: 5, starting new run!')
      expect(await track.store.runs('customer')).toMatchObject([{ previous: 0n, status: 'ENDED' }])
      expect(ran.events.find(({ type }) => type === 'run.counted')).toMatchObject({
        counters: { Read: String(ROWS), Write: String(ROWS), 'Partitions Passed': String(SPLITS) },
      })
    })
  })

  test('tables without a ring, and targets without the tables, are refused', { timeout: 60_000 }, async () => {
    const place = await makePlace('sqlite', folder)
    const ran = await perform(copyBetween(source.url, place.url, ['customer'], { track: {} }))
    expect(ran.finished.error?.code).toBe('UNSUPPORTED_URL')
    await place.sql('CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT')
    await using target = await newKeyspace()
    const other = await perform(copyBetween(place.url, target.url, ['t'], { track: {} }))
    expect(other.finished.error?.code).toBe('NO_RING')
  })

  const shapes: readonly (readonly [what: string, declared: string])[] = [
    ['other columns', 'cdm_run_info (id int PRIMARY KEY, name text)'],
    [
      'a column of another type',
      `cdm_run_info (table_name text, run_id text, run_type text, prev_run_id bigint, start_time timestamp, end_time timestamp,
        run_info text, status text, PRIMARY KEY (table_name, run_id))`,
    ],
    [
      'another key',
      `cdm_run_details (table_name text, run_id bigint, start_time timestamp, token_min bigint, token_max bigint, status text,
        run_info text, PRIMARY KEY (table_name, run_id, token_min))`,
    ],
  ]

  test.each(shapes)(
    'Cassandra: a table of the same name with %s is refused by name',
    { timeout: 60_000 },
    async (_, declared) => {
      await using track = await cassandra()
      await track.keyspace?.cql(`CREATE TABLE ${declared}`)
      const ran = await perform(copy(track))
      const name = declared.split(' ', 1)[0] ?? ''
      expect(ran.finished.error, failures(ran)).toMatchObject({
        code: 'TABLE_REFUSED',
        message: expect.stringContaining(name) as string,
      })
      const other = name === 'cdm_run_info' ? 'cdm_run_details' : 'cdm_run_info'
      expect(await track.keyspace?.link.client.metadata.getTable(track.schema, other)).toBeNull()
    },
  )

  describe('PostgreSQL', () => {
    const INFO = `ks.cdm_run_info (table_name text, run_id bigint, run_type text, prev_run_id bigint, start_time timestamp,
      end_time timestamp, run_info text, status text, PRIMARY KEY (table_name, run_id))`

    test.for(['a table', 'a trigger'])(
      '%s of an untrusted role is refused, and its code does not run',
      { timeout: 60_000 },
      async (what, { skip }) => {
        skip(noPostgres !== '', noPostgres)
        await using track = await postgres()
        const place = track.place as Place
        const role = `stranger_${randomUUID().slice(0, 8)}`
        await place.sql(
          `CREATE ROLE ${role}`,
          `GRANT ALL ON SCHEMA ks TO ${role}`,
          'CREATE TABLE public.calls (who text)',
          'GRANT INSERT ON public.calls TO PUBLIC',
          `CREATE FUNCTION ks.noted() RETURNS trigger LANGUAGE plpgsql AS
            $f$ BEGIN INSERT INTO public.calls VALUES (current_user); RETURN NEW; END $f$`,
          `ALTER FUNCTION ks.noted() OWNER TO ${role}`,
          `CREATE TABLE ${INFO}`,
          'CREATE TRIGGER noted BEFORE INSERT ON ks.cdm_run_info FOR EACH ROW EXECUTE FUNCTION ks.noted()',
          ...(what === 'a table' ? [`ALTER TABLE ks.cdm_run_info OWNER TO ${role}`] : []),
        )
        try {
          const ran = await perform(copy(track))
          expect(await place.rows('SELECT who FROM public.calls')).toEqual([])
          expect(ran.finished.error, failures(ran)).toMatchObject({
            code: 'TABLE_REFUSED',
            message: expect.stringContaining('ks.cdm_run_info') as string,
          })
          expect(await place.rows(`SELECT FROM pg_class WHERE relname = 'cdm_run_details'`)).toEqual([])
        } finally {
          await place.sql(`DROP OWNED BY ${role} CASCADE`, `DROP ROLE ${role}`)
        }
      },
    )

    test('a table of the same name with other columns is refused by name', { timeout: 60_000 }, async ({ skip }) => {
      skip(noPostgres !== '', noPostgres)
      await using track = await postgres()
      await track.place?.sql('CREATE TABLE ks.cdm_run_info (id integer PRIMARY KEY)')
      const ran = await perform(copy(track))
      expect(ran.finished.error, failures(ran)).toMatchObject({
        code: 'TABLE_REFUSED',
        message: expect.stringContaining('cdm_run_info') as string,
      })
    })
  })
})
