/**
 * A restore that adds missing rows next to late ones is killed: the archive still answers queries, and the same command
 * completes the restore.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, observe, TABLE, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { startArchiver } from './archive-kit.ts'
import { archiveText } from '../../src/render/archive-summary.ts'
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

  test.skipIf(why !== '')(`missing rows are restored after kills${why}`, { timeout: 60_000 }, async () => {
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
    // A late row of a detached table counts only once the table is attached again.
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

test('verify names a restore that was killed before its commit in the log, and the command that ends it', async () => {
  const place = await makePlace('sqlite', folder)
  const commands = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 100))
  for (const one of [commands.run, commands.drop]) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
  const restore = { ...commands.restore, partitions: ['2020-Q1'] } as Operation
  const { signal } = await startArchiver(restore, { at: 'COMMIT state RESTORED', when: 'after' }).ended
  expect(signal).toBe('SIGKILL')
  const only = { ...commands.verify, partitions: ['2020-Q1'] } as Operation
  const { finished } = await perform(only)
  expect(finished).toMatchObject({ exitCode: 0, totals: { checked: '0', findings: '0' } })
  expect(finished).not.toHaveProperty('proof')
  expect(finished.notChecked).toContain('names 1 file of 2020-Q1, whose state in the ledger is RESTORED')
  expect(finished.notChecked).toContain(`sluice restore --table ${TABLE} --partition 2020-Q1 ends it`)
  const again = (await perform(restore)).finished
  expect(again).toMatchObject({ exitCode: 0, totals: { restored: '0', retracted: '1' } })
  const ended = '1 partition: 1 removed from the Delta table, as an earlier restore had left to do'
  expect(archiveText(again, 'restore', false)).toContain(ended)
  expect((await perform(only)).finished.notChecked ?? '').not.toContain('has not ended')
  const nothing = (await perform(restore)).finished
  expect(nothing.totals).not.toHaveProperty('retracted')
  expect(archiveText(nothing, 'restore', false)).toContain('nothing was left to do')
})

describe.each(PLACES)('%s, %s, with a trigger that changes inserted rows', (system, form) => {
  const why = WITHOUT.get(system) ?? ''
  const TOUCH = {
    sqlite: [
      `CREATE TRIGGER touch AFTER INSERT ON ${TABLE} BEGIN UPDATE ${TABLE} SET note = 'touched' WHERE id = NEW.id; END`,
    ],
    // Because of the foreign key, triggers cannot be disabled.
    postgresql: [
      `CREATE TABLE photos (b_id bigint, b_at timestamp(0), FOREIGN KEY (b_id, b_at) REFERENCES ${TABLE})`,
      `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note = 'touched'; RETURN NEW; END $$`,
      `CREATE TRIGGER touch BEFORE INSERT ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION touch()`,
    ],
  }[system as 'sqlite' | 'postgresql']

  test.skipIf(why !== '')(`a restore that inserts no rows is not refused${why}`, { timeout: 120_000 }, async () => {
    const place = await makePlace(system, folder)
    const commands = commandsOf(await makeBookings(place, form, mkdtempSync(join(folder, 'to-')), 100))
    const rows = () => place.rows(`SELECT * FROM ${TABLE} ORDER BY id`)
    const before = await rows()
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    const first = { ...commands.restore, partitions: ['2020-Q1'] } as Operation
    expect((await startArchiver(first, { at: 'COMMIT state RESTORED', when: 'after' }).ended).signal).toBe('SIGKILL')
    await place.sql(...TOUCH)
    expect((await perform(first)).finished).toMatchObject({ exitCode: 0, totals: { retracted: '1' } })
    for (const one of [first, { ...first, asChanged: true, confirm: TABLE }, { ...first, dryRun: true }] as const) {
      const { finished, events } = await perform(one)
      expect(finished, JSON.stringify(one)).toMatchObject({ exitCode: 0 })
      expect(JSON.stringify(events)).toContain('it was restored before')
    }
    // The rows of the other partition are in the source, in their table.
    const other = { ...commands.restore, partitions: ['2020-Q2'] } as Operation
    for (const one of [{ ...other, dryRun: true } as Operation, other])
      expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
    if (form === 'native') {
      const published = { ...commands.run, detach: false, partitions: ['2020-Q1'] } as Operation
      expect((await perform(published)).finished).toMatchObject({ exitCode: 0, totals: { published: '1' } })
      expect((await perform(first)).finished).toMatchObject({ exitCode: 0, totals: { restored: '1' } })
    }
    expect(await rows()).toEqual(before)
  })
})

test('a run that ends a restore of an earlier program says so', async () => {
  const place = await makePlace('sqlite', folder)
  const commands = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 100))
  for (const one of [commands.run, commands.drop]) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
  const restore = { ...commands.restore, partitions: ['2020-Q1'] } as Operation
  await startArchiver(restore, { at: 'COMMIT state RESTORED', when: 'after' }).ended
  const { finished } = await perform(commands.run)
  expect(finished).toMatchObject({ exitCode: 0, totals: { exported: '0', retracted: '1' } })
  expect(archiveText(finished, 'archive', false)).toContain('1 removed from the Delta table')
})

const PLAIN = PLACES.filter(([, form]) => form === 'plain').map(([system]) => system)

describe.each([...PLAIN, 'postgresql'] as const)('%s, plain', (system) => {
  const why = WITHOUT.get(system) ?? ''

  test.skipIf(why !== '')(`a restore is undone if a key is taken meanwhile${why}`, { timeout: 120_000 }, async () => {
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
      // Once its first rows are restored, another session takes a key of the others.
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
      for (const when of ['before', 'after'] as const) {
        const { signal } = await startArchiver(restore, { ...some, when }).ended
        expect(signal, when).toBe('SIGKILL')
        expect(await counted(), when).toBe('300')
      }
      const refused = (await perform(restore)).finished
      expect(refused).toMatchObject({
        error: { code: 'PARTITION_CHANGED', reason: expect.stringContaining('is DETACHED') as string },
      })
      expect(await state()).toEqual([['DETACHED', '0']])
      expect(await counted()).toBe('300')
      expect(await place.rows(`SELECT id FROM ${TABLE} WHERE id < 100000`)).toEqual([['90']])
      await place.sql(`DELETE FROM ${TABLE} WHERE id = 90`)
      expect(await counted()).toBe('300')
      expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
      expect(await counted()).toBe('300')
      expect(await place.rows(`SELECT count(*) FROM ${TABLE} WHERE id < 100000`)).toEqual([['100']])
    }
  })
})

const WRITTEN: readonly System[] = ['sqlite', 'postgresql', 'mysql']
const NO_SERVER = new Map(await Promise.all(WRITTEN.map(async (system) => [system, await missing(system)] as const)))

describe.each(WRITTEN)('%s, plain', (system) => {
  const why = NO_SERVER.get(system) ?? ''

  test.skipIf(why !== '')(`restored rows that are changed count once${why}`, { timeout: 240_000 }, async () => {
    const place = await makePlace(system, folder)
    const rows = Array.from({ length: 30 }, (_, n) => `(${n}, '2020-01-02 00:00:00', 'row ${n}')`)
    const type = system === 'mysql' ? 'datetime' : system === 'sqlite' ? 'DATETIME' : 'timestamp'
    await place.sql(
      `CREATE TABLE ${TABLE} (id integer PRIMARY KEY, made ${type} NOT NULL, note varchar(40))`,
      `INSERT INTO ${TABLE} VALUES ${rows.join(', ')}, (999, '2090-01-02 00:00:00', 'kept')`,
    )
    const commands = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    const one = { partitions: ['2020-Q1'] }
    const restore = { ...commands.restore, ...one } as Operation
    const drop = { ...commands.drop, ...one, by: 'made' } as Operation
    expect((await perform({ ...commands.run, by: 'made' } as Operation)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
    const standing = `SELECT id FROM ${TABLE} WHERE id <> 999 ORDER BY id`
    const state = async (): Promise<string | null | undefined> =>
      (await place.rows("SELECT state FROM migration_archive_partitions WHERE partition_name = '2020-Q1'"))[0]?.[0]
    const sql = `SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE note = 'changed') FROM ${TABLE}`
    const asked = async (): Promise<{ readonly counted: string; readonly notes: readonly string[] }> => {
      const { ran, counted } = await countedBy({ ...commands.query, query: sql } as Operation)
      return { counted, notes: ran.events.flatMap((event) => (event.type === 'log' ? [event.message] : [])) }
    }
    await place.sql(`INSERT INTO ${TABLE} VALUES (90001, '2020-02-02 00:00:00', 'late')`)
    /** An application changes rows that a restore, killed since, has added. */
    const changedMeanwhile = async (): Promise<void> => {
      await place.sql(
        `INSERT INTO ${TABLE} VALUES ${rows.slice(0, 10).join(', ')}`,
        `UPDATE migration_archive_partitions SET state = 'DETACHED', restoring = 1 WHERE partition_name = '2020-Q1'`,
        `UPDATE ${TABLE} SET note = 'changed' WHERE id IN (1, 2, 3)`,
      )
      expect(await asked()).toEqual({ counted: '32 32 0', notes: [] })
      const { finished, events } = await perform(restore)
      expect(finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
      const { counted, notes } = await asked()
      expect(counted).toBe('32 32 0')
      expect(finished.error?.reason).toContain('is DETACHED')
      expect(finished.error?.hint).toMatch(/--as-changed --confirm=/)
      const warned = events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event.message] : []))
      expect(warned.join()).toContain('the table has 3 rows with the keys of archived rows, but other values (1; 2; 3)')
      expect(await place.rows(standing)).toEqual([['1'], ['2'], ['3'], ['90001']])
      expect(notes.join()).toMatch(/3 rows .* 2020-Q1 .*left out.*sluice restore .* --as-changed --confirm=/)
    }

    await changedMeanwhile()
    // The advised command refuses again, and queries still return the correct result.
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    expect((await asked()).counted).toBe('32 32 0')
    const kept = (await perform(drop)).finished
    expect(kept).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    expect(kept.error?.message).toMatch(/: 3 rows have other values \(1; 2; 3\)$/)
    const erase = { kind: 'archive-erase', from: place.url, table: TABLE, where: 'id = 2', reason: 'Y', dryRun: true }
    const between = (await perform(erase as unknown as Operation)).finished.error
    expect(between).toMatchObject({ code: 'PARTITION_STATE', hint: expect.stringContaining('--as-changed') as string })

    // A drop succeeds once these rows are deleted by hand.
    await place.sql(`DELETE FROM ${TABLE} WHERE id IN (1, 2, 3)`)
    expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
    expect([await state(), await asked()]).toEqual(['DROPPED', { counted: '32 32 0', notes: [] }])

    // A drop also succeeds if they have their archived values again.
    await changedMeanwhile()
    await place.sql(...[1, 2, 3].map((n) => `UPDATE ${TABLE} SET note = 'row ${n}' WHERE id = ${n}`))
    expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
    expect([await state(), await asked()]).toEqual(['DROPPED', { counted: '32 32 0', notes: [] }])
    expect(await place.rows(standing)).toEqual([['90001']])

    // A row that was moved out of the period is found by its key, although no row is within the bounds.
    await place.sql(
      `DELETE FROM ${TABLE} WHERE id = 90001`,
      `INSERT INTO ${TABLE} VALUES ${rows.slice(0, 10).join(', ')}`,
      `UPDATE migration_archive_partitions SET state = 'DETACHED', restoring = 1 WHERE partition_name = '2020-Q1'`,
      `UPDATE ${TABLE} SET made = '2090-03-03 00:00:00' WHERE id = 1`,
    )
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    expect((await perform(drop)).finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    expect([await state(), (await asked()).counted]).toEqual(['DETACHED', '31 31 0'])
    await place.sql(`DELETE FROM ${TABLE} WHERE id = 1`)
    expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(`INSERT INTO ${TABLE} VALUES (90001, '2020-02-02 00:00:00', 'late')`)
    expect([await state(), (await asked()).counted]).toEqual(['DROPPED', '32 32 0'])

    await changedMeanwhile()
    const settled = await perform({ ...restore, asChanged: true, confirm: TABLE } as Operation)
    expect(settled.finished).toMatchObject({ exitCode: 0 })
    expect([await state(), await asked()]).toEqual(['RESTORED', { counted: '32 32 3', notes: [] }])
  })
})

test.skipIf((WITHOUT.get('postgresql') ?? '') !== '')(
  'rows that are being restored into an existing partition are all there, or none of them',
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
