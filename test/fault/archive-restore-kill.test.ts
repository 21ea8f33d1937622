/** A restore that brings missing rows back beside late ones is killed: the archive goes on answering, and the same command ends it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, TABLE, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { startArchiver } from './archive-kit.ts'
import type { Operation } from '../../src/engine/operations/list.ts'

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
    const named = "SELECT relname FROM pg_class WHERE relname LIKE 'bookings_0_%' AND relkind = 'r'"
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
