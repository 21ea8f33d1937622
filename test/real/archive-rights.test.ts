/**
 * PostgreSQL logins without a required privilege are refused before any partition leaves, with the statement that
 * grants it.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-rights-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

beforeEach(async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
})

type Login = { readonly name: string; readonly url: string }

/** A partitioned table owned by a login without privileges on the database, and a login that may read the table. */
async function withLogins(): Promise<
  { readonly place: Place; readonly to: string; readonly database: string } & Record<'owner' | 'reader', Login>
> {
  const place = await makePlace('postgresql', folder)
  const { to } = await makeBookings(place, 'native', mkdtempSync(join(folder, 'native-')), 20)
  const database = new URL(place.url).pathname.slice(1)
  const login = (kind: string): Login => {
    const url = new URL(place.url)
    url.username = `${kind}_${database}`
    url.password = 'secret'
    return { name: `"${kind}_${database}"`, url: url.href }
  }
  const [owner, reader] = [login('owner'), login('reader')]
  await place.sql(
    ...[owner, reader].map(({ name }) => `CREATE ROLE ${name} LOGIN PASSWORD 'secret'`),
    `GRANT CREATE ON SCHEMA public TO ${owner.name}`,
    ...['', '_0', '_1', '_2'].map((suffix) => `ALTER TABLE ${TABLE}${suffix} OWNER TO ${owner.name}`),
    `GRANT SELECT ON ${TABLE} TO ${reader.name}`,
  )
  return { place, to, database, owner, reader }
}

async function dropLogins(place: Place, ...logins: readonly Login[]): Promise<void> {
  await place.sql(...logins.flatMap(({ name }) => [`DROP OWNED BY ${name} CASCADE`, `DROP ROLE ${name}`]))
}

test('an owner who may not create the schema for detached partitions is refused before rows are exported', async () => {
  const { place, to, database, owner, reader } = await withLogins()
  const { run, drop } = commandsOf({ place: owner, form: 'native', to })
  const refusedFor = async (statement: string): Promise<void> => {
    for (const command of [{ ...drop, dryRun: true }, drop, run]) {
      const { events, finished } = await perform(command)
      expect(finished.error).toMatchObject({ message: 'Permission denied' })
      expect(finished.error?.hint).toContain(statement)
      expect(events.filter(({ type }) => type === 'archive.state')).toEqual([])
    }
  }
  await refusedFor(`GRANT CREATE ON DATABASE "${database}" TO ${owner.name}`)
  await place.sql('CREATE SCHEMA sluice_archived')
  await refusedFor(`GRANT USAGE, CREATE ON SCHEMA "sluice_archived" TO ${owner.name}`)
  await place.sql(`GRANT USAGE, CREATE ON SCHEMA sluice_archived TO ${owner.name}`)
  expect((await perform({ ...run, detach: false } as typeof run)).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  // Only the owner can drop a detached table.
  await place.sql(`REVOKE CREATE ON SCHEMA sluice_archived FROM ${owner.name}`)
  expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
  await dropLogins(place, owner, reader)
})

test('a schema for detached partitions of another role is refused by name before any partition leaves', async () => {
  const { place, to, owner, reader } = await withLogins()
  await place.sql(`CREATE SCHEMA sluice_archived AUTHORIZATION ${reader.name}`)
  const { run } = commandsOf({ place, form: 'native', to })
  for (const dryRun of [true, false]) {
    const { events, finished } = await perform({ ...run, dryRun } as typeof run)
    expect(finished.error).toMatchObject({ code: 'TABLE_REFUSED', message: expect.stringContaining('sluice_archived') })
    expect(finished.error?.reason).toContain(`it belongs to the role ${reader.name.slice(1, -1)}`)
    expect(finished.error?.hint).toContain('OWNER TO')
    expect(events.filter(({ type }) => type === 'archive.state')).toEqual([])
  }
  await place.sql('ALTER SCHEMA sluice_archived OWNER TO CURRENT_USER')
  // Also if it changes between the plan and the first detach.
  let is = false
  const between = await perform(run, {
    onEvent: ({ type }) => {
      if (type !== 'archive.state' || is) return
      is = true
      execFileSync('psql', [place.url, '-qc', `ALTER SCHEMA sluice_archived OWNER TO ${reader.name}`])
    },
  })
  expect([is, between.finished.exitCode === 0]).toEqual([true, false])
  expect(JSON.stringify(between.events)).toContain(
    'sluice refuses to use schema sluice_archived, which has a name reserved for sluice',
  )
  expect(await place.rows(`SELECT FROM pg_class WHERE relnamespace = 'sluice_archived'::regnamespace`)).toEqual([])
  await place.sql('ALTER SCHEMA sluice_archived OWNER TO CURRENT_USER')
  expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  await dropLogins(place, owner, reader)
})

test('a login that does not own the table is refused by name, also in a dry run', async () => {
  const { place, to, owner, reader } = await withLogins()
  await place.sql(`GRANT CREATE ON SCHEMA public TO ${reader.name}`)
  const { drop } = commandsOf({ place: reader, form: 'native', to })
  for (const dryRun of [true, false]) {
    const { error } = (await perform({ ...drop, dryRun } as typeof drop)).finished
    expect(error?.reason).toBe(`only its owner, ${owner.name.slice(1, -1)}, can detach a partition of the table`)
  }
  await dropLogins(place, owner, reader)
})

test('a login that reads archives needs SELECT on all tables of the ledger', async () => {
  const { place, to, owner, reader } = await withLogins()
  expect((await perform(commandsOf({ place, form: 'native', to }).drop)).finished).toMatchObject({ exitCode: 0 })
  const commands = commandsOf({ place: reader, form: 'native', to })
  for (const command of [commands.query, commands.verify]) {
    const { error } = (await perform(command)).finished
    expect(error?.code).toBe('SOURCE_DENIED')
    expect(error?.hint).toContain('SELECT ON ALL TABLES IN SCHEMA')
    expect(error?.hint).not.toContain('INSERT')
  }
  const changes = await perform(commands.drop)
  expect(changes.finished.error?.hint).toContain('SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA')
  await place.sql(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${reader.name}`)
  expect((await perform(commands.query)).finished).toMatchObject({ exitCode: 0 })
  await dropLogins(place, owner, reader)
})
