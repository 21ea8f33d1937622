/**
 * An erasure is killed at any of its steps: the same command then completes it, and the erased rows are found nowhere.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, TABLE, type Archived } from '../support/archive-places.ts'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { placesOf } from '../support/erased-places.ts'
import { startArchiver, type ArchiverOptions } from './archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const SECRET = 'Ada Lovelace'
const WHEN = ['before', 'after', 'during'] as const

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-erase-kill-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Steps by name; three are tested per day, in rotation. */
const POINTS: readonly ArchiverOptions[] = [
  { at: 'INSERT INTO migration_archive_erasures', when: 'after' },
  { at: 'parquet', when: 'during' },
  { at: 'link ', when: 'before' },
  { at: 'link ', when: 'after' },
  { at: 'COMMIT state', when: 'before' },
  { at: 'COMMIT state', when: 'after' },
  { at: 'DELETE FROM', when: 'after' },
  { at: 'checkpoint', when: 'after' },
  { at: 'UPDATE migration_archive_erasures', when: 'after' },
  { at: 'unlink ', when: 'before' },
  { at: 'unlink ', when: 'after' },
  { at: 'UPDATE migration_archive_history', when: 'after' },
]
const DAY = Math.floor(Date.now() / 86_400_000)

describe.each([
  ['postgresql', 'native'],
  ['sqlite', 'plain'],
] as const)('%s, %s', (system, form) => {
  /** One quarter is published, the other one is detached. */
  const fresh = async (): Promise<{ readonly bookings: Archived; readonly erase: Operation }> => {
    const bookings = await makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), 40)
    const { place } = bookings
    await place.sql(`UPDATE ${TABLE} SET note = '${SECRET}' WHERE id IN (7, 100007, 200007)`)
    const { run } = commandsOf(bookings)
    const published = { ...run, detach: false } as Operation
    expect((await perform(published)).finished).toMatchObject({ exitCode: 0 })
    const detached = { ...run, partitions: ['2020-Q1'] } as Operation
    expect((await perform(detached)).finished).toMatchObject({ exitCode: 0 })
    const erase: Operation = {
      kind: 'archive-erase',
      from: place.url,
      table: TABLE,
      where: `note = '${SECRET}'`,
      reason: 'TICKET-4711',
      confirm: TABLE,
      dryRun: false,
    }
    return { bookings, erase }
  }

  const survives = async (point: ArchiverOptions): Promise<void> => {
    const { bookings, erase } = await fresh()
    const where = JSON.stringify(point)
    const { signal, finished } = await startArchiver(erase, point).ended
    if (signal !== 'SIGKILL') expect(finished, where).toMatchObject({ exitCode: 0 })
    const again = await perform(erase)
    expect(again.finished.error ?? null, where).toBeNull()
    expect(await placesOf(SECRET, bookings.archive, bookings.place), where).toEqual([])
    const { place } = bookings
    expect(String((await place.rows(`SELECT count(*) FROM ${TABLE} WHERE note = '${SECRET}'`))[0]?.[0]), where).toBe(
      '0',
    )
    const { query, verify, run, drop, restore } = commandsOf(bookings)
    expect((await countedBy(query)).counted, where).toMatch(/^117 /)
    expect((await perform({ ...verify, deep: true } as Operation)).finished, where).toMatchObject({ exitCode: 0 })
    const sums = 'SELECT SUM(archived_rows), SUM(source_rows) FROM migration_archive_erased'
    expect((await place.rows(sums))[0]?.map(String), where).toEqual(['2', '3'])
    for (const one of [run, drop, restore]) expect((await perform(one)).finished, where).toMatchObject({ exitCode: 0 })
    expect(String((await place.rows(`SELECT count(*) FROM ${TABLE}`))[0]?.[0]), where).toBe('117')
  }

  test('an erasure that is killed once is completed by the same command', { timeout: 120_000 }, async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    for (const by of [0, 4, 8]) await survives(POINTS[(DAY + by) % POINTS.length] ?? {})
  })

  test('a killed erasure leaves no temporary file after the next run', { timeout: 120_000 }, async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const { erase } = await fresh()
    const env = { TMPDIR: mkdtempSync(join(folder, 'tmp-')) }
    const { signal } = await startArchiver(erase, { at: 'checkpoint.parquet.unfinished', when: 'before', env }).ended
    expect(signal).toBe('SIGKILL')
    expect((await startArchiver(erase, { env }).ended).finished).toMatchObject({ exitCode: 0 })
    const left = readdirSync(env.TMPDIR).filter((name) => !/^sluice-\d+$/.test(name))
    expect(left).toEqual([])
  })

  test.skipIf(!ALL)(
    'an erasure that is killed at every step is completed by the same command',
    { timeout: 3_600_000 },
    async (context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      for (const point of POINTS) await survives(point)
      const { erase } = await fresh()
      const { steps, finished } = await startArchiver(erase).ended
      expect(finished).toMatchObject({ exitCode: 0 })
      for (let step = 1; step <= steps.length; step++) await survives({ step, when: WHEN[step % 3] ?? 'before' })
    },
  )
})
