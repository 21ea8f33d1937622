/** The plan shows what the server would refuse in a run, with the same code and the same text. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-plan-refusals-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const messages = ({ events }: Ran): string =>
  events.flatMap((event) => (event.type === 'log' ? [`${event.message} ${event.hint ?? ''}`] : [])).join('\n')
const notes = ({ events }: Ran): Readonly<Record<string, string>> =>
  Object.fromEntries(
    events.flatMap((event) => (event.type === 'archive.planned' ? [[event.partition, event.note ?? '']] : [])),
  )
const failures = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) =>
    event.type === 'archive.state' && event.error
      ? [`${event.error.code}: ${event.error.message}: ${event.error.reason}`]
      : [],
  )
const dry = (operation: Operation): Operation => ({ ...operation, dryRun: true }) as Operation
const all = (place: Place) => place.rows(`SELECT id, at, note, amount FROM ${TABLE} ORDER BY id`)

async function bookings(form: Form, ...more: readonly string[]) {
  const place = await makePlace('postgresql', folder)
  const archived = await makeBookings(place, form, mkdtempSync(join(folder, 'to-')), 20)
  await place.sql(...more)
  return { place, commands: commandsOf(archived) }
}

const why = await missing('postgresql')
describe.skipIf(why !== '')(`PostgreSQL${why}`, { timeout: 60_000 }, () => {
  describe('a published table without a replica identity', () => {
    const NOTHING = `ALTER TABLE ${TABLE} REPLICA IDENTITY NOTHING`

    test.each([
      ['the table', `CREATE PUBLICATION p FOR TABLE ${TABLE}`],
      ['all tables', 'CREATE PUBLICATION p FOR ALL TABLES'],
      ['its schema', 'CREATE PUBLICATION p FOR TABLES IN SCHEMA public'],
    ])('a publication of %s', async (_name, publication) => {
      const { place, commands } = await bookings('plain', NOTHING, publication)
      const before = await all(place)
      const refused = {
        code: 'TABLE_REFUSED',
        message: `cannot delete from table "${TABLE}" because it does not have a replica identity and publishes deletes`,
        hint: expect.stringContaining('REPLICA IDENTITY FULL') as string,
      }
      for (const operation of [dry(commands.drop), commands.drop])
        expect((await perform(operation)).finished.error).toMatchObject(refused)
      const plan = await perform(dry(commands.run))
      expect(plan.finished).toMatchObject({ exitCode: 0 })
      expect(messages(plan)).toContain(refused.message)
      expect(await all(place)).toEqual(before)
      await place.sql(`ALTER TABLE ${TABLE} REPLICA IDENTITY FULL`)
      expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
      expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0, totals: { dropped: '2' } })
    })

    test('a removal is refused if the publication changed after the plan', async () => {
      const { place, commands } = await bookings('plain', NOTHING)
      expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
      await place.sql(`CREATE PUBLICATION p FOR TABLE ${TABLE} WITH (publish = 'insert, update')`)
      expect((await perform(dry(commands.drop))).finished).toMatchObject({ exitCode: 0 })
      await place.sql(`ALTER PUBLICATION p SET (publish = 'insert, delete')`)
      expect((await perform(dry(commands.drop))).finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
    })

    test('a row filter by a column outside the replica identity is refused', async () => {
      const { commands } = await bookings('plain', `CREATE PUBLICATION p FOR TABLE ${TABLE} WHERE (amount > 1)`)
      expect((await perform(dry(commands.drop))).finished.error).toMatchObject({
        code: 'TABLE_REFUSED',
        reason: expect.stringContaining('WHERE expression') as string,
      })
    })

    test('a role without DELETE gets a plan', async () => {
      const { place, commands } = await bookings(
        'plain',
        NOTHING,
        'DROP ROLE IF EXISTS sluice_only_reads',
        `CREATE ROLE sluice_only_reads LOGIN PASSWORD 'x'`,
        `GRANT SELECT ON ${TABLE} TO sluice_only_reads`,
      )
      const url = new URL(place.url)
      url.username = 'sluice_only_reads'
      url.password = 'x'
      const plan = await perform({ ...dry(commands.drop), from: url.href } as Operation)
      await place.sql(`DROP OWNED BY sluice_only_reads`, 'DROP ROLE sluice_only_reads')
      expect(plan.finished).toMatchObject({ exitCode: 0 })
    })

    test('native partitions leave without a removal of rows', async () => {
      const { commands } = await bookings('native', 'CREATE PUBLICATION p FOR ALL TABLES', NOTHING)
      expect((await perform(dry(commands.drop))).finished).toMatchObject({ exitCode: 0 })
      expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
      expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0, totals: { dropped: '2' } })
    })
  })

  describe('objects that depend on a partition itself', () => {
    const VIEWS = [
      `CREATE VIEW first AS SELECT id FROM ${TABLE}_0`,
      `CREATE MATERIALIZED VIEW kept AS SELECT id FROM ${TABLE}_0`,
      'CREATE TABLE audit (id bigint)',
      `CREATE RULE noted AS ON INSERT TO audit DO ALSO UPDATE ${TABLE}_0 SET note = NULL WHERE false`,
    ]
    const NAMED = 'materialized view kept, rule noted on table audit, view first'

    test.each(['native', 'divided'] as const)('views and rules, of a partition that is %s', async (form) => {
      const { place, commands } = await bookings(form, ...VIEWS)
      const text = (table: string) =>
        `TABLE_REFUSED: cannot drop table ${table} because other objects depend on it: ${NAMED}`
      const plan = await perform(dry(commands.run))
      expect(notes(plan)['2020-Q1']).toContain(text(`public.${TABLE}_0`))
      expect(notes(plan)['2020-Q2']).not.toContain('depend')
      expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
      const [[away = ''] = []] = await place.rows(
        `SELECT 'sluice_archived.' || relname FROM pg_class WHERE relname LIKE '${TABLE}_0%' AND relkind IN ('r', 'p') AND relnamespace = 'sluice_archived'::regnamespace ORDER BY relname LIMIT 1`,
      )
      expect(notes(await perform(dry(commands.drop)))['2020-Q1']).toContain(text(away ?? ''))
      const ran = await perform(commands.drop)
      expect(failures(ran).join()).toContain(text(away ?? ''))
      expect(ran.finished).toMatchObject({ exitCode: 1, totals: { dropped: '1' } })
      await place.sql('DROP VIEW first', 'DROP MATERIALIZED VIEW kept', 'DROP RULE noted ON audit')
      expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0, totals: { dropped: '1' } })
    })

    test('views of the whole table and foreign keys to it block nothing', async () => {
      const { commands } = await bookings(
        'native',
        `CREATE VIEW whole AS SELECT id FROM ${TABLE}`,
        `CREATE TABLE photos (b_id bigint, b_at timestamp(0), FOREIGN KEY (b_id, b_at) REFERENCES ${TABLE})`,
      )
      expect(notes(await perform(dry(commands.drop)))['2020-Q1']).not.toContain('depend on it')
      expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
      expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0, totals: { dropped: '2' } })
    })
  })
})

test('SQLite: a value that is not a time is named with its row', async () => {
  const place = await makePlace('sqlite', folder)
  await place.sql(
    'CREATE TABLE ev (id INTEGER PRIMARY KEY, at TIMESTAMP NOT NULL)',
    "INSERT INTO ev VALUES (1, '2020-01-01 00:00:00'), (7, '')",
  )
  const to = mkdtempSync(join(folder, 'to-'))
  const { run } = commandsOf({ place, form: 'plain', to, workers: 1 })
  const ran = JSON.stringify(await perform({ ...run, tables: ['ev'] } as Operation))
  expect(ran).toContain("ev.at has a value that is not a time: '' (row 7)")
})
