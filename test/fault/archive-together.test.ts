/**
 * Concurrent work on the same partitions: a second archiver, one that continues late, writers, and users who move
 * partitions by hand.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  commandsOf,
  countedBy,
  countOf,
  makeBookings,
  observe,
  TABLE,
  type Archived,
  type Form,
} from '../support/archive-places.ts'
import { someOf } from '../support/backend.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { startArchiver, untilStill } from './archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-archive-together-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function fresh(system: System, form: Form): Promise<Archived> {
  return makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')))
}

/** The parts of ledger and log that show where rows are. */
async function settled({ place, archive }: Archived): Promise<unknown> {
  const ledger = await place.rows(
    `SELECT partition_name, state, num_rows, checksum, files, delta_version, removed_rows, restoring FROM migration_archive_partitions ORDER BY 1`,
  )
  const log = readdirSync(join(archive, '_delta_log'))
    .filter((name) => name.endsWith('.json'))
    .toSorted()
  return { ledger, log: log.map((name) => readFileSync(join(archive, '_delta_log', name), 'utf8')) }
}

const KINDS = [
  ['postgresql', 'native'],
  ['sqlite', 'plain'],
] as const

describe.each(KINDS)('%s, %s', (system, form) => {
  test('two archivers at once archive each partition once', { timeout: 60_000 }, async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const archived = await fresh(system, form)
    await using observer = await observe(archived)
    const { run } = commandsOf(archived)
    const { result, problems } = await observer.watch(
      Promise.all([startArchiver(run, { host: 'one' }).ended, startArchiver(run, { host: 'two' }).ended]),
    )
    expect(problems).toEqual([])
    for (const { finished, events } of result) {
      const errors = events.flatMap((event) =>
        event.type === 'archive.state' && event.error !== undefined ? [event.error.code] : [],
      )
      expect(errors).toEqual([])
      // A second program on the same SQLite file does not even begin.
      expect(finished?.totals['failed'] ?? '0').toBe('0')
      if (finished?.exitCode !== 0) expect(finished).toMatchObject({ exitCode: 5, error: { code: 'LEDGER_BUSY' } })
    }
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
    const { problems: after, states } = await observer.look()
    expect(after).toEqual([])
    expect(Object.values(states)).toEqual(['DETACHED', 'DETACHED'])
    const history = await archived.place.rows(
      `SELECT partition_name, count(*) FROM migration_archive_history WHERE state = 'EXPORTING' GROUP BY 1 ORDER BY 1`,
    )
    expect(history.map(([, n]) => n)).toEqual(['1', '1'])
    expect(readdirSync(join(archived.archive, '_delta_log')).filter((name) => name.endsWith('.json'))).toHaveLength(2)
  })

  const WRITES = {
    update: `UPDATE ${TABLE} SET note = 'another' WHERE id = 5`,
    insert: `INSERT INTO ${TABLE} VALUES (99999, '2020-01-05 12:00:00', 'late', '1.50')`,
    delete: `DELETE FROM ${TABLE} WHERE id = 7`,
  }

  test.for(someOf(Object.keys(WRITES) as (keyof typeof WRITES)[], 3))(
    '%s between export and detach: the partition is exported again',
    { timeout: 60_000 },
    async (what, context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      const archived = await fresh(system, form)
      await using observer = await observe(archived)
      const commands = commandsOf(archived)
      const archiver = startArchiver(commands.run, { at: 'link ', when: 'frozen' })
      await untilStill(archiver)
      await archived.place.sql(WRITES[what])
      await observer.expectThis()
      archiver.process.kill('SIGCONT')
      const { result, problems } = await observer.watch(archiver.ended)
      expect(result.finished).toMatchObject({ exitCode: 0 })
      expect(problems.filter((text) => !text.includes('were never there'))).toEqual([])
      const { problems: after, states } = await observer.look()
      expect(after).toEqual([])
      expect(Object.values(states)).toEqual(['DETACHED', 'DETACHED'])
      expect((await countedBy(commands.query)).counted).toBe(countOf(observer.expected))
      for (const one of [commands.verify, commands.drop, commands.restore]) {
        expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
        expect((await observer.look()).problems).toEqual([])
      }
      expect(await observer.live()).toEqual(observer.expected)
    },
  )
})

/** Steps at which a program is frozen until after its lease has expired; at none of them its locks block others. */
const LATE = [
  ['postgresql', 'native', 'run', 'link '],
  ['postgresql', 'native', 'restore', 'CREATE TABLE "'],
  ['postgresql', 'plain', 'drop', 'DELETE FROM'],
  ['postgresql', 'plain', 'run', 'parquet'],
  ['postgresql', 'plain', 'run', 'rename '],
  ['postgresql', 'plain', 'restore', 'INSERT INTO "public"'],
] as const

test(
  'a partition of a frozen program is reported as busy, not as failed; the others are archived',
  { timeout: 60_000 },
  async (context) => {
    const why = await missing('postgresql')
    context.skip(why !== '', why)
    const archived = await fresh('postgresql', 'native')
    const { run } = commandsOf(archived)
    const frozen = startArchiver(run, { at: 'link ', when: 'frozen' })
    await untilStill(frozen)
    const { finished, events } = await perform(run)
    expect(finished).toMatchObject({
      exitCode: 5,
      error: { code: 'LEDGER_BUSY', message: expect.stringContaining('2020-Q1 of') },
      totals: { partitions: '2', detached: '1', failed: '0', busy: '1' },
    })
    expect(events.some((event) => event.type === 'archive.state' && event.error !== undefined)).toBe(false)
    frozen.process.kill('SIGCONT')
    expect((await frozen.ended).finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
  },
)

test('only one program archives from an SQLite file, however long it is frozen', { timeout: 60_000 }, async () => {
  const archived = await fresh('sqlite', 'plain')
  await using observer = await observe(archived)
  const { run } = commandsOf(archived)
  const late = startArchiver(run, { at: 'link ', when: 'frozen', host: 'elsewhere' })
  await untilStill(late)
  await archived.place.sql('UPDATE migration_archive_partitions SET lease_until = 1')
  expect((await perform(run)).finished).toMatchObject({ exitCode: 5, error: { code: 'LEDGER_BUSY' } })
  late.process.kill('SIGCONT')
  expect((await late.ended).finished).toMatchObject({ exitCode: 0 })
  expect(await observer.look()).toEqual({ problems: [], states: { '2020-Q1': 'DETACHED', '2020-Q2': 'DETACHED' } })
})

describe('a program that continues after its lease has expired', () => {
  test.for(someOf(LATE, 3))(
    '%s, %s: it cannot complete %s after it was frozen before %s',
    { timeout: 60_000 },
    async ([system, form, stage, at], context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      const archived = await fresh(system, form)
      await using observer = await observe(archived)
      const commands = commandsOf(archived)
      const before = stage === 'run' ? [] : stage === 'drop' ? [commands.run] : [commands.run, commands.drop]
      for (const one of before) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
      const late = startArchiver(commands[stage], { at, when: 'frozen', host: 'elsewhere' })
      await untilStill(late)
      await archived.place.sql('UPDATE migration_archive_partitions SET lease_until = 1')
      const { result, problems } = await observer.watch(perform(commands[stage]))
      expect(result.finished.error).toBeUndefined()
      expect(problems).toEqual([])
      const then = await settled(archived)
      late.process.kill('SIGCONT')
      const { result: end, problems: during } = await observer.watch(late.ended)
      expect(during).toEqual([])
      expect(end.finished?.exitCode).not.toBe(0)
      expect(await settled(archived)).toEqual(then)
      expect((await observer.look()).problems).toEqual([])
      expect((await countedBy(commands.query)).counted).toBe(countOf(observer.expected))
      expect((await perform(commands.verify)).finished).toMatchObject({ exitCode: 0 })
    },
  )
})

test('the observer of these tests finds lost rows, and rows that count twice', async () => {
  const archived = await fresh('sqlite', 'plain')
  await using observer = await observe(archived)
  const { run, drop } = commandsOf(archived)
  for (const one of [run, drop]) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
  await archived.place.sql(
    `DELETE FROM ${TABLE} WHERE id = 200001`,
    `INSERT INTO ${TABLE} VALUES (0, '2020-01-01 00:00:00', NULL, NULL)`,
  )
  const { problems } = await observer.look()
  expect(problems).toEqual([expect.stringMatching(/^1 rows are nowhere/), expect.stringMatching(/^1 rows count twice/)])
})

test(
  'a row that is changed after the detach stays, and no row of the partition is removed',
  { timeout: 60_000 },
  async () => {
    const archived = await fresh('sqlite', 'plain')
    await using observer = await observe(archived)
    const { run, drop, restore } = commandsOf(archived)
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
    await archived.place.sql(`UPDATE ${TABLE} SET note = 'later' WHERE id = 5`)
    const live = await observer.live()
    const refused = await perform({ ...drop, partitions: ['2020-Q1'] } as Operation)
    expect(refused.finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    expect(await observer.live()).toEqual(live)
    const back = { ...restore, partitions: ['2020-Q1'] } as Operation
    expect((await perform(back)).finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    expect(await observer.live()).toEqual(live)
    const asIs = { ...back, asChanged: true, confirm: TABLE } as Operation
    expect((await perform(asIs)).finished).toMatchObject({ exitCode: 0 })
    observer.expected = live
    expect((await observer.look()).problems).toEqual([])
    const again = { ...drop, partitions: ['2020-Q1'] } as Operation
    expect((await perform(again)).finished.error).toBeUndefined()
    // The grace period begins at the detach.
    expect((await perform(again)).finished.error).toBeUndefined()
    expect(await observer.look()).toEqual({ problems: [], states: { '2020-Q1': 'DROPPED', '2020-Q2': 'DETACHED' } })
  },
)

test(
  'a row that is changed between two removed ranges stays, and the others are restored',
  { timeout: 60_000 },
  async () => {
    const archived = await fresh('sqlite', 'plain')
    await using observer = await observe(archived)
    const { run, drop, restore } = commandsOf(archived)
    const one = (operation: Operation): Operation => ({ ...operation, partitions: ['2020-Q1'] }) as Operation
    expect((await perform(one(run))).finished).toMatchObject({ exitCode: 0 })
    const dead = await startArchiver(one(drop), { at: 'COMMIT state DETACHED', when: 'after', rows: 70 }).ended
    expect(dead.signal).toBe('SIGKILL')
    await archived.place.sql(`UPDATE ${TABLE} SET note = 'later' WHERE id = 200`)
    const live = await observer.live()
    expect((await perform(one(drop))).finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    expect(await observer.live()).toEqual(live)
    const back = await perform(one(restore))
    expect(back.finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    // The user must decide which of the two versions is valid.
    await archived.place.sql(`DELETE FROM ${TABLE} WHERE id = 200`)
    expect((await perform(one(restore))).finished).toMatchObject({ exitCode: 0 })
    expect(await observer.live()).toEqual(observer.expected)
  },
)

const MOVED: Readonly<Record<string, { readonly does: readonly string[]; readonly undoes: readonly string[] | null }>> =
  {
    detached: {
      does: [`ALTER TABLE ${TABLE} DETACH PARTITION ${TABLE}_0`],
      undoes: [`ALTER TABLE ${TABLE} ATTACH PARTITION ${TABLE}_0 FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')`],
    },
    dropped: { does: [`DROP TABLE ${TABLE}_0`], undoes: null },
    swapped: {
      does: [
        `ALTER TABLE ${TABLE} DETACH PARTITION ${TABLE}_0`,
        `ALTER TABLE ${TABLE}_0 RENAME TO ${TABLE}_old`,
        `CREATE TABLE ${TABLE}_0 PARTITION OF ${TABLE} FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')`,
        `INSERT INTO ${TABLE} SELECT id, at, 'other', 1 FROM ${TABLE}_old`,
      ],
      undoes: [
        `DROP TABLE ${TABLE}_0`,
        `ALTER TABLE ${TABLE}_old RENAME TO ${TABLE}_0`,
        `ALTER TABLE ${TABLE} ATTACH PARTITION ${TABLE}_0 FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')`,
      ],
    },
  }

describe('a partition that a user moves between export and detach', () => {
  test.for(Object.keys(MOVED))(
    '%s: the source keeps its rows, and the run reports PARTITION_CHANGED',
    { timeout: 60_000 },
    async (how, context) => {
      const why = await missing('postgresql')
      context.skip(why !== '', why)
      const archived = await fresh('postgresql', 'native')
      await using observer = await observe(archived)
      const { run } = commandsOf(archived)
      const published: Operation = { ...run, detach: false } as Operation
      expect((await perform(published)).finished).toMatchObject({ exitCode: 0 })
      const { does = [], undoes = null } = MOVED[how] ?? {}
      await archived.place.sql(...does)
      const inFirst = `SELECT count(*), min(note), sum(id) FROM ${TABLE} WHERE id < 100000`
      const before = await archived.place.rows(inFirst)
      const { finished, events } = await perform(run)
      expect(finished.exitCode).not.toBe(0)
      const errors = events.flatMap((event) =>
        event.type === 'archive.state' && event.error !== undefined ? [event.error] : [],
      )
      expect(errors).toMatchObject([{ code: 'PARTITION_CHANGED' }])
      const states = await archived.place.rows(`SELECT state FROM migration_archive_partitions ORDER BY partition_name`)
      expect(states).toEqual([['PUBLISHED'], ['DETACHED']])
      expect(await archived.place.rows(inFirst)).toEqual(before)
      if (undoes === null) return
      await archived.place.sql(...undoes)
      expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
      expect((await observer.look()).problems).toEqual([])
    },
  )
})
