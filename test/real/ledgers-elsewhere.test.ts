/**
 * Streams and cutovers that another login has recorded in the first schema of its search_path: sign-off, cutover and
 * decommission find them there.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { StreamLedger } from '../../src/engine/copy/ledger/streams.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { newOwner } from '../../src/shared/owner.ts'
import { OWN_TABLES } from '../../src/stores/common/own-tables.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { copyAll, findings, makeOld, retire, standing, steps } from './decommission-database-kit.ts'
import { DAY, noteSwitch, PARKED, parkTable, PUBLIC, SCHEMA, STREAM } from './decommission-kit.ts'

const why = await missing('postgresql')

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

/** A login with a schema of its own, which is the first in its search_path: its ledger is created there. */
async function login(place: Place): Promise<Place> {
  const role = `anna_${randomBytes(4).toString('hex')}`
  await place.sql(
    `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'pw'`,
    'CREATE SCHEMA anna',
    `ALTER SCHEMA anna OWNER TO ${role}`,
    `ALTER ROLE ${role} SET search_path TO anna`,
  )
  const url = new URL(place.url)
  url.username = role
  url.password = 'pw'
  return { ...place, url: url.href }
}

/** Records an active stream in the ledger of a login; it writes into a table. */
async function noteStream(
  { url }: Place,
  { id, identity, into }: { id: string; identity?: string; into: { schema: string; name: string } },
): Promise<void> {
  await using store = await openPostgresCopy(url)
  await using database = await store.ledger()
  await prepareLedger(database)
  const streams = new StreamLedger(database, { ...newOwner(), runId: 1n })
  await streams.prepare()
  const of = { id, source: url, sourceIdentity: identity ?? 'elsewhere', wishes: '{}' }
  await streams.begin(of, [{ key: into, source: 'public.t' }], 'test')
  await streams.note(id, 'active')
}

const LEDGER = OWN_TABLES.filter(({ owner, late }) => owner === 'copy' && late !== true).map(({ name }) => name)

const ELSEWHERE = {
  exitCode: 4,
  error: {
    code: 'TABLE_REFUSED',
    message: expect.stringContaining('is in another ledger, the ledger of schema anna') as string,
    hint: expect.stringContaining('?schema=anna') as string,
  },
}

describe.skipIf(why !== '')(`ledgers of another login${why}`, { timeout: 60_000 }, () => {
  it.each([
    ['sign-off', { tables: [] }],
    ['cutover', { triesForMs: 1000, unsigned: true, revert: false, keepSessions: false, stay: false, dryRun: true }],
  ] as const)('%s names the ledger that has the stream', async (kind, more) => {
    const place = await makePlace('postgresql', folder.path)
    await noteStream(await login(place), { id: '88', into: { schema: 'public', name: 't' } })
    const { finished } = await perform({ kind, stream: '88', to: place.url, ...more } as Operation)
    expect(finished).toMatchObject(ELSEWHERE)
    expect(await place.rows("SELECT 1 FROM pg_class WHERE relname = 'migration_ledger'")).toHaveLength(1)
  })

  const table = ({ url }: Place, more: object = {}): Operation => ({
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

  it('an old table is not retired while a stream of another ledger writes into it', async () => {
    const place = await makePlace('postgresql', folder.path)
    await using oldTable = await parkTable(place)
    expect(oldTable.roles).toHaveLength(2)
    await noteStream(await login(place), { id: '88', into: { schema: SCHEMA, name: PARKED } })
    const { finished, events } = await perform(table(place))
    expect(finished).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })
    expect(steps(events)).toEqual([])
    const found = findings(events, 'stream')
    expect(found).toMatchObject([{ verdict: 'refused', object: '88' }])
    expect(found[0]?.hint).toContain('?schema=anna')
  })

  it('a cutover in another ledger is named', async () => {
    const place = await makePlace('postgresql', folder.path)
    const anna = await login(place)
    await using noted = await noteSwitch(anna, { schema: SCHEMA, public: PUBLIC, parked: PARKED })
    await noted.endStream()
    expect((await perform(table(place))).finished).toMatchObject(ELSEWHERE)
    expect((await perform(table(place, { table: 'other' }))).finished.error?.code).toBe('NO_SUCH_TABLE')
    expect(STREAM).toBe('77')
  })

  it('a database is not retired while streams of other ledgers, on either side, use it', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    await using old = await openPostgresCopy(moved.old.url)
    const anna = await login(moved.to)
    await noteStream(anna, { id: '91', identity: old.identity, into: { schema: 'public', name: 'x' } })
    const inside = await login(moved.old)
    await noteStream(inside, { id: '92', into: { schema: 'public', name: 'plain' } })
    await old[Symbol.asyncDispose]()
    const { finished, events } = await perform(retire(moved))
    expect(finished.exitCode).toBe(5)
    expect(findings(events, 'stream')).toMatchObject([
      { verdict: 'refused', object: '91' },
      { verdict: 'refused', object: '92' },
    ])
    for (const { hint } of findings(events, 'stream')) expect(hint).toContain('schema=anna')
    expect(steps(events)).toEqual([])
    expect(await standing(moved)).toEqual([['t', '17']])
  })

  it('a database is not retired if one of its ledgers cannot be read', async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    const inside = await login(moved.old)
    await noteStream(inside, { id: '93', into: { schema: 'public', name: 'plain' } })
    await moved.old.sql(`ALTER TABLE anna.migration_streams ENABLE ROW LEVEL SECURITY`)
    const { finished, events } = await perform(retire(moved))
    expect(finished.error?.code).toBe('PARTITION_REFUSED')
    expect(findings(events, 'ledger')).toContainEqual(expect.objectContaining({ verdict: 'refused', object: 'anna' }))
    expect(steps(events)).toEqual([])
  })

  it.each<readonly [string, readonly string[], string]>([
    [
      'left behind in part',
      ['CREATE TABLE evil.migration_ledger (version int)', 'INSERT INTO evil.migration_ledger VALUES (4)'],
      'the ledger no longer has 8 tables',
    ],
    ['of tables without their columns', [...LEDGER.map((name) => `CREATE TABLE evil.${name} (${name === 'migration_ledger' ? 'version' : 'x'} int)`), 'INSERT INTO evil.migration_ledger VALUES (4)'], 'that does not belong to sluice'], // prettier-ignore
    [
      'of other columns',
      ['CREATE TABLE evil.migration_ledger (name text, version int)'],
      'that does not belong to sluice',
    ],
  ])('a ledger %s stops no command on other ledgers, and is named', async (_, planted, said) => {
    const place = await makePlace('postgresql', folder.path)
    await noteStream(place, { id: '88', into: { schema: 'public', name: 't' } })
    await place.sql('CREATE SCHEMA evil', ...planted, 'GRANT USAGE ON SCHEMA evil TO PUBLIC', 'GRANT SELECT ON ALL TABLES IN SCHEMA evil TO PUBLIC') // prettier-ignore
    for (const operation of [
      { kind: 'copy-runs', to: place.url, limit: 10 },
      { kind: 'follow-report', stream: '88', to: place.url },
    ] as const) {
      const { finished, events } = await perform(operation)
      expect(finished.error).toBeUndefined()
      expect(events).toContainEqual(
        expect.objectContaining({
          level: 'note',
          message: expect.stringMatching(new RegExp(`^schema evil has a ledger .*${said}`)) as string,
          hint: expect.stringContaining('its owner') as string,
        }),
      )
    }
    const unknown = await perform({ kind: 'sign-off', stream: '99', to: place.url, tables: [] } as unknown as Operation)
    expect(unknown.finished.error?.message).toContain('99')
    expect(unknown.finished.error?.code).toBe('NO_SUCH_TABLE')
    await using oldTable = await parkTable(place)
    expect(oldTable.roles).toHaveLength(2)
    const { finished, events } = await perform(table(place))
    expect(finished.error?.code).toBe('PARTITION_REFUSED')
    expect(findings(events, 'ledger')).toMatchObject([
      { verdict: 'refused', object: 'evil', detail: expect.stringContaining(said) as string },
    ])
  })
})
