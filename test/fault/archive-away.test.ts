/**
 * A partition whose rows change between export and detach is exported again from its detached table: if the program is
 * killed at any step, no row is lost or counted twice.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import {
  commandsOf,
  countedBy,
  countOf,
  makeBookings,
  observe,
  TABLE,
  type Archived,
} from '../support/archive-places.ts'
import type { Observer } from '../support/archive-observer.ts'
import { ALL } from '../support/backend.ts'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { makePlace, perform } from '../support/copy-systems.ts'
import { startArchiver, untilStill, type ArchiverOptions } from './archive-kit.ts'

const LABEL = '2020-Q1'
const DAY = Math.floor(Date.now() / 86_400_000)
/** Steps after which a run is killed before the partition is restored. */
const AGAIN = ['COMMIT state DETACHING', 'COMMIT state PLANNED', 'COMMIT state EXPORTED', 'COMMIT state PUBLISHED']

describe.skipIf(!POSTGRES_OWN)('a detached partition with changed rows', () => {
  let folder = ''
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-archive-away-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const fresh = async (): Promise<Archived> =>
    makeBookings(await makePlace('postgresql', folder), 'native', mkdtempSync(join(folder, 'to-')), 60)
  const runOf = (archived: Archived): Operation =>
    Object.assign({}, commandsOf(archived).run, { olderThan: undefined, partitions: [LABEL] })

  /** Rows are correct as observed from outside, and as `sluice query` returns them. */
  async function isSound(archived: Archived, observer: Observer, where: string): Promise<void> {
    expect((await observer.look()).problems, where).toEqual([])
    expect((await countedBy(commandsOf(archived).query)).counted, where).toBe(countOf(observer.expected))
  }

  /** Detaches the partition and then changes its table, so that the detached rows differ from the exported ones. */
  async function changed(archived: Archived, observer: Observer): Promise<void> {
    const { place } = archived
    const change = (table: string): Promise<void> =>
      place.sql(
        `UPDATE ${table} SET note = 'changed' WHERE id = 3`,
        `INSERT INTO ${table} VALUES (90, '2020-01-09', 'late', 1)`,
      )
    // The expected rows are read from the table itself, before the change is taken back.
    const [[note] = []] = await place.rows('SELECT note FROM bookings WHERE id = 3')
    const before = observer.expected
    await change('bookings')
    await observer.expectThis()
    const after = observer.expected
    await place.sql(`UPDATE bookings SET note = '${note}' WHERE id = 3`, 'DELETE FROM bookings WHERE id = 90')
    observer.expected = before
    for (const [when, reached] of [
      ['before', 'PUBLISHED'],
      ['after', 'DETACHING'],
    ] as const) {
      const { signal } = await startArchiver(runOf(archived), { at: 'COMMIT state DETACHING', when }).ended
      expect(signal).toBe('SIGKILL')
      await isSound(archived, observer, `${when} DETACHING`)
      const state = `SELECT state FROM migration_archive_partitions WHERE partition_name = '${LABEL}'`
      expect(await place.rows(state)).toEqual([[reached]])
    }
    const [[table] = []] = await place.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'sluice_archived'")
    await change(`sluice_archived."${table}"`)
    observer.expected = after
    await isSound(archived, observer, 'changed')
  }

  const POINTS: readonly Required<Pick<ArchiverOptions, 'at' | 'when'>>[] = [
    { at: 'COMMIT state PLANNED', when: 'before' },
    { at: 'COMMIT state PLANNED', when: 'after' },
    { at: 'COMMIT state EXPORTING', when: 'after' },
    { at: 'parquet', when: 'during' },
    { at: 'COMMIT state EXPORTED', when: 'after' },
    { at: 'COMMIT state VERIFIED', when: 'after' },
    { at: 'link ', when: 'after' },
    { at: 'COMMIT state PUBLISHED', when: 'before' },
    { at: 'COMMIT state PUBLISHED', when: 'after' },
    { at: 'COMMIT state DETACHED', when: 'before' },
    { at: 'COMMIT state DETACHED', when: 'after' },
  ]

  test('no row is lost if the run is killed at each of its steps', { timeout: 120_000 }, async () => {
    const archived = await fresh()
    await using observer = await observe(archived)
    await changed(archived, observer)
    const seen: string[] = []
    for (const point of POINTS) {
      const { signal, finished } = await startArchiver(runOf(archived), point).ended
      expect([signal, finished], JSON.stringify(point)).toEqual(['SIGKILL', undefined])
      await isSound(archived, observer, JSON.stringify(point))
      const [[state, away] = []] = await archived.place.rows(
        `SELECT state, away FROM migration_archive_partitions WHERE partition_name = '${LABEL}'`,
      )
      seen.push(`${state} ${away ?? ''}`.trim())
    }
    expect(seen).toEqual([
      'DETACHING 1',
      'PLANNED 1',
      'EXPORTING 1',
      'EXPORTING 1',
      'EXPORTED 1',
      'VERIFIED 1',
      'VERIFIED 1',
      'VERIFIED 1',
      'PUBLISHED 1',
      'DETACHING 1',
      'DETACHED 0',
    ])
    expect((await perform(runOf(archived))).finished).toMatchObject({ exitCode: 0 })
    const { verify, sweep } = commandsOf(archived)
    expect((await perform({ ...verify, deep: true } as Operation)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(sweep)).finished).toMatchObject({ exitCode: 0 })
    await isSound(archived, observer, 'at the end')
  })

  test(
    'rows that are deleted while a run works on the partition are not in the archive',
    { timeout: 60_000 },
    async () => {
      const archived = await fresh()
      await using observer = await observe(archived)
      const archiver = startArchiver(runOf(archived), { at: 'link ', when: 'frozen' })
      await untilStill(archiver)
      await archived.place.sql('DELETE FROM bookings WHERE id = 4')
      await observer.expectThis()
      archiver.process.kill('SIGCONT')
      expect((await archiver.ended).finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
      await isSound(archived, observer, 'at the end')
    },
  )

  test.each(AGAIN.filter((_, i) => ALL || i === DAY % AGAIN.length))(
    'it is restored unchanged after a run was killed after %s',
    { timeout: 60_000 },
    async (at) => {
      const archived = await fresh()
      await using observer = await observe(archived)
      await changed(archived, observer)
      // The changed partition is DETACHING.
      for (const point of at.endsWith('DETACHING') ? [] : [at]) {
        expect((await startArchiver(runOf(archived), { at: point, when: 'after' }).ended).signal).toBe('SIGKILL')
      }
      const restore = { ...commandsOf(archived).restore, partitions: [LABEL] } as Operation
      for (const when of ['before', 'after'] as const) {
        const { signal } = await startArchiver(restore, { at: 'COMMIT state RESTORED', when }).ended
        expect(signal).toBe('SIGKILL')
        await isSound(archived, observer, when)
      }
      expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
      expect(await observer.live()).toEqual(observer.expected)
      expect((await perform(runOf(archived))).finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
      await isSound(archived, observer, 'again')
    },
  )

  test.each([
    ['drop', 'COMMIT state DROPPED'],
    ['restore', 'COMMIT state RESTORED'],
  ] as const)('a %s that is frozen before %s does not keep others out', { timeout: 240_000 }, async (what, at) => {
    const archived = await fresh()
    const { place } = archived
    // To drop a table, or to attach one, also locks what its foreign keys refer to; to attach one, the default partition.
    await place.sql(
      'CREATE TABLE kinds (id bigint PRIMARY KEY)',
      'INSERT INTO kinds SELECT id FROM bookings',
      'ALTER TABLE bookings ADD FOREIGN KEY (id) REFERENCES kinds',
      'CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT',
    )
    await using observer = await observe(archived)
    expect((await perform(runOf(archived))).finished).toMatchObject({ exitCode: 0 })
    const dropOne: Operation = Object.assign(runOf(archived), { drop: true, confirm: TABLE })
    if (what === 'restore') expect((await perform(dropOne)).finished).toMatchObject({ exitCode: 0 })
    const operation =
      what === 'drop' ? dropOne : ({ ...commandsOf(archived).restore, partitions: [LABEL] } as Operation)
    const archiver = startArchiver(operation, { at, when: 'frozen' })
    await untilStill(archiver)
    await place.sql(
      "SET lock_timeout = '20s'",
      'INSERT INTO kinds VALUES (900)',
      "INSERT INTO bookings VALUES (900, '2150-01-01', 'new', 1)",
      "DELETE FROM bookings WHERE at = '2150-01-01'",
    )
    await isSound(archived, observer, 'frozen')
    archiver.process.kill('SIGCONT')
    // A restore ends without its session, and the same command continues it.
    await archiver.ended
    expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
    await isSound(archived, observer, 'at the end')
  })
})
