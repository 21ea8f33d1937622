/**
 * A restore into another table is killed at each of its steps: the same command then restores every row once, and the
 * archive is unchanged.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, TABLE, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { startArchiver } from './archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-elsewhere-kill-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PLACES: readonly (readonly [System, Form, System])[] = [
  ['sqlite', 'plain', 'sqlite'],
  ['postgresql', 'native', 'postgresql'],
]
const WITHOUT = new Map(
  await Promise.all(
    (['sqlite', 'postgresql'] as const).map(async (system) => [system, await missing(system)] as const),
  ),
)

describe.each(PLACES)('%s, %s into %s', (system, form, other) => {
  const why = `${WITHOUT.get(system as 'sqlite') ?? ''}${WITHOUT.get(other as 'sqlite') ?? ''}`

  test.skipIf(why !== '')(
    `a restore is complete or absent if it is killed at every step${why}`,
    { timeout: 300_000 },
    async () => {
      const place = await makePlace(system, folder)
      const commands = commandsOf(await makeBookings(place, form, mkdtempSync(join(folder, 'to-')), 50))
      for (const one of [commands.run, commands.drop]) {
        expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
      }
      const target = await makePlace(other, folder)
      const restore = (into: string): Operation => ({
        kind: 'restore',
        from: place.url,
        table: TABLE,
        partitions: ['2020-Q1', '2020-Q2'],
        dryRun: false,
        intoUrl: target.url,
        into,
      })
      const states = () =>
        place.rows(
          'SELECT partition_name, state, checksum, files, delta_version FROM migration_archive_partitions ORDER BY 1',
        )
      const before = await states()
      const { steps } = await startArchiver(restore('whole')).ended
      const commits = steps.flatMap((name, i) => (name.startsWith('COMMIT') ? [i] : []))
      expect(commits.length).toBeGreaterThan(1)
      const content = (table: string) => target.rows(`SELECT * FROM ${table} ORDER BY id`)
      const wanted = await content('whole')
      expect(wanted).toHaveLength(100)
      // Some systems insert each row with its own statement: only the first statement of each kind is tested. Claims of
      // partitions are tested elsewhere.
      const isClaim = (name: string): boolean => name.includes('migration_archive_partitions SET')
      const firsts = steps.flatMap((name, i) => (steps.indexOf(name) === i && !isClaim(name) ? [i] : []))
      const points = [
        ...firsts.map((i) => ({ step: i + 1, when: 'before' as const })),
        ...commits.filter((i) => !isClaim(steps[i] ?? '')).map((i) => ({ step: i + 1, when: 'after' as const })),
      ]
      expect(commits.filter((i) => !isClaim(steps[i] ?? '')).length, steps.join('; ')).toBeGreaterThan(1)
      for (const [i, point] of points.entries()) {
        const what = `${point.when} ${steps[point.step - 1]}`
        const into = `t${i}`
        const { signal } = await startArchiver(restore(into), point).ended
        expect(signal, what).toBe('SIGKILL')
        const left = await content(into).catch(() => [])
        expect([0, 100], what).toContain(left.length)
        // On the same machine, the lease of an ended program can be taken over at once.
        const { finished } = await startArchiver(restore(into)).ended
        expect(finished, what).toMatchObject({ exitCode: 0 })
        expect(await content(into), what).toEqual(wanted)
        expect(await states(), what).toEqual(before)
      }
      expect((await countedBy(commands.query)).counted).toMatch(/^150 /)
      expect((await perform({ ...commands.verify, deep: true } as Operation)).finished).toMatchObject({ exitCode: 0 })
    },
  )
})
