/** A restore that brings missing rows back beside late ones is killed: the archive goes on answering, and the same command ends it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, observe, TABLE, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { startArchiver } from './archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-restore-kill-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PLACES: readonly (readonly [System, Form])[] = [
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
]
const WITHOUT = new Map(await Promise.all(PLACES.map(async ([system]) => [system, await missing(system)] as const)))

describe.each(PLACES)('%s, %s', (system, form) => {
  const why = WITHOUT.get(system) ?? ''

  test.skipIf(why !== '')(`brings missing rows back${why}`, { timeout: 60_000 }, async () => {
    const place = await makePlace(system, folder)
    const commands = commandsOf(await makeBookings(place, form, mkdtempSync(join(folder, 'to-')), 100))
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    const named =
      "SELECT relname FROM pg_class WHERE relname LIKE 'bookings_0_%' AND relkind IN ('r', 'p') AND NOT relispartition"
    const table = form === 'plain' ? TABLE : `sluice_archived."${(await place.rows(named))[0]?.[0] ?? ''}"`
    await place.sql(
      `DELETE FROM ${table} WHERE id < 60`,
      `INSERT INTO ${table} VALUES (90001, '2020-02-02 00:00:00', 'late', NULL)`,
    )
    const restore = { ...commands.restore, partitions: ['2020-Q1'] } as Operation
    const counted = async (): Promise<string> => (await countedBy(commands.query)).counted.split(' ')[0] ?? ''
    // A late row of a detached table counts once that is attached again.
    const before = form === 'plain' ? '301' : '300'
    expect(await counted()).toBe(before)
    for (const point of [
      { at: 'COMMIT state DETACHED', when: 'after' },
      { at: 'COMMIT state DETACHED', when: 'before' },
      { at: 'COMMIT state RESTORED', when: 'before' },
    ] as const) {
      const { signal } = await startArchiver(restore, { ...point, rows: 40 }).ended
      expect(signal, JSON.stringify(point)).toBe('SIGKILL')
      expect(await counted(), JSON.stringify(point)).toBe(before)
    }
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await counted()).toBe('301')
    expect(await place.rows(`SELECT count(*) FROM ${TABLE} WHERE id < 100000`)).toEqual([['101']])
    expect((await perform({ ...commands.verify, deep: true } as Operation)).finished).toMatchObject({ exitCode: 0 })
  })
})

const PLAIN = PLACES.filter(([, form]) => form === 'plain').map(([system]) => system)

describe.each([...PLAIN, 'postgresql'] as const)('%s, plain', (system) => {
  const why = WITHOUT.get(system) ?? ''

  test.skipIf(why !== '')(`goes back where a key is taken meanwhile${why}`, { timeout: 120_000 }, async () => {
    const place = await makePlace(system, folder)
    const commands = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 100))
    for (const operation of [commands.run, commands.drop])
      expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
    const restore = { ...commands.restore, partitions: ['2020-Q1'] } as Operation
    const state = async (): Promise<unknown> =>
      place.rows("SELECT state, restoring FROM migration_archive_partitions WHERE partition_name = '2020-Q1'")
    const counted = async (): Promise<string> => (await countedBy(commands.query)).counted.split(' ')[0] ?? ''
    const some = { at: 'COMMIT state DETACHED', when: 'after', rows: 40 } as const
    for (const taken of [false, true]) {
      // Once its first rows are back, somebody takes a key of the others.
      expect((await startArchiver(restore, some).ended).signal).toBe('SIGKILL')
      expect((await startArchiver(restore, some).ended).signal).toBe('SIGKILL')
      expect(await counted()).toBe('300')
      if (!taken) {
        expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
        expect(await counted()).toBe('300')
        for (const operation of [{ ...commands.run, partitions: ['2020-Q1'] } as Operation, commands.drop])
          expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
        continue
      }
      await place.sql(
        `DELETE FROM ${TABLE} WHERE id = 90`,
        `INSERT INTO ${TABLE} VALUES (90, '2020-02-02 00:00:00', 'taken', NULL)`,
      )
      for (const at of ['COMMIT state DETACHED', 'COMMIT state DROPPED']) {
        const { signal } = await startArchiver(restore, { at, when: 'before', rows: 40 }).ended
        expect(signal, at).toBe('SIGKILL')
        expect(await counted(), at).toBe('300')
      }
      const refused = (await perform(restore)).finished
      expect(refused).toMatchObject({
        error: { code: 'PARTITION_CHANGED', reason: expect.stringContaining('it is DROPPED as before') as string },
      })
      expect(await state()).toEqual([['DROPPED', '0']])
      expect(await place.rows(`SELECT id FROM ${TABLE} WHERE id < 100000`)).toEqual([['90']])
      await place.sql(`DELETE FROM ${TABLE} WHERE id = 90`)
      expect(await counted()).toBe('300')
      expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
      expect(await counted()).toBe('300')
      expect(await place.rows(`SELECT count(*) FROM ${TABLE} WHERE id < 100000`)).toEqual([['100']])
    }
  })
})

test.skipIf((WITHOUT.get('postgresql') ?? '') !== '')(
  'rows on their way into a partition that stands in their place are there, or not at all',
  { timeout: 120_000 },
  async () => {
    const place = await makePlace('postgresql', folder)
    const made = await makeBookings(place, 'native', mkdtempSync(join(folder, 'to-')), 100)
    const commands = commandsOf(made)
    await using observer = await observe(made)
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform({ ...commands.drop, partitions: ['2020-Q2'] } as Operation)).finished).toMatchObject({
      exitCode: 0,
    })
    await place.sql(
      `CREATE TABLE late PARTITION OF ${TABLE} FOR VALUES FROM ('2020-01-01') TO ('2020-07-01')`,
      `INSERT INTO ${TABLE} VALUES (50001, '2020-02-02', 'late', NULL)`,
    )
    await observer.expectAlso([50_001])
    for (const point of [
      { at: 'INSERT INTO', when: 'after' },
      { at: 'DROP TABLE', when: 'after' },
      { at: 'COMMIT state RESTORED', when: 'before' },
      { at: 'COMMIT state RESTORED', when: 'after' },
    ] as const) {
      const { result, problems } = await observer.watch(startArchiver(commands.restore, point).ended)
      expect(problems, JSON.stringify(point)).toEqual([])
      expect(result.signal, JSON.stringify(point)).toBe('SIGKILL')
      expect((await observer.look()).problems, JSON.stringify(point)).toEqual([])
    }
    expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
    const { problems, states } = await observer.look()
    expect(problems).toEqual([])
    expect(states).toEqual({ '2020-Q1': 'RESTORED', '2020-Q2': 'RESTORED' })
    expect(await place.rows('SELECT count(*) FROM late')).toEqual([['201']])
  },
)
