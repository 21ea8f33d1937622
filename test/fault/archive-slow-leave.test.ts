/**
 * A statement that never ends blocks the detach of a partition; the detach is begun, and the next program completes it,
 * whatever was killed meanwhile.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, countedBy, makeBookings, type Archived } from '../support/archive-places.ts'
import { perform, placeOn } from '../support/copy-systems.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { startArchiver } from './archive-kit.ts'

const LABEL = '2020-Q1'

describe.skipIf(!POSTGRES_OWN)('a detach next to long statements (needs a server of its own)', () => {
  let folder = ''
  let server: PostgresServer
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-slow-leave-'))
    server = await startPostgres()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  const fresh = async (form: 'native' | 'divided' = 'native'): Promise<Archived> =>
    makeBookings(await placeOn('postgresql', server.url('postgres')), form, mkdtempSync(join(folder, 'to-')), 60)
  const runOf = (archived: Archived, more: object = {}): Operation =>
    Object.assign({}, commandsOf(archived).run, {
      olderThan: undefined,
      partitions: [LABEL],
      budgetMs: 1500,
      patienceMs: 50,
      ...more,
    })
  /** With a longer retry limit, once no statement blocks it, also on a slow machine. */
  const patientRunOf = (archived: Archived): Operation => runOf(archived, { budgetMs: 60_000, patienceMs: 100 })
  const restoreOf = (archived: Archived): Operation =>
    Object.assign({}, commandsOf(archived).restore, { partitions: [LABEL] })
  const standing = async ({ place }: Archived): Promise<string> => {
    const [[state, leaving] = []] = await place.rows(
      `SELECT state, coalesce(leaving, 0) FROM migration_archive_partitions WHERE partition_name = '${LABEL}'`,
    )
    const [[pending] = []] = await place.rows(
      "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass('bookings_0')",
    )
    return `${state} ${leaving} ${pending === undefined ? 'out' : String(pending).startsWith('t') ? 'pending' : 'in'}`
  }
  const countOf = async ({ place }: Archived): Promise<string | undefined> =>
    (await place.rows('SELECT count(*), sum(id) FROM bookings'))[0]?.join(' ')

  test.each(['native', 'divided'] as const)(
    'the partition is marked, no session waits, and the same command completes the detach: %s',
    { timeout: 120_000 },
    async (form) => {
      const archived = await fresh(form)
      const wanted = await countOf(archived)
      const long = await reader(archived)
      await using writing = await writer(archived)
      const first = await perform(runOf(archived))
      expect(first.finished.error).toMatchObject({ code: 'TARGET_BUSY' })
      expect(await standing(archived)).toBe('PUBLISHED 1 pending')
      // The table no longer shows the rows of the partition, but `sluice query` does.
      expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
      const planned = await perform(runOf(archived, { dryRun: true }))
      expect(planned.events).toContainEqual(
        expect.objectContaining({ type: 'archive.planned', partition: LABEL, status: 'resume', state: 'PUBLISHED' }),
      )
      expect((await perform(commandsOf(archived).verify)).finished).toMatchObject({ exitCode: 0 })
      await long.end()
      const { finished } = await perform(patientRunOf(archived))
      expect(finished.error).toBeUndefined()
      expect(finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
      expect(await standing(archived)).toBe('DETACHED 0 out')
      expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
      // A writer gives up after five times the lock timeout: none did.
      expect(await writing.stop()).toEqual([])
      expect((await perform(restoreOf(archived))).finished).toMatchObject({ exitCode: 0 })
      expect(await countOf(archived)).toBe(wanted)
    },
  )

  test('a restore of a marked partition attaches it again', { timeout: 120_000 }, async () => {
    const archived = await fresh()
    const wanted = await countOf(archived)
    const long = await reader(archived)
    await perform(runOf(archived))
    expect(await standing(archived)).toBe('PUBLISHED 1 pending')
    await long.end()
    expect((await perform(restoreOf(archived))).finished).toMatchObject({ exitCode: 0 })
    expect(await standing(archived)).toBe('RESTORED 0 in')
    expect(await countOf(archived)).toBe(wanted)
    expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
  })

  test.each([
    ['CONCURRENTLY', 'before', 'PUBLISHED 1 in'],
    ['CONCURRENTLY', 'during', 'PUBLISHED 1 pending'],
  ] as const)('no row is lost if the program is killed at %s, %s', { timeout: 120_000 }, async (at, when, stands) => {
    const archived = await fresh()
    const wanted = await countOf(archived)
    const long = await reader(archived)
    const { signal } = await startArchiver(runOf(archived), { at, when }).ended
    expect(signal).toBe('SIGKILL')
    if (when !== 'during') expect(await standing(archived)).toBe(stands)
    expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
    await long.end()
    const { finished } = await perform(patientRunOf(archived))
    expect(finished.error).toBeUndefined()
    expect(finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    expect(await standing(archived)).toBe('DETACHED 0 out')
    expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
  })

  test.each([
    ['FINALIZE', 'before'],
    ['FINALIZE', 'after'],
    ['COMMIT state DETACHING', 'before'],
    ['COMMIT state DETACHING', 'after'],
  ] as const)('a kill while the detach completes loses no row: %s, %s', { timeout: 120_000 }, async (at, when) => {
    const archived = await fresh()
    const wanted = await countOf(archived)
    const long = await reader(archived)
    await perform(runOf(archived))
    expect(await standing(archived)).toBe('PUBLISHED 1 pending')
    await long.end()
    const { signal } = await startArchiver(runOf(archived), { at, when }).ended
    expect(signal).toBe('SIGKILL')
    expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
    const { finished } = await perform(patientRunOf(archived))
    expect(finished.error).toBeUndefined()
    expect(finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
  })

  test('rows count in the detached table if the detach was completed by hand', { timeout: 120_000 }, async () => {
    const archived = await fresh()
    const wanted = await countOf(archived)
    const long = await reader(archived)
    await perform(runOf(archived))
    await long.end()
    await archived.place.sql('ALTER TABLE bookings DETACH PARTITION bookings_0 FINALIZE')
    expect(await standing(archived)).toBe('PUBLISHED 1 out')
    expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
    const { finished } = await perform(patientRunOf(archived))
    expect(finished.error).toBeUndefined()
    expect(finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
  })

  test('the server is killed while the partition is marked', { timeout: 120_000 }, async () => {
    const archived = await fresh()
    const wanted = await countOf(archived)
    const long = await reader(archived)
    await perform(runOf(archived))
    expect(await standing(archived)).toBe('PUBLISHED 1 pending')
    await server.kill9()
    await server.restart()
    await long.end()
    expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
    const { finished } = await perform(patientRunOf(archived))
    expect(finished.error).toBeUndefined()
    expect(finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    expect((await countedBy(commandsOf(archived).query)).counted).toBe(wanted)
  })

  test('a table with a default partition keeps it, and the reason is reported', { timeout: 120_000 }, async () => {
    const archived = await fresh()
    await archived.place.sql('CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT')
    const long = await reader(archived)
    const { finished } = await perform(runOf(archived))
    expect(finished.error).toMatchObject({ code: 'TARGET_BUSY', reason: expect.stringContaining('default partition') })
    expect(await standing(archived)).toBe('PUBLISHED 0 in')
    await long.end()
  })
})

/** A transaction that has read the table, and stays open. */
async function reader({ place }: Archived): Promise<{ end(): Promise<void> }> {
  const client = new pg.Client({ connectionString: place.url })
  client.on('error', () => undefined)
  await client.connect()
  await client.query('BEGIN')
  await client.query('SELECT count(*) FROM bookings')
  return { end: () => client.end().catch(() => undefined) }
}

/** Writes to the table without a pause. @returns errors of its statements */
async function writer({ place }: Archived): Promise<AsyncDisposable & { stop(): Promise<readonly string[]> }> {
  const client = new pg.Client({ connectionString: place.url })
  await client.connect()
  await client.query('SET lock_timeout = 250')
  const failed: string[] = []
  let isOver = false
  const work = (async () => {
    while (!isOver) {
      await client
        .query("UPDATE bookings SET note = 'written' WHERE at = '2090-01-01'")
        .catch((error: unknown) => failed.push(String(error)))
    }
  })()
  const stop = async (): Promise<readonly string[]> => {
    isOver = true
    await work
    return failed
  }
  return {
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
      await client.end()
    },
  }
}
