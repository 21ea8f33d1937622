/** `partition decommission --database`: what it checks, what it refuses, the step that can be undone, and the drop. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shellQuote } from '../../src/shared/shell.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, postgresAt } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { psql } from './copy-postgresql-kit.ts'
import {
  copyAll,
  DAY,
  findings,
  makeOld,
  quoted,
  retire,
  SCHEMA,
  standing,
  STEPS,
  steps,
  TABLE_SQL,
  TABLE_TEXT,
  urlOf,
} from './decommission-database-kit.ts'

const why = await missing('postgresql')

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

describe.skipIf(why !== '')(`a database whose tables have been copied elsewhere${why}`, () => {
  it('is made inactive, accepts connections again after an undo, and is dropped by name after the grace period', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    const open = [['t', '17']]

    const planned = await perform(retire(moved, { dryRun: true }))
    expect(planned.finished.error).toBeUndefined()
    expect(steps(planned.events)).toEqual(['inactive planned'])
    expect(findings(planned.events, 'table')).toMatchObject([
      {
        verdict: 'look',
        object: TABLE_TEXT,
        detail: expect.stringContaining(`holds 300 now, and this database 300`) as string,
      },
      { verdict: 'look', object: 'public.plain' },
    ])
    expect(findings(planned.events, 'views')).toMatchObject([{ object: 'We"ird .x.v iew' }])
    expect(findings(planned.events, 'session')).toEqual([])
    expect(await standing(moved)).toEqual(open)

    const reader = await psql(moved.old.url)
    await reader.run(`SET application_name TO 'old "app"'`)
    const first = await perform(retire(moved))
    expect(first.finished.error).toBeUndefined()
    expect(steps(first.events)).toEqual(['inactive done'])
    expect(findings(first.events, 'session')).toMatchObject([
      { verdict: 'look', detail: expect.stringContaining('old "app"') as string },
    ])
    expect(
      first.events.filter((event) => event.type === 'log' && /old "app".*was ended/.test(event.message)),
    ).toHaveLength(1)
    const notes = first.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
    expect(notes.join('\n')).toContain(`the same command with --confirm=${shellQuote(moved.name)} drops it from 2`)
    await expect(reader.rows('SELECT 1')).rejects.toThrow(/erminat|connection error/)
    await expect(moved.old.rows('SELECT 1')).rejects.toThrow('not currently accepting connections')
    expect(await standing(moved)).toEqual([['f', '17']])

    const waits = await perform(retire(moved, { confirm: moved.name }))
    expect(waits.finished).toMatchObject({
      exitCode: 5,
      error: {
        code: 'PARTITION_STATE',
        message: expect.stringMatching(/not dropped: its grace period ends at 2/) as string,
      },
    })
    expect(steps(waits.events)).toEqual(['inactive found'])
    expect(findings(waits.events, 'grace')).toMatchObject([{ verdict: 'waits' }])
    expect(findings(waits.events, 'sessions since')).toMatchObject([{ verdict: 'fine' }])

    const undone = await perform(retire(moved, { undo: true }))
    expect(steps(undone.events)).toEqual(['active done'])
    expect(await standing(moved)).toEqual(open)
    expect(await moved.old.rows(`SELECT count(*) FROM ${TABLE_SQL}`)).toEqual([['300']])
    expect(steps((await perform(retire(moved, { undo: true }))).events)).toEqual(['active found'])

    await perform(retire(moved, { inactive: true }))
    const unsaid = await perform(retire(moved, { graceMs: 0 }))
    expect(unsaid.finished).toMatchObject({ exitCode: 2, error: { code: 'MISSING_CONFIRM' } })
    const other = await perform(retire(moved, { graceMs: 0, confirm: 'postgres' }))
    expect(other.finished.error?.code).toBe('MISSING_CONFIRM')
    expect(steps((await perform(retire(moved, { graceMs: 0, dryRun: true }))).events)).toEqual([
      'inactive found',
      'dropped planned',
    ])
    const kept = await perform(retire(moved, { graceMs: 0, confirm: moved.name, inactive: true }))
    expect(steps(kept.events)).toEqual(['inactive found'])
    const dropped = await perform(retire(moved, { graceMs: 0, confirm: moved.name }))
    expect(dropped.finished.error).toBeUndefined()
    expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
    expect(await standing(moved)).toEqual([])
    expect(await moved.to.rows(`SELECT count(*) FROM ${TABLE_SQL}`)).toEqual([['300']])
    const cycle = ['closing', 'inactive']
    expect((await moved.to.rows(STEPS)).flat()).toEqual([
      ...cycle,
      'opening',
      'active',
      ...cycle,
      'dropping',
      'dropped',
    ])
    expect(steps((await perform(retire(moved, { confirm: moved.name }))).events)).toEqual(['dropped found'])
    expect((await perform(retire(moved, { undo: true }))).finished.error?.code).toBe('SOURCE_GONE')
  })

  it('stays while it has objects that no run has copied completely, until --leave names them', async () => {
    const moved = await makeOld(folder.path)
    const none = await perform(retire(moved))
    expect(none.finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_REFUSED' } })
    expect(findings(none.events, 'move')).toMatchObject([{ verdict: 'refused' }])
    await copyAll(moved)
    await moved.old.sql(
      'CREATE SCHEMA "o ther"',
      'CREATE TABLE "o ther".plain (a int)',
      'INSERT INTO "o ther".plain SELECT generate_series(1, 5); ANALYZE "o ther".plain',
      'ALTER TABLE public.plain ADD COLUMN "la te" text',
      'SELECT lo_create(0)',
      // Two tables of the ledger, and one of a user with a similar name.
      'CREATE TABLE migration_tokens (token text)',
      'CREATE TABLE migration_sign_offs (sign_off_id text, stream_id text)',
      'CREATE TABLE sluice_12_orders (mine int)',
    )
    const runs = await Promise.all([1, 2].map(() => psql(moved.old.url)))
    for (const run of runs) await run.run(`SET application_name TO 'sluice'`)
    const both = await perform(retire(moved, { dryRun: true }))
    for (const run of runs) await run.close()
    expect(findings(both.events, 'session')).toMatchObject([
      { verdict: 'look', detail: expect.stringContaining('of another run of sluice') as string },
    ])
    expect(findings(both.events, 'ledger')).toMatchObject([
      { verdict: 'look', detail: expect.stringContaining('2 tables that sluice keeps') as string },
    ])
    await moved.old.sql('DROP TABLE sluice_12_orders')
    const refused = await perform(retire(moved))
    expect(findings(both.events, 'table').filter(({ verdict }) => verdict === 'refused')).toMatchObject([
      { object: 'o ther.plain' },
      { object: 'public.plain' },
      { object: 'public.sluice_12_orders' },
    ])
    expect(findings(refused.events).filter(({ verdict }) => verdict === 'refused')).toMatchObject([
      { about: 'table', object: 'o ther.plain', detail: expect.stringContaining('about 5 rows') as string },
      { about: 'table', object: 'public.plain', detail: expect.stringContaining('without column la te') as string },
      { about: 'large objects' },
    ])
    expect(await standing(moved)).toEqual([['t', '17']])
    const unknown = await perform(retire(moved, { leave: ['nothing'] }))
    expect(unknown.finished.error?.code).toBe('NO_SUCH_TABLE')
    const two = await perform(retire(moved, { leave: ['plain'] }))
    expect(two.finished.error?.code).toBe('AMBIGUOUS_TABLE')
    const left = ['o ther.plain', 'public.plain', 'large objects']
    const first = await perform(retire(moved, { leave: left }))
    expect(first.finished.error).toBeUndefined()
    const later = await perform(retire(moved))
    expect(findings(later.events, 'table').map(({ object }) => object)).toEqual([...left, TABLE_TEXT])
  })

  it('stays while the target table lacks rows that were copied into it', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    const tableOf = async (more: Parameters<typeof retire>[1] = {}) => {
      const { finished, events } = await perform(retire(moved, { dryRun: true, ...more }))
      const [found] = findings(events, 'table').filter(({ object }) => object === TABLE_TEXT)
      return { code: finished.error?.code, found }
    }
    const refused = (...words: readonly string[]) => ({
      code: 'PARTITION_REFUSED',
      found: { verdict: 'refused', detail: expect.stringMatching(new RegExp(words.join('.*'))) as string },
    })
    const insert = `INSERT INTO ${TABLE_SQL} SELECT i, 'n' || i FROM generate_series(1, 300) i`
    await moved.to.sql(`DELETE FROM ${TABLE_SQL} WHERE "Id" > 290`)
    expect(await tableOf({ dryRun: false })).toMatchObject(
      refused('300 rows were copied', 'holds 290 now', 'this database 300'),
    )
    await moved.to.sql(`TRUNCATE ${TABLE_SQL}`)
    expect(await tableOf()).toMatchObject(refused('holds 0 now, and this database 300'))
    await moved.to.sql(insert)
    expect(await tableOf()).toMatchObject({ code: undefined, found: { verdict: 'look' } })
    await moved.old.sql(`INSERT INTO ${TABLE_SQL} VALUES (301, 'la te')`)
    const more = await tableOf()
    expect(more).toMatchObject(refused('holds 300 now, and this database 301'))
    // A repair replaces rows that were written in the new database.
    expect(more.found?.hint).toMatch(/ sluice diff --fix .* also over rows written there since the move/)
    await moved.old.sql(`DELETE FROM ${TABLE_SQL} WHERE "Id" = 301`)
    await perform(retire(moved))
    expect(await standing(moved)).toEqual([['f', '17']])
    const drop = { dryRun: false, graceMs: 0, confirm: moved.name }
    // Changes of the target within the grace period keep the old database, too.
    await moved.to.sql(`DELETE FROM ${TABLE_SQL} WHERE "Id" > 299`)
    expect(await tableOf(drop)).toMatchObject(refused('held 300 rows', 'holds 299 now'))
    await moved.to.sql(`DROP TABLE ${TABLE_SQL}`)
    expect(await tableOf(drop)).toMatchObject(refused('the target has no table'))
    await moved.to.sql(`CREATE TABLE ${TABLE_SQL} ("Id" int PRIMARY KEY, "no te" text)`, insert)
    expect(await tableOf(drop)).toMatchObject(refused('was recreated since'))
    expect(await tableOf({ ...drop, dryRun: true, leave: [TABLE_TEXT] })).toMatchObject({ found: { verdict: 'look' } })
    expect(await standing(moved)).toEqual([['f', '17']])
    expect(steps((await perform(retire(moved, { undo: true }))).events)).toEqual(['active done'])
    expect(await tableOf()).toMatchObject(refused('was recreated since'))
    await moved.to.sql(`DROP TABLE ${TABLE_SQL}`)
    expect(await tableOf({ dryRun: false })).toMatchObject(refused('300 rows were copied', 'the target has no table'))
    expect(await tableOf({ leave: [TABLE_TEXT] })).toMatchObject({ code: undefined, found: { verdict: 'look' } })
    // The command in the hint works.
    const again = await perform(copyOf(moved.old, moved.to, TABLE_TEXT, { restart: true }))
    expect(again.finished.error).toBeUndefined()
    expect(await tableOf()).toMatchObject({ code: undefined, found: { verdict: 'look' } })
    expect(await moved.old.rows(`SELECT count(*) FROM ${TABLE_SQL}`)).toEqual([['300']])
  })

  it('stays while a stream reads from it, during a cutover, and as a template database', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    const { database, stream } = await noteStream(moved)
    await using _ = database
    const read = await perform(retire(moved))
    expect(read.finished).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })
    expect(read.finished.error?.hint).toContain(`sluice follow ${stream} --end`)
    await moved.to.sql(`UPDATE migration_streams SET status = 'ended'`)
    await moved.to.sql(
      `INSERT INTO migration_switches (switch_id, stream_id, reverse_stream_id, turn, status, public_table, taken_table, parked_table, tries, begun_ms, switched_ms)
       VALUES ('s', '${stream}', '78', 1, 'preparing', 'a', 'b', 'c', 1, 1, 1)`,
    )
    const prepared = await perform(retire(moved))
    expect(findings(prepared.events, 'switch')).toMatchObject([{ verdict: 'refused' }])
    await moved.to.sql('DELETE FROM migration_switches')
    await moved.old.sql('ALTER DATABASE ' + quoted(moved.name) + ' WITH IS_TEMPLATE true')
    const template = await perform(retire(moved))
    expect(findings(template.events, 'template')).toMatchObject([{ verdict: 'refused' }])
    await moved.old.sql('ALTER DATABASE ' + quoted(moved.name) + ' WITH IS_TEMPLATE false')
    expect(steps((await perform(retire(moved))).events)).toEqual(['inactive done'])
    // A stream that becomes active later keeps the database, too.
    await moved.to.sql(`UPDATE migration_streams SET status = 'active'`)
    const late = await perform(retire(moved, { graceMs: 0, confirm: moved.name }))
    expect(late.finished.error?.code).toBe('TABLE_FOLLOWED')
    expect(await standing(moved)).toEqual([['f', '17']])
  })

  it('that another program has dropped is retired', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    await perform(retire(moved))
    await moved.server.sql(`DROP DATABASE ${quoted(moved.name)}`)
    const gone = await perform(retire(moved))
    expect(gone.events).toContainEqual(
      expect.objectContaining({ type: 'log', level: 'note', message: 'another program has dropped it' }),
    )
    expect(steps(gone.events)).toEqual(['dropped done'])
    expect(steps((await perform(retire(moved))).events)).toEqual(['dropped found'])
  })

  it('is not dropped after it was opened again, nor if another database has its name', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    const name = quoted(moved.name)
    await moved.server.sql(`ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS false`)
    const others = await perform(retire(moved))
    expect(others.finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_REFUSED' } })
    expect((await perform(retire(moved, { undo: true }))).finished.error?.code).toBe('PARTITION_REFUSED')
    await moved.server.sql(`ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS true`)
    await perform(retire(moved))
    await moved.server.sql(`ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS true`)
    const opened = await perform(retire(moved, { graceMs: 0, confirm: moved.name }))
    expect(opened.finished).toMatchObject({ exitCode: 5, error: { code: 'PLAN_CHANGED' } })
    expect(steps((await perform(retire(moved, { undo: true }))).events)).toEqual(['active done'])
    await perform(retire(moved))
    await moved.server.sql(`ALTER DATABASE ${name} RENAME TO ${quoted(`${moved.name} kept`)}`)
    const renamed = await perform(retire(moved, { graceMs: 0, confirm: moved.name }))
    expect(renamed.finished).toMatchObject({ exitCode: 3, error: { code: 'SOURCE_GONE' } })
    expect(renamed.finished.error?.reason).toContain(`${moved.name} kept`)
    await moved.server.sql(`CREATE DATABASE ${name}`)
    const other = await perform(retire(moved, { graceMs: 0, confirm: moved.name }))
    expect(findings(other.events, 'move')).toMatchObject([{ verdict: 'refused' }])
    expect(await standing(moved)).toEqual([['t', '-1']])
    await moved.server.sql(`DROP DATABASE ${name}`)
    const kept = { ...moved, old: postgresAt(moved.old.url.replace(/(?=$)/, '%20kept')) }
    const dropped = await perform(retire(kept, { graceMs: 0, confirm: `${moved.name} kept` }))
    expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
  })

  it('is retired by its owner without superuser rights, by no other role, and never with itself as target', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    const mine = `own"er ${randomBytes(4).toString('hex')}`
    const as = (url: string): string => {
      const parts = new URL(url)
      parts.username = encodeURIComponent(mine)
      parts.password = 'secret'
      return parts.href
    }
    await moved.server.sql(`CREATE ROLE ${quoted(mine)} LOGIN PASSWORD 'secret' NOSUPERUSER`)
    try {
      const from = as(moved.old.url)
      const stranger = await perform(retire(moved, { from }))
      expect(stranger.finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_DENIED' } })
      await moved.server.sql(`ALTER DATABASE ${quoted(moved.name)} OWNER TO ${quoted(mine)}`)
      const reader = await psql(moved.old.url)
      const superuser = await perform(retire(moved, { from }))
      expect(findings(superuser.events, 'session')).toMatchObject([{ verdict: 'refused' }])
      await reader.close()
      // An owner without SELECT on a table cannot count its rows.
      const uncounted = await perform(retire(moved, { from }))
      expect(findings(uncounted.events, 'table')).toMatchObject([
        { verdict: 'refused', detail: expect.stringContaining('may not count the rows of this database') as string },
        { verdict: 'refused' },
      ])
      await moved.old.sql(
        `GRANT USAGE ON SCHEMA ${SCHEMA} TO ${quoted(mine)}`,
        `GRANT SELECT ON ${TABLE_SQL}, public.plain TO ${quoted(mine)}`,
      )
      await expect
        .poll(async () => (await perform(retire(moved, { from }))).finished.error?.message ?? '', { timeout: 10_000 })
        .toBe('')
      const dropped = await perform(retire(moved, { from, graceMs: 0, confirm: moved.name }))
      expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
    } finally {
      await moved.server.sql(`REASSIGN OWNED BY ${quoted(mine)} TO CURRENT_USER`, `DROP ROLE ${quoted(mine)}`)
    }
    const archived = await perform(retire(moved, { archive: 'duckdb:///old.duckdb' }))
    expect(archived.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    const self = await perform(retire({ old: moved.to, to: moved.to }))
    expect(self.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    const through = await perform(retire(moved, { maintenance: moved.name }))
    expect(through.finished.error?.code).toBe('BAD_FLAG')
    const nowhere = await perform(retire(moved, { maintenance: 'no such "db"' }))
    expect(nowhere.finished.error?.code).toBe('CONNECT_FAILED')
    const sqlite = await makePlace('sqlite', folder.path)
    expect((await perform(retire({ old: sqlite, to: moved.to }))).finished.error?.code).toBe('UNSUPPORTED_URL')
  })

  it('accepts connections again if a table was created in it before its last session ended', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    await perform(retire(moved))
    await perform(retire(moved, { undo: true }))
    // Blocks the run between its checks and its first effect.
    await moved.to.sql(
      `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END $$`,
      `CREATE TRIGGER wait BEFORE INSERT ON migration_database_decommissions FOR EACH ROW WHEN (NEW.step = 'closing') EXECUTE FUNCTION wait()`,
    )
    const gate = await psql(moved.to.url)
    await gate.run('SELECT pg_advisory_lock(42)')
    const closing = perform(retire(moved))
    await expect
      .poll(() => moved.to.rows(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`), {
        timeout: 20_000,
      })
      .toEqual([['1']])
    await moved.old.sql('CREATE TABLE "la te" AS SELECT 1 AS a')
    await gate.close()
    const { finished, events } = await closing
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_REFUSED' } })
    expect(finished.error?.message).toContain('public.la te')
    expect(steps(events)).toEqual([])
    expect(await standing(moved)).toEqual([['t', '17']])
    expect(await moved.old.rows('SELECT * FROM "la te"')).toEqual([['1']])
  })

  it('several programs at once close the database once, and its grace period holds', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    const all = await Promise.all([1, 2, 3].map(() => perform(retire(moved, { inactive: true }))))
    const ends = all.map(({ events, finished }) => finished.error?.code ?? steps(events).join())
    expect(ends.filter((end) => end === 'inactive done')).toHaveLength(1)
    expect(ends.filter((end) => !['inactive done', 'inactive found', 'LEDGER_BUSY'].includes(end))).toEqual([])
    expect((await moved.to.rows(STEPS)).flat()).toEqual(['closing', 'inactive'])
    const waits = await perform(retire(moved, { graceMs: DAY, confirm: moved.name }))
    expect(steps(waits.events)).toEqual(['inactive found'])
  })
})

describe.skipIf(why !== '' || !POSTGRES_OWN)(`a database of another server whose table was followed${why}`, () => {
  it.skipIf(!POSTGRES_OWN)(
    'reports sessions as not known after a crash of the server, which resets its counters',
    { timeout: 120_000 },
    async () => {
      await using server = await startFollowServer()
      const to = await makePlace('postgresql', folder.path)
      await postgresAt(server.url()).sql('CREATE DATABASE crashed')
      const old = postgresAt(urlOf(server.url(), 'crashed'))
      await old.sql('CREATE TABLE t (id int PRIMARY KEY)', 'INSERT INTO t SELECT generate_series(1, 10)')
      expect((await perform(copyOf(old, to, 'public.t'))).finished.error).toBeUndefined()
      expect((await perform(retire({ old, to }))).finished.error).toBeUndefined()
      // Autovacuum of the server writes statistics into a closed database, without a session.
      const admin = postgresAt(server.url())
      const WRITES = "SELECT tup_inserted FROM pg_stat_database WHERE datname = 'crashed'"
      const before = JSON.stringify(await admin.rows(WRITES))
      for (const setting of ["naptime = '1s'", 'analyze_threshold = 0', 'analyze_scale_factor = 0'])
        await admin.sql(`ALTER SYSTEM SET autovacuum_${setting}`)
      await admin.sql('SELECT pg_reload_conf()')
      while (JSON.stringify(await admin.rows(WRITES)) === before) await sleep(200)
      await server.stop()
      await server.restart()
      const stopped = await perform(retire({ old, to }))
      expect(findings(stopped.events, 'sessions since')).toMatchObject([{ verdict: 'fine' }])
      await server.kill9()
      await server.restart()
      const crashed = await perform(retire({ old, to }))
      expect(findings(crashed.events, 'sessions since')).toMatchObject([
        { verdict: 'not known', detail: expect.stringContaining('has reset its counters') as string },
      ])
    },
  )

  it(
    'stays while its replication slot exists; after the end of the stream its rows are compared by hand, and it is dropped',
    { timeout: 60_000 },
    async () => {
      await using server = await startFollowServer()
      const at = server.url()
      const to = await makePlace('postgresql', folder.path)
      const name = 'Follow "ed'
      await postgresAt(at).sql(`CREATE DATABASE ${quoted(name)}`)
      const old = postgresAt(urlOf(at, name))
      await old.sql(
        'CREATE TABLE "b ookings" (id int PRIMARY KEY, seats int)',
        'INSERT INTO "b ookings" SELECT generate_series(1, 200)',
      )
      const followed = await perform(copyOf(old, to, 'public.b ookings', { follow: { until: 'equal' } }))
      expect(followed.finished.error).toBeUndefined()
      const wanted = await perform(retire({ old, to }))
      expect(wanted.finished.error?.code).toBe('TABLE_FOLLOWED')
      expect(findings(wanted.events, 'replication slot')).toMatchObject([{ verdict: 'refused' }])
      const stream = findings(wanted.events, 'stream')[0]?.object ?? ''
      const ended = await perform({
        kind: 'follow',
        stream,
        from: old.url,
        to: to.url,
        end: true,
        untilCaughtUp: false,
        untilEqual: false,
      })
      expect(ended.finished.error).toBeUndefined()
      // A changed row leaves the counts equal, and no stream brings it.
      await old.sql('UPDATE "b ookings" SET seats = 3 WHERE id = 7')
      const planned = await perform(retire({ old, to }, { dryRun: true }))
      expect(findings(planned.events, 'table')).toMatchObject([
        {
          verdict: 'look',
          detail: expect.stringContaining('200 rows were equal') as string,
          hint: expect.stringContaining(`sluice diff --table 'public.b ookings'`) as string,
        },
      ])
      const fixed = await perform({
        kind: 'diff',
        from: old.url,
        to: to.url,
        tables: ['public.b ookings'],
        rename: {},
        limit: 9,
        fix: true,
        deleteExtra: false,
        workers: 1,
      })
      expect(fixed.finished.error).toBeUndefined()
      const first = await perform(retire({ old, to }))
      expect(first.finished.error).toBeUndefined()
      const dropped = await perform(retire({ old, to }, { graceMs: 0, confirm: name }))
      expect(findings(dropped.events, 'table')).toMatchObject([{ verdict: 'look' }])
      expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
      expect(await standing({ server: postgresAt(at), name, old, to })).toEqual([])
      expect(await to.rows('SELECT count(*), sum(seats) FROM "b ookings"')).toEqual([['200', '3']])
    },
  )
})

/** Records in the ledger a stream whose source is the old database. */
async function noteStream({ old, to }: Pick<Awaited<ReturnType<typeof makeOld>>, 'old' | 'to'>) {
  const { openPostgresCopy } = await import('../../src/stores/postgresql/copy/index.ts')
  const { StreamLedger } = await import('../../src/engine/copy/ledger/streams.ts')
  const { makeLateTable } = await import('../../src/engine/copy/ledger/late-tables.ts')
  const { newOwner } = await import('../../src/shared/owner.ts')
  await using source = await openPostgresCopy(old.url)
  await using target = await openPostgresCopy(to.url)
  const database = await target.ledger()
  const streams = new StreamLedger(database, { ...newOwner(), runId: 1n })
  await streams.prepare()
  const stream = '77'
  await streams.begin(
    { id: stream, source: 'postgresql://db/old', sourceIdentity: source.identity, wishes: '{}' },
    [],
    't',
  )
  await streams.note(stream, 'active')
  await makeLateTable(database, 'migration_switches')
  return { database, stream }
}
