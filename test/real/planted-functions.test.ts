/** Functions that another role has created under names that sluice uses: none is adopted, each is refused by name. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PartitionInPlaceOperation } from '../../src/partition/operations/partition-in-place/declaration.ts'
import { closeSql } from '../../src/stores/postgresql/follow/switch/barrier.ts'
import { guardBeforeSql } from '../../src/stores/postgresql/follow/switch/guard.ts'
import { cutoverTable, type CutoverTables } from '../../src/stores/postgresql/follow/switch/sides.ts'
import { beginKeyLog } from '../../src/stores/postgresql/partition/maintenance/key-log.ts'
import { CopySession } from '../../src/stores/postgresql/server/session.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import { perform, placeOn, type Place } from '../support/copy-systems.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'

const PLANTED = /must be owner of function "public"\."sluice_\w+", which belongs to the role planter/

describe.skipIf(!POSTGRES_OWN)(`planted functions ${POSTGRES_MISSING}`, { timeout: 60_000 }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
  })

  async function staged(...more: readonly string[]): Promise<Place> {
    const place = await placeOn('postgresql', server.url())
    await place.sql(
      `DO $$ BEGIN CREATE ROLE planter; CREATE ROLE keeper; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
      `CREATE TABLE t (id int, at date NOT NULL, v text, PRIMARY KEY (id, at))`,
      `INSERT INTO t SELECT g, DATE '2026-01-01' + g % 250, 'v' FROM generate_series(1, 500) g`,
      ...more,
    )
    return place
  }

  const numberOf = async ({ rows }: Place, table: string): Promise<string> =>
    (await rows(`SELECT '${table}'::regclass::oid`))[0]?.[0] ?? ''

  const plant = ({ sql }: Place, name: string, returns: string, owner = 'planter'): Promise<void> =>
    sql(
      `CREATE FUNCTION ${name}() RETURNS ${returns} LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN NULL; END'`,
      `ALTER FUNCTION ${name}() OWNER TO ${owner}`,
    )

  const bodies = async ({ rows }: Place): Promise<string> =>
    JSON.stringify(await rows(`SELECT prosrc FROM pg_proc WHERE proname LIKE 'sluice%'`))

  /** What sluice creates for a table, in one transaction. */
  async function making(place: Place, statements: (session: CopySession) => Promise<unknown>): Promise<void> {
    const session = await CopySession.open(postgresSettings(place.url), 'write')
    try {
      await session.begin('READ WRITE')
      await statements(session)
      await session.ask('COMMIT')
    } finally {
      session.destroy()
    }
  }

  test('for the CHECK of a slice are refused', async () => {
    const place = await staged()
    const operation: PartitionInPlaceOperation = {
      kind: 'partition-in-place',
      from: place.url,
      table: 'public.t',
      by: 'at',
      calendar: {},
      last: '2026-Q4',
      budgetMs: 2000,
      triesForMs: 30_000,
      revert: false,
      dryRun: false,
      confirm: 'public.t',
    }
    const made = await perform(operation)
    expect(made.finished, JSON.stringify(made.finished.error)).toMatchObject({ exitCode: 0 })
    await place.sql('CREATE INDEX ON t_past (at)')
    await plant(place, `sluice_in_place_${await numberOf(place, 't_past')}_slice`, 'boolean')
    const { finished } = await perform({ ...operation, last: undefined, slice: '2026-Q4' })
    expect(finished.error).toMatchObject({ code: 'TARGET_DENIED', message: expect.stringMatching(PLANTED) })
    expect(finished.error?.hint).toContain('DROP FUNCTION')
    expect(await bodies(place)).toContain('RETURN NULL')
    expect(await place.rows(`SELECT conname FROM pg_constraint WHERE conname LIKE 'sluice%'`)).toEqual([])
  })

  const MAKES: readonly (readonly [string, string, (session: CopySession, oid: string) => Promise<unknown>])[] = [
    [
      'of the log of a default partition',
      'sluice_note_',
      (session, oid) =>
        beginKeyLog(session, { oid, name: { schema: 'public', name: 't' } }, [{ name: 'id', type: 'integer' }], oid),
    ],
    [
      'of a closed table',
      'sluice_parked_',
      async (session) => {
        const side = await cutoverTable(session, { name: 't' })
        if (side !== null) await session.askAll(await closeSql(session, side, { token: 'x', says: 's', hint: 'h' }))
      },
    ],
    [
      'of an old table',
      'sluice_parked_',
      async (session) => {
        const [from, to] = [await cutoverTable(session, { name: 'u' }), await cutoverTable(session, { name: 't' })]
        await session.askAll(await guardBeforeSql({ session, from, to } as CutoverTables))
      },
    ],
  ]

  test.each(MAKES)('%s are refused', async (_, name, make) => {
    const place = await staged('CREATE TABLE u (id int)', 'ALTER TABLE t ADD UNIQUE (id)')
    const oid = await numberOf(place, 't')
    const made = `public.${name}${oid}`
    await plant(place, made, 'trigger')
    await expect(making(place, (session) => make(session, oid))).rejects.toThrow(PLANTED)
    expect(await bodies(place)).toContain('RETURN NULL')

    // The owner of the table may run code there in any case, and a function of a killed run is replaced.
    await place.sql('ALTER TABLE t OWNER TO keeper', `ALTER FUNCTION ${made}() OWNER TO keeper`)
    await making(place, (session) => make(session, oid))
    expect(await bodies(place)).not.toContain('BEGIN RETURN NULL; END')
  })

  test('and a sequence with the name of a guard are refused', async () => {
    const place = await staged('CREATE TABLE u (id int)')
    const [, , make] = MAKES[2]!
    const oid = await numberOf(place, 't')
    await place.sql(`CREATE SEQUENCE sluice_parked_${oid}`, `ALTER SEQUENCE sluice_parked_${oid} OWNER TO planter`)
    await expect(making(place, (session) => make(session, oid))).rejects.toThrow(
      /must be owner of sequence "public"\."sluice_parked_\d+", which belongs to the role planter/,
    )
  })
})
