/** `partition decommission`: what it checks, what it refuses, the step that can be undone, and the drop. */
import { randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import type { PartitionDecommissionOperation } from '../../src/partition/operations/partition-decommission/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { DecommissionFindingEvent } from '../../src/model/partition/events.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, postgresAt, type Place } from '../support/copy-systems.ts'
import { psql } from './copy-postgresql-kit.ts'
import type { Durability } from '../../src/model/copy/durability-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { makeNewTable, ours, request, turn } from './switch-kit.ts'
import {
  DAY,
  noteSwitch,
  PARKED,
  PARKED_SQL,
  PARKED_TEXT,
  parkTable,
  PUBLIC,
  PUBLIC_SQL,
  SCHEMA,
  STREAM,
} from './decommission-kit.ts'

const why = await missing('postgresql')

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const retire = ({ url }: Pick<Place, 'url'>, more: Partial<PartitionDecommissionOperation> = {}): Operation => ({
  kind: 'partition-decommission',
  from: url,
  table: PUBLIC,
  graceMs: 7 * DAY,
  inactive: false,
  undo: false,
  patienceMs: 100,
  budgetMs: 400,
  dryRun: false,
  ...more,
})

const findings = (events: readonly Event[], about?: string): readonly DecommissionFindingEvent[] =>
  events
    .filter((event) => event.type === 'decommission.finding')
    .filter((event) => about === undefined || event.about === about)

const steps = (events: readonly Event[]): readonly string[] =>
  events.filter((event) => event.type === 'decommission.step').map(({ step, status }) => `${step} ${status}`)

/** Grantees and their rights, without the grantors. */
const RIGHTS = `SELECT coalesce(a.attname, ''), CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(e.grantee) END, e.privilege_type, e.is_grantable
  FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL, LATERAL (SELECT * FROM aclexplode(c.relacl) UNION SELECT * FROM aclexplode(a.attacl)) e
  WHERE c.oid = '${PARKED_SQL.replaceAll("'", "''")}'::regclass AND e.grantee <> c.relowner ORDER BY 1, 2, 3`
const RIGHTS_NOW = `SELECT DISTINCT * FROM (${RIGHTS}) r ORDER BY 1, 2, 3`
const ROWS = 'SELECT step FROM migration_decommissions ORDER BY step_no'

describe.skipIf(why !== '')(`the old table of a cutover in PostgreSQL${why}`, () => {
  it('stays while its reverse stream is active, is made inactive, gets its rights back, and is dropped after the grace', async () => {
    const place = await makePlace('postgresql', folder.path)
    await using oldTable = await parkTable(place, { ended: false })
    const before = await place.rows(RIGHTS_NOW)
    expect(before.length).toBeGreaterThan(4)

    const wanted = await perform(retire(place))
    expect(wanted.finished).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })
    expect(wanted.finished.error?.hint).toContain(`sluice follow ${STREAM} --end`)
    expect(steps(wanted.events)).toEqual([])
    await oldTable.endStream()

    const planned = await perform(retire(place, { dryRun: true }))
    expect(planned.finished.exitCode).toBe(0)
    expect(steps(planned.events)).toEqual(['inactive planned'])
    expect(await place.rows(RIGHTS_NOW)).toEqual(before)

    // A confirmed run that drops nothing says so, and does its first step.
    const notDropped = (hint: RegExp): object => ({
      exitCode: 5,
      error: { code: 'PARTITION_STATE', hint: expect.stringMatching(hint) as string },
    })
    const first = await perform(retire(place, { confirm: PARKED }))
    expect(first.finished).toMatchObject(notDropped(/^run the same command again$/))
    expect(steps(first.events)).toEqual(['inactive done'])
    expect(await place.rows(RIGHTS_NOW)).toEqual([])
    await expect(place.sql(`SET ROLE "${oldTable.roles[1]}"; SELECT * FROM ${PARKED_SQL}`)).rejects.toThrow(
      'permission denied',
    )

    const undone = await perform(retire(place, { undo: true, table: PARKED_TEXT }))
    expect(steps(undone.events)).toEqual(['active done'])
    expect(await place.rows(RIGHTS_NOW)).toEqual(before)
    expect(steps((await perform(retire(place, { undo: true }))).events)).toEqual(['active found'])

    expect(steps((await perform(retire(place, { inactive: true }))).events)).toEqual(['inactive done'])
    const still = await perform(retire(place, { inactive: true }))
    expect(steps(still.events)).toEqual(['inactive found'])
    const within = await perform(retire(place, { graceMs: 9 * DAY, confirm: PARKED }))
    expect(within.finished).toMatchObject(notDropped(/^run the same command again after 20\d\d-\d\d-\d\dT/))
    expect(within.finished.error?.message).toMatch(/ is not dropped: its grace period ends at 20\d\d-/)
    expect(steps(within.events)).toEqual(['inactive found'])
    expect(findings(within.events, 'grace')).toMatchObject([{ verdict: 'waits' }])

    const unsaid = await perform(retire(place))
    expect(unsaid.finished).toMatchObject({ exitCode: 2, error: { code: 'MISSING_CONFIRM' } })
    expect((await perform(retire(place, { confirm: PUBLIC }))).finished.error?.code).toBe('MISSING_CONFIRM')
    const trial = await perform(retire(place, { dryRun: true }))
    expect(steps(trial.events)).toEqual(['inactive found', 'dropped planned'])

    const dropped = await perform(retire(place, { confirm: PARKED }))
    expect(dropped.finished.error).toBeUndefined()
    expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
    expect(await place.rows(`SELECT count(*) FROM pg_class WHERE relname = '${PARKED.replaceAll("'", "''")}'`)).toEqual(
      [['0']],
    )
    // The public table keeps the sequence, and the function of the guard is gone.
    await place.sql(`INSERT INTO ${PUBLIC_SQL} (at) VALUES ('2024-05-01')`)
    expect(await place.rows(`SELECT max("Id") FROM ${PUBLIC_SQL}`)).toEqual([['501']])
    expect(
      await place.rows(`SELECT pg_get_serial_sequence('${PUBLIC_SQL.replaceAll("'", "''")}', 'Id') IS NOT NULL`),
    ).toEqual([['t']])
    expect(await place.rows(`SELECT count(*) FROM pg_proc WHERE proname LIKE 'sluice%'`)).toEqual([['0']])
    expect((await place.rows(ROWS)).flat()).toEqual(['looked', 'looked', 'inactive', 'active', 'inactive', 'dropped'])
    const again = await perform(retire(place, { confirm: PARKED }))
    expect(again.finished.exitCode).toBe(0)
    expect(steps(again.events)).toEqual(['dropped found'])
  })

  it('stays while other objects depend on it or would be lost with it, and names each of them', async () => {
    const place = await makePlace('postgresql', folder.path)
    await using _ = await parkTable(place)
    const schema = `"${SCHEMA.replaceAll('"', '""')}"`
    await place.sql(
      `CREATE VIEW ${schema}."se en" AS SELECT * FROM ${PARKED_SQL}`,
      `CREATE TABLE ${schema}.refers (id int, CONSTRAINT "to old" FOREIGN KEY (id) REFERENCES ${PARKED_SQL})`,
      `CREATE FUNCTION ${schema}.counted() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM ${PARKED_SQL}; END`,
      `CREATE FUNCTION ${schema}.typed(${PARKED_SQL}) RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      `CREATE RULE "al so" AS ON INSERT TO ${schema}.refers DO ALSO DELETE FROM ${PARKED_SQL}`,
      `CREATE PUBLICATION "pub old" FOR TABLE ${PARKED_SQL}`,
      `CREATE FUNCTION ${schema}.mentions() RETURNS bigint LANGUAGE plpgsql AS $f$ BEGIN RETURN (SELECT count(*) FROM ${PARKED_SQL}); END $f$`,
      // A guard of another old table.
      `CREATE FUNCTION ${schema}.sluice_parked_2() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION '${PARKED_SQL.replaceAll("'", "''")}'; END $f$`,
      // Objects that only belong to the table do not block the drop.
      `CREATE INDEX ON ${PARKED_SQL} (at)`,
      `CREATE STATISTICS ${schema}.st ON at, "no te" FROM ${PARKED_SQL}`,
      `CREATE RULE own AS ON UPDATE TO ${PARKED_SQL} DO ALSO NOTHING`,
      `CREATE POLICY own ON ${PARKED_SQL} USING (at > '2000-01-01')`,
    )
    const { events, finished } = await perform(retire(place))
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_REFUSED' } })
    expect(steps(events)).toEqual([])
    const refused = findings(events).filter(({ verdict }) => verdict === 'refused')
    expect(refused.map(({ object }) => object?.replace(`${schema}.`, '')).toSorted()).toEqual([
      'constraint to old on table refers',
      `function counted()`,
      `function typed(${PARKED_SQL})`,
      'pub old',
      'rule al so on table refers',
      `view "se en"`,
    ])
    expect(findings(events, 'function')).toMatchObject([{ verdict: 'look', object: `function ${schema}.mentions()` }])
    expect(findings(events, 'sequence')).toMatchObject([{ verdict: 'changes' }])
    expect((await place.rows(`SELECT count(*) FROM ${PARKED_SQL}`)).flat()).toEqual(['500'])
  })

  it('stays while its archive has a hold', async () => {
    const place = await makePlace('postgresql', folder.path)
    await using _ = await parkTable(place)
    const archived = await perform({
      kind: 'archive',
      from: place.url,
      tables: [PARKED_TEXT],
      to: `${folder.path}/held`,
      by: 'at',
      partitions: [],
      asText: [],
      olderThan: '1q',
      detach: false,
      drop: false,
      dryRun: false,
    })
    expect(archived.finished.error).toBeUndefined()
    const held = await perform({
      kind: 'archive-hold',
      from: place.url,
      table: PARKED_TEXT,
      partitions: ['2024-Q2'],
      reason: 'audit',
    })
    expect(held.finished.error).toBeUndefined()
    const { finished, events } = await perform(retire(place))
    expect(finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_HELD' } })
    expect(findings(events, 'hold')).toMatchObject([
      { verdict: 'refused', detail: expect.stringContaining('audit') as string },
    ])
  })

  it('reports its sessions and its reads since the first check; a drop waits for the sessions, and then gives up', async () => {
    const place = await makePlace('postgresql', folder.path)
    await using _ = await parkTable(place)
    const first = await perform(retire(place, { inactive: true }))
    expect(findings(first.events, 'reads and writes')).toMatchObject([{ verdict: 'not known' }])
    const reader = await psql(place.url)
    await reader.run(`SET application_name TO 'old "app"'; BEGIN; SELECT count(*) FROM ${PARKED_SQL}`)
    const busy = await perform(retire(place, { confirm: PARKED_TEXT }))
    expect(findings(busy.events, 'session')).toMatchObject([
      { verdict: 'look', detail: expect.stringContaining('old "app"') as string },
    ])
    expect(busy.finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_BUSY' } })
    await reader.run('COMMIT')
    await reader.close()
    await expect
      .poll(
        async () => findings((await perform(retire(place, { dryRun: true }))).events, 'reads and writes')[0]?.detail,
        {
          timeout: 10_000,
        },
      )
      .toMatch(/^[1-9]\d* reads and 0 written rows since/)
    expect((await place.rows(ROWS)).flat()).toEqual(['looked', 'inactive'])
  })

  it('is copied completely once more, and is not dropped if a row has changed since', async () => {
    const place = await makePlace('postgresql', folder.path)
    await using _ = await parkTable(place)
    const old = await makePlace('sqlite', folder.path)
    // A row that an earlier copy wrote does not count as the current one.
    expect((await perform(copyOf(place, old, PARKED_TEXT))).finished.error).toBeUndefined()
    const asOwner = async (sql: string): Promise<void> => place.sql(`SET session_replication_role TO replica; ${sql}`)
    await asOwner(`UPDATE ${PARKED_SQL} SET "no te" = 'late' WHERE "Id" = 7`)
    await perform(retire(place))
    await using target = await openCopyStore(old.url, { mode: 'read' })
    const flushed = vi.spyOn(Object.getPrototypeOf(target.offers.durability) as Durability, 'flushed')
    const early = await perform(retire(place, { archive: old.url, graceMs: 9 * DAY }))
    expect(early.finished.error).toBeUndefined()
    expect(flushed).toHaveBeenCalledOnce()
    flushed.mockRestore()
    expect(steps(early.events)).toEqual(['inactive found', 'archived done'])
    const late = `SELECT count(*), count(*) FILTER (WHERE "no te" = 'late') FROM "${PARKED.replaceAll('"', '""')}"`
    expect(await old.rows(late)).toEqual([['500', '1']])
    // The reads since then are those of the copy.
    const after = await perform(retire(place, { dryRun: true }))
    expect(findings(after.events, 'reads and writes')).toMatchObject([
      { verdict: 'not known', detail: expect.stringContaining('since its last copy') as string },
    ])
    await asOwner(`UPDATE ${PARKED_SQL} SET "no te" = 'later' WHERE "Id" = 8`)
    const changed = await perform(retire(place, { confirm: PARKED }))
    expect(changed.finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    const dropped = await perform(retire(place, { archive: old.url, confirm: PARKED }))
    expect(dropped.finished.error).toBeUndefined()
    expect(steps(dropped.events)).toEqual(['inactive found', 'archived done', 'dropped done'])
    expect(await old.rows(late.replace("'late'", "'later'"))).toEqual([['500', '1']])
    const [detail] = await place.rows(
      `SELECT detail FROM migration_decommissions WHERE step = 'archived' ORDER BY step_no DESC`,
    )
    expect(JSON.parse(detail?.[0] ?? '')).toMatchObject({ archive: { rows: '500' } })
  })

  it('is not dropped while the copy of an earlier command is missing, changed or unreadable', async () => {
    const place = await makePlace('postgresql', folder.path)
    await using _ = await parkTable(place)
    const old = await makePlace('sqlite', folder.path)
    const copied = `"${PARKED.replaceAll('"', '""')}"`
    const copy = { archive: old.url, graceMs: 9 * DAY }
    const planned = await perform(retire(place, { ...copy, dryRun: true }))
    expect(steps(planned.events)).toEqual(['inactive planned', 'archived planned'])
    const archived = await perform(retire(place, copy))
    expect(archived.finished).toMatchObject({ exitCode: 0, totals: { steps: '2' } })
    expect(steps(archived.events)).toEqual(['inactive done', 'archived done'])
    const trial = async (): Promise<string> => {
      const { events } = await perform(retire(place, { dryRun: true }))
      return findings(events, 'last copy')
        .map(({ verdict, detail }) => `${verdict}: ${detail}`)
        .join()
    }
    expect(await trial()).toBe('fine: the copy has its 500 rows, unchanged')
    const refused = async (reason: RegExp): Promise<void> => {
      expect(await trial()).toMatch(reason)
      const { finished, events } = await perform(retire(place, { confirm: PARKED }))
      expect(finished).toMatchObject({
        exitCode: 1,
        error: { code: 'PARTITION_REFUSED', hint: expect.stringMatching('^give --archive again') as string },
      })
      expect(finished.error?.message).toContain('last copy')
      expect(steps(events)).toEqual([])
      expect((await place.rows(`SELECT count(*) FROM ${PARKED_SQL}`)).flat()).toEqual(['500'])
    }
    await old.sql(`UPDATE ${copied} SET "no te" = 'other' WHERE "Id" = 7`)
    await refused(/^refused: its rows have changed/)
    await old.sql(`DELETE FROM ${copied} WHERE "Id" = 7`)
    await refused(/^refused: it had 500 rows, and now has 499/)
    await old.sql(`DROP TABLE ${copied}`)
    await refused(/^refused: it no longer exists/)
    const file = old.url.replace(/^sqlite:\/\/\//, '')
    renameSync(file, `${file}.away`)
    await refused(/^refused: it cannot be read \([A-Z_]+: /)
    const dropped = await perform(
      retire(place, { archive: (await makePlace('sqlite', folder.path)).url, confirm: PARKED }),
    )
    expect(dropped.finished.error).toBeUndefined()
    expect(steps(dropped.events)).toEqual(['inactive found', 'archived done', 'dropped done'])
  })

  it('is not dropped if another table has its name, nor made inactive twice at once', async () => {
    const place = await makePlace('postgresql', folder.path)
    await using _ = await parkTable(place)
    const before = await place.rows(RIGHTS_NOW)
    const both = await Promise.all([1, 2, 3].map(() => perform(retire(place, { inactive: true, budgetMs: 10_000 }))))
    const ends = both.map(({ events, finished }) => finished.error?.code ?? steps(events).join())
    expect(ends.filter((end) => end === 'inactive done')).toHaveLength(1)
    expect(ends.filter((end) => !['inactive done', 'inactive found', 'PLAN_CHANGED'].includes(end))).toEqual([])
    await perform(retire(place, { undo: true }))
    expect(await place.rows(RIGHTS_NOW)).toEqual(before)
    await perform(retire(place, { inactive: true }))
    await place.sql(`ALTER TABLE ${PARKED_SQL} RENAME TO kept`, `CREATE TABLE ${PARKED_SQL} (id int)`)
    const other = await perform(retire(place, { confirm: PARKED }))
    expect(other.finished).toMatchObject({ exitCode: 5, error: { code: 'PLAN_CHANGED' } })
  })

  it('is dropped together with its guard, and the public table keeps its sequence', async () => {
    const place = await makePlace('postgresql', folder.path)
    const sql = await psql(place.url)
    await using store = await openPostgresCopy(place.url)
    await sql.run(`CREATE TABLE public."Book ""ings" (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, no serial, at timestamptz NOT NULL DEFAULT '2024-03-01');
      INSERT INTO public."Book ""ings" (at) SELECT '2024-01-01'::timestamptz + i * interval '1 day' FROM generate_series(1, 300) i; CREATE VIEW public."a view" AS SELECT * FROM public."Book ""ings"`)
    await makeNewTable(store, sql, { schema: 'public', name: 'Book "ings' })
    await sql.run(
      `INSERT INTO public."Book ""ings_partitioned" OVERRIDING SYSTEM VALUE SELECT * FROM public."Book ""ings"`,
    )
    await turn(store, request('Book "ings', 'Book "ings_partitioned', "b' old"))
    await using _ = await noteSwitch(place, { schema: 'public', public: 'Book "ings', parked: "b' old" })
    expect((await ours(sql)).length).toBeGreaterThan(0)
    const first = await perform(retire(place, { table: "b' old" }))
    expect(first.finished.error).toBeUndefined()
    expect(findings(first.events, 'guard')).toMatchObject([{ verdict: 'changes' }])
    const dropped = await perform(retire(place, { table: "b' old", confirm: "b' old" }))
    expect(dropped.finished.error).toBeUndefined()
    expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
    expect(await ours(sql)).toEqual([])
    await sql.run(`INSERT INTO public."Book ""ings" DEFAULT VALUES`)
    expect(await sql.rows(`SELECT count(*), max(no) FROM public."a view"`)).toEqual([['301', '301']])
    await sql.close()
  })

  it('is retired by its owner, who is no superuser, and by no other role', async () => {
    const place = await makePlace('postgresql', folder.path)
    const [mine, other] = ['owner', 'other'].map((name) => `${name} ${randomBytes(4).toString('hex')}`)
    const as = (role = ''): Place => {
      const url = new URL(place.url)
      url.username = encodeURIComponent(role)
      url.password = 'secret'
      return postgresAt(url.href)
    }
    await place.sql(
      ...[mine, other].map(
        (role) => `CREATE ROLE "${role ?? ''}" LOGIN PASSWORD 'secret'; GRANT ALL ON SCHEMA public TO "${role ?? ''}"`,
      ),
    )
    try {
      await as(mine).sql(
        'CREATE TABLE t (id int)',
        'CREATE TABLE t_old (id int)',
        `GRANT SELECT ON t_old TO "${other ?? ''}"`,
      )
      await using _ = await noteSwitch(as(mine), { schema: 'public', public: 't', parked: 't_old' })
      await as(mine).sql(`GRANT ALL ON ALL TABLES IN SCHEMA public TO "${other ?? ''}"`)
      const denied = await perform(retire(as(other), { table: 't' }))
      expect(denied.finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_DENIED' } })
      const first = await perform(retire(as(mine), { table: 't' }))
      expect(first.finished.error).toBeUndefined()
      expect(steps(first.events)).toEqual(['inactive done'])
      await expect(as(other).rows('TABLE t_old')).rejects.toThrow('permission denied')
      const dropped = await perform(retire(as(mine), { table: 't', confirm: 't_old' }))
      expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
    } finally {
      await place.sql(
        ...[mine, other].map((role) => `DROP OWNED BY "${role ?? ''}" CASCADE; DROP ROLE "${role ?? ''}"`),
      )
    }
  })

  it('must be the old table of a cutover: other names, and tables without a ledger, are refused', async () => {
    const place = await makePlace('postgresql', folder.path)
    expect((await perform(retire(place))).finished.error?.code).toBe('NO_SUCH_TABLE')
    const sqlite = await makePlace('sqlite', folder.path)
    await sqlite.sql('CREATE TABLE t (id int)')
    expect((await perform(retire(sqlite))).finished.error?.code).toBe('UNSUPPORTED_URL')
  })
})
