/** Several partitions at the same time, and a limited rate. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { controlRun } from '../../src/cli/runs/ctl.ts'
import { controlSocketPath } from '../../src/engine/copy/workers/control-socket.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import type { SluiceError } from '../../src/shared/errors.ts'
import { startArchiver } from '../fault/archive-kit.ts'
import { of } from '../fault/copy-kit.ts'
import { commandsOf, countedBy, makeBookings, type Archived, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, placeOn, type System } from '../support/copy-systems.ts'
import { POSTGRES_OWN, startPostgres } from '../support/servers/postgresql.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-workers-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fresh = async (system: System, form: Form, rows = 60): Promise<Archived> =>
  makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), rows)

const withMore = (operation: Operation, more: object): Operation => Object.assign({}, operation, more)

const statesOf = async ({ place }: Archived): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    (await place.rows('SELECT partition_name, state FROM migration_archive_partitions')).map(([label, state]) => [
      String(label),
      String(state),
    ]),
  )

/** Four quarters besides the first two. */
async function sixQuarters(archived: Archived): Promise<readonly string[]> {
  const { place } = archived
  const bounds = ['2020-07-01', '2020-10-01', '2021-01-01', '2021-04-01', '2021-07-01']
  for (const [i, from] of bounds.slice(0, -1).entries()) {
    await place.sql(
      `CREATE TABLE bookings_more_${i} PARTITION OF bookings FOR VALUES FROM ('${from}') TO ('${bounds[i + 1]}')`,
      `INSERT INTO bookings SELECT ${i + 10} * 100000 + n, '${from}'::timestamp + n * interval '1 hour', 'more', 1 FROM generate_series(1, 40) n`,
    )
  }
  return ['2020-Q1', '2020-Q2', '2020-Q3', '2020-Q4', '2021-Q1', '2021-Q2']
}

const COUNT = 'SELECT count(*) AS n, sum(id) AS s FROM bookings'

test.skipIf(!POSTGRES_OWN)(
  'PostgreSQL: a partition that is read slowly occupies one worker only (needs a server of its own)',
  { timeout: 60_000 },
  async () => {
    await using server = await startPostgres()
    const place = await placeOn('postgresql', server.url('postgres'))
    const archived = await makeBookings(place, 'native', mkdtempSync(join(folder, 'to-')), 60)
    const labels = await sixQuarters(archived)
    await place.sql(
      `INSERT INTO bookings SELECT 1000 + i, '2020-02-01'::timestamp + i * interval '1 second', repeat(md5(i::text), 8), 1 FROM generate_series(1, 100000) i`,
    )
    const { run, query, verify, drop } = commandsOf(archived)
    const wanted = (await place.rows(COUNT))[0]?.join(' ')
    const work = perform(withMore(run, { workers: 2 }))
    const reading = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
      AND query ~ '^COPY' AND query ~ 'bookings_0'`
    let pid: number | undefined
    while (pid === undefined) {
      const [[found] = []] = await place.rows(reading)
      if (found == null) await sleep(2)
      else pid = Number(found)
    }
    process.kill(pid, 'SIGSTOP')
    try {
      const others = labels.slice(1)
      for (;;) {
        const states = await statesOf(archived)
        expect(states['2020-Q1']).toBe('EXPORTING')
        if (others.every((label) => states[label] === 'DETACHED')) break
        await sleep(20)
      }
      expect((await countedBy(query)).counted).toBe(wanted)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    expect((await work).finished).toMatchObject({ exitCode: 0, totals: { detached: '6', published: '6', failed: '0' } })
    expect((await countedBy(query)).counted).toBe(wanted)
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    const dropped = await perform(withMore(drop, { workers: 3 }))
    expect(dropped.finished).toMatchObject({ exitCode: 0, totals: { dropped: '6' } })
    expect((await countedBy(query)).counted).toBe(wanted)
  },
)

describe('PostgreSQL', () => {
  test('a partition that fails does not stop the others', { timeout: 60_000 }, async (context) => {
    const why = await missing('postgresql')
    context.skip(why !== '', why)
    const archived = await fresh('postgresql', 'native')
    const labels = await sixQuarters(archived)
    await archived.place.sql("UPDATE bookings_1 SET amount = 'NaN' WHERE id = 100001")
    const { finished } = await perform(withMore(commandsOf(archived).run, { workers: 3 }))
    expect(finished).toMatchObject({ exitCode: 1, totals: { detached: '5', failed: '1' } })
    const states = await statesOf(archived)
    expect(states['2020-Q2']).toBe('FAILED')
    expect(labels.filter((label) => states[label] === 'DETACHED')).toHaveLength(5)
  })

  test.each(['killed', 'restored'] as const)(
    'a partition that fails in a later run is FAILED, and is exported again: %s',
    { timeout: 60_000 },
    async (first) => {
      const why = await missing('postgresql')
      if (why !== '') return
      const archived = await fresh('postgresql', 'native')
      const { run, restore } = commandsOf(archived)
      const one = withMore(run, { partitions: ['2020-Q2'] })
      if (first === 'killed') {
        const { signal } = await startArchiver(one, { at: 'COMMIT state EXPORTING', when: 'after' }).ended
        expect(signal).toBe('SIGKILL')
      } else
        for (const operation of [one, withMore(restore, { partitions: ['2020-Q2'] })])
          expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
      await archived.place.sql("UPDATE bookings_1 SET amount = 'NaN' WHERE id = 100001")
      for (let i = 0; i < 2; i++) {
        expect((await perform(one)).finished.error).toMatchObject({ code: 'VALUE_REFUSED' })
        expect(await archived.place.rows('SELECT state, error_code FROM migration_archive_partitions')).toEqual([
          ['FAILED', 'VALUE_REFUSED'],
        ])
      }
      await archived.place.sql('UPDATE bookings_1 SET amount = 1 WHERE id = 100001')
      expect((await perform(one)).finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    },
  )

  test('after a stop request all workers stop, and the same command resumes', { timeout: 60_000 }, async (context) => {
    const why = await missing('postgresql')
    context.skip(why !== '', why)
    const archived = await fresh('postgresql', 'native')
    await sixQuarters(archived)
    const { run, query } = commandsOf(archived)
    const wanted = (await archived.place.rows(COUNT))[0]?.join(' ')
    const interrupt = new Interrupter()
    const stopped = await perform(withMore(run, { workers: 2 }), {
      interrupt,
      onEvent: (event) => {
        if (event.type === 'archive.state' && event.state === 'VERIFIED') interrupt.requestStop()
      },
    })
    expect(stopped.finished.status).toBe('stopped')
    const begun = Object.values(await statesOf(archived)).filter((state) => state !== 'PLANNED')
    expect(begun.length).toBeGreaterThan(0)
    expect(begun.length).toBeLessThanOrEqual(2)
    expect((await countedBy(query)).counted).toBe(wanted)
    const again = await perform(withMore(run, { workers: 2 }))
    expect(again.finished).toMatchObject({ exitCode: 0, totals: { detached: '6' } })
    expect((await countedBy(query)).counted).toBe(wanted)
  })

  test('all workers together keep to a rate, for rows and for checksums', { timeout: 60_000 }, async (context) => {
    const why = await missing('postgresql')
    context.skip(why !== '', why)
    const archived = await fresh('postgresql', 'native', 500)
    const rate = 20_000
    const begun = performance.now()
    const { finished } = await perform(withMore(commandsOf(archived).run, { workers: 2, rate }))
    const ms = performance.now() - begun
    expect(finished).toMatchObject({ exitCode: 0, totals: { detached: '2', rows: '1000' } })
    // The bytes of one second may be sent at once, and after the last piece there is no delay.
    const bytes = Number(finished.totals['sourceBytes'])
    expect(bytes).toBeGreaterThan(2 * rate)
    expect(ms).toBeGreaterThan(((bytes - 2 * rate) / rate) * 1000)
  })
})

test.for(['postgresql', 'sqlite'] as const)(
  '%s: the rate of a running one is changed',
  { timeout: 60_000 },
  async (system, context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const archived = await fresh(system, system === 'postgresql' ? 'native' : 'plain', 500)
    const asked: Promise<unknown>[] = []
    const set = async (runId: string, options: Readonly<Record<string, number | null>>) =>
      await controlRun(controlSocketPath(runId), { set: options })
    // At this rate it would take longer than the test may.
    const { finished, events } = await perform(withMore(commandsOf(archived).run, { rate: 1000 }), {
      onEvent: ({ type, runId }) => {
        if (type !== 'archive.planned' || runId === null || asked.length > 0) return
        asked.push(set(runId, { rate: 999 }).catch((error: unknown) => (error as SluiceError).code))
        asked.push(set(runId, { rate: 5_000_000 }))
      },
    })
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { rows: '1000' } })
    expect(await Promise.all(asked)).toMatchObject(['BAD_FLAG', { rate: 5_000_000 }])
    expect(of(events, 'run.steered')).toMatchObject([{ rate: '5000000' }])
  },
)

test.each(['sqlite', 'mysql'] as const)(
  '%s: rows of several periods leave at the same time',
  { timeout: 60_000 },
  async (system) => {
    if ((await missing(system)) !== '') return
    const archived = await fresh(system, 'plain', 150)
    const { run, drop, query, verify } = commandsOf(archived)
    const wanted = (await countedBy(withMore(query, {}))).counted
    for (const operation of [run, drop]) {
      const { finished } = await perform(withMore(operation, { workers: 2 }))
      expect(finished).toMatchObject({ exitCode: 0, totals: { partitions: '2', failed: '0' } })
      expect((await countedBy(query)).counted).toBe(wanted)
    }
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    expect(Object.values(await statesOf(archived))).toEqual(['DROPPED', 'DROPPED'])
  },
)
