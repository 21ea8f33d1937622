/** An expiry, a restore or a sweep is killed at any of its steps: the same command then completes it. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, TABLE, type Archived } from '../support/archive-places.ts'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { startArchiver, type ArchiverOptions } from './archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const WHEN = ['before', 'after', 'during'] as const
const DAY = Math.floor(Date.now() / 86_400_000)

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-expire-kill-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Durable steps of the three commands; two are tested per day, in rotation. */
const POINTS: Readonly<Record<'expire' | 'restore' | 'sweep', readonly ArchiverOptions[]>> = {
  expire: [
    { at: 'UPDATE migration_archives SET retention_ms', when: 'after' },
    { at: 'link ', when: 'before' },
    { at: 'link ', when: 'after' },
    { at: 'COMMIT state EXPIRED', when: 'before' },
    { at: 'COMMIT state EXPIRED', when: 'after' },
    { at: 'INSERT INTO migration_archive_heads', when: 'after' },
  ],
  restore: [
    { at: 'COMMIT state EXPIRED', when: 'before' },
    { at: 'COMMIT state EXPIRED', when: 'after' },
    { at: 'link ', when: 'before' },
    { at: 'link ', when: 'after' },
    { at: 'COMMIT state DROPPED', when: 'before' },
    { at: 'COMMIT state DROPPED', when: 'after' },
    { at: 'COMMIT state RESTORED', when: 'after' },
  ],
  sweep: [
    { at: 'COMMIT state EXPIRED', when: 'before' },
    { at: 'COMMIT state EXPIRED', when: 'after' },
    { at: 'INSERT INTO migration_archive_sweeps', when: 'before' },
    { at: 'INSERT INTO migration_archive_sweeps', when: 'after' },
    { at: 'unlink ', when: 'before' },
    { at: 'unlink ', when: 'after' },
    { at: "UPDATE migration_archive_sweeps SET state = 'done'", when: 'before' },
  ],
}

const parquetOf = (archive: string): readonly string[] =>
  readdirSync(archive, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.parquet') && !name.startsWith('_delta_log'))

describe.each([
  ['postgresql', 'native'],
  ['sqlite', 'plain'],
] as const)('%s, %s', (system, form) => {
  type Stage = Readonly<Record<'expire' | 'restore' | 'sweep', Operation>> & { readonly bookings: Archived }

  const fresh = async (): Promise<Stage> => {
    const bookings = await makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), 40)
    const { run, drop, restore, sweep } = commandsOf(bookings)
    for (const one of [run, drop]) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
    const expire: Operation = {
      kind: 'archive-expire',
      from: bookings.place.url,
      table: TABLE,
      olderThan: '2y',
      partitions: [],
      retentionMs: 86_400_000,
      confirm: TABLE,
      dryRun: false,
    }
    return { bookings, expire, restore: { ...restore, partitions: ['2020-Q1'] } as Operation, sweep }
  }

  const survives = async (which: 'expire' | 'restore' | 'sweep', point: ArchiverOptions): Promise<void> => {
    const stage = await fresh()
    const { bookings, expire, restore, sweep } = stage
    const { place, archive } = bookings
    const where = `${which} ${JSON.stringify(point)}`
    const { query, verify } = commandsOf(bookings)
    const states = async () =>
      (await place.rows('SELECT state FROM migration_archive_partitions ORDER BY partition_name')).flat()
    const passes = async (operation: Operation): Promise<void> =>
      expect((await perform(operation)).finished.error ?? null, where).toBeNull()
    /** Runs the operation, killed first if it is the tested one. */
    const asked = async (operation: Operation): Promise<void> => {
      if (stage[which] === operation) {
        const { signal, finished } = await startArchiver(operation, point).ended
        if (signal !== 'SIGKILL') expect(finished, where).toMatchObject({ exitCode: 0 })
      }
      await passes(operation)
    }
    await asked(expire)
    expect(await states(), where).toEqual(['EXPIRED', 'EXPIRED'])
    expect((await countedBy(query)).counted, where).toMatch(/^40 /)
    await asked(restore)
    expect(await states(), where).toEqual(['RESTORED', 'EXPIRED'])
    expect((await countedBy(query)).counted, where).toMatch(/^80 /)
    await passes({ ...verify, deep: true } as Operation)
    expect(parquetOf(archive), where).toHaveLength(2)
    await place.sql('UPDATE migration_archives SET retention_ms = 0')
    await asked(sweep)
    expect(parquetOf(archive), where).toEqual([])
    const noted = await place.rows('SELECT state, files FROM migration_archive_sweeps')
    expect(
      noted.map(([state]) => state),
      where,
    ).toEqual(['done'])
    const names = (JSON.parse(String(noted[0]?.[1])) as { readonly partition: string }[]).map(
      ({ partition }) => partition,
    )
    expect(names.toSorted(), where).toEqual(['2020-Q1', '2020-Q2'])
    const gone = { ...restore, partitions: ['2020-Q2'] } as Operation
    expect((await perform(gone)).finished.error?.code, where).toBe('PARTITION_STATE')
    await passes(verify)
    expect((await countedBy(query)).counted, where).toMatch(/^80 /)
  }

  test(
    'expire, restore and sweep that are killed once are completed by the same command',
    { timeout: 240_000 },
    async (context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      for (const which of ['expire', 'restore', 'sweep'] as const) {
        const points = POINTS[which]
        for (const by of [0, 3]) await survives(which, points[(DAY + by) % points.length] ?? {})
      }
    },
  )

  test.skipIf(!ALL)(
    'expire, restore and sweep that are killed at every step are completed by the same command',
    { timeout: 3_600_000 },
    async (context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      for (const which of ['expire', 'restore', 'sweep'] as const) {
        for (const point of POINTS[which]) await survives(which, point)
        const stage = await fresh()
        for (const before of ['expire', 'restore', 'sweep'] as const) {
          if (before === 'sweep') await stage.bookings.place.sql('UPDATE migration_archives SET retention_ms = 0')
          const { steps, finished } = await startArchiver(stage[before]).ended
          expect(finished).toMatchObject({ exitCode: 0 })
          if (before !== which) continue
          for (let step = 1; step <= steps.length; step++)
            await survives(which, { step, when: WHEN[step % 3] ?? 'before' })
          break
        }
      }
    },
  )
})
