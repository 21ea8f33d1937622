/** The PostgreSQL schema that a copy writes to, for any search_path of both logins. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { copyOf, makePlace, missing, perform, type Place, type RunOptions } from '../support/copy-systems.ts'

const why = await missing('postgresql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-schemas-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TABLES = `SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname IN ('t', 'u') AND c.relkind = 'r' ORDER BY 1`

async function database(path: string | null, ...statements: readonly string[]): Promise<Place> {
  const place = await makePlace('postgresql', folder)
  const name = new URL(place.url).pathname.slice(1)
  await place.sql(...statements, ...(path === null ? [] : [`ALTER DATABASE ${name} SET search_path = ${path}`]))
  return place
}

async function found(place: Place): Promise<string> {
  return (await place.rows(TABLES)).map(([name]) => name).join(' ')
}

/** Exit code of an operation, and the tables of the target in its plan. */
async function ends(operation: Operation, options: RunOptions = {}): Promise<string> {
  const { finished, events } = await perform(operation, options)
  const plan = events.findLast((event) => event.type === 'plan.ready')
  const named = (plan?.copies ?? []).map(({ to }) => to)
  const error = finished.error === undefined ? '' : ` ${finished.error.code} ${finished.error.message}`
  return `${finished.exitCode}${error}${named.length === 0 ? '' : ` ${named.join(' ')}`}`
}

const MADE = ['CREATE TABLE public.t (id int PRIMARY KEY, v text)', "INSERT INTO public.t VALUES (1, 'a'), (2, 'b')"]

describe.skipIf(why !== '')(`the schema of a copied table ${why}`, { timeout: 90_000 }, () => {
  test('a schema in --to-table is refused if it would become part of the name', async () => {
    const [from, to] = [await database(null, ...MADE), await database(null, 'CREATE SCHEMA app')]
    const copy = { ...copyOf(from, to, 't'), toTable: 'app.t_new' }
    const { finished } = await perform({ ...copy, dryRun: true })
    expect(finished.error).toMatchObject({
      code: 'BAD_FLAG',
      hint: expect.stringContaining('--to-schema app --to-table t_new') as unknown,
    })
    expect(await ends({ ...copy, toSchema: 'app', toTable: 't_new' })).toBe('0 app.t_new')
    // A name with a dot is accepted if a schema is given, too, or the table exists.
    expect(await ends({ ...copy, toSchema: 'app' })).toBe('0 app.app.t_new')
    await to.sql('CREATE TABLE public."x.y" (id int PRIMARY KEY, v text)')
    expect(await ends({ ...copy, toTable: 'x.y' })).toBe('0 public.x.y')
  })

  test.each([`''`, 'app', 'nosuch'])('is the same if the target has search_path = %s', async (path) => {
    const from = await database(null, ...MADE)
    const to = await database(path, 'CREATE SCHEMA app')
    const copy = copyOf(from, to, 'public.*')
    const follow = { follow: { cdc: 'trigger', until: 'caught-up' } } as const
    expect(await ends({ ...copy, dryRun: true })).toBe('0 public.t')
    expect(await ends(copy)).toBe('0 public.t')
    expect(await found(to)).toBe('public.t')
    expect(await ends({ ...copy, again: true })).toBe('0 public.t')
    expect(await ends({ ...copy, kind: 'diff', limit: 1, fix: false, deleteExtra: false })).toBe('0')
    if (path === 'nosuch') return
    await to.sql('DROP TABLE public.t')
    expect(await ends({ ...copy, ...follow, restart: true })).toBe('0 public.t')
    await from.sql("INSERT INTO public.t VALUES (3, 'c')")
    const { finished, events } = await perform({ ...copy, ...follow })
    expect(finished).toMatchObject({ exitCode: 0 })
    const stream = events.find((event) => event.type === 'follow.started')?.stream ?? ''
    expect(await ends({ kind: 'sign-off', stream, from: from.url, to: to.url, tables: [] })).toBe('0 public.t')
    expect(await to.rows('SELECT count(*) FROM public.t')).toEqual([['3']])
    expect(await found(to)).toBe('public.t')
  })

  test.each([`''`, 'app'])('is the same if the source has search_path = %s', async (path) => {
    const from = await database(path, ...MADE, 'CREATE SCHEMA app', 'CREATE TABLE app.u (id int PRIMARY KEY)')
    const to = await database(null)
    expect(await ends(copyOf(from, to, 'public.t'))).toBe('0 public.t')
    expect(await ends(copyOf(from, to, 'app.u'))).toBe('0 app.u')
    expect(await found(to)).toBe('app.u public.t')
  })

  test('is another one if the URL of the target, or --to-schema, names it', async () => {
    const from = await database(null, ...MADE, 'CREATE SCHEMA app', 'CREATE TABLE app.u (id int PRIMARY KEY)')
    const to = await database(`''`)
    const named = new URL(to.url)
    named.searchParams.set('schema', 'stage')
    expect(await ends(copyOf(from, { url: named.href }, 'public.t'))).toBe('0 stage.t')
    expect(await ends(copyOf(from, { url: named.href }, 'app.u'))).toBe('0 app.u')
    expect(await ends(copyOf(from, to, 'public.t', { toSchema: 'other' }))).toBe('0 other.t')
    expect(await found(to)).toBe('app.u other.t stage.t')
  })

  test.each([
    [`''`, 'public.t'],
    ['app, public', 'app.t'],
  ])('of a system without schemas, with search_path = %s: the target is %s', async (path, name) => {
    const from = await makePlace('sqlite', folder)
    await from.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', "INSERT INTO t VALUES (1, 'a')")
    const to = await database(path, 'CREATE SCHEMA app')
    const copy = copyOf(from, to, 't')
    expect(await ends({ ...copy, dryRun: true })).toBe(`0 ${name}`)
    expect(await ends(copy)).toBe(`0 ${name}`)
    expect(await ends({ ...copy, again: true })).toBe(`0 ${name}`)
    expect(await ends({ ...copy, kind: 'diff', limit: 1, fix: false, deleteExtra: false })).toBe('0')
    expect(await found(to)).toBe(name)
  })

  test('is that of the ledger for a stream that begins again, too', async () => {
    const from = await database(null, ...MADE)
    const to = await database('app', 'CREATE SCHEMA app')
    const copy = copyOf(from, to, 't', { follow: { cdc: 'trigger', until: 'caught-up' } })
    expect(await ends({ ...copy, toSchema: 'app' })).toBe('0 app.t')
    await from.sql("INSERT INTO t VALUES (3, 'c')")
    expect(await ends({ ...copy, restart: true })).toBe('0 app.t')
    expect(await to.rows('SELECT count(*) FROM app.t')).toEqual([['3']])
    await from.sql("INSERT INTO t VALUES (4, 'd')")
    expect(await ends(copy)).toBe('0 app.t')
    expect(await to.rows('SELECT count(*) FROM app.t')).toEqual([['4']])
    expect(await found(to)).toBe('app.t')
  })

  test('is that of the ledger if an older version used the first schema of the search_path', async () => {
    const from = await database(null, ...MADE)
    const to = await database('app', 'CREATE SCHEMA app')
    const copy = copyOf(from, to, 't')
    // The ledger of an older version.
    expect(await ends({ ...copy, toSchema: 'app' })).toBe('0 app.t')
    expect(await ends(copy)).toBe('0 app.t')
    expect(await ends({ ...copy, again: true })).toBe('0 app.t')
    expect(await ends({ ...copy, dryRun: true })).toBe('0 app.t')
    expect(await ends({ ...copy, dryRun: true, restart: true })).toBe('0 app.t')
    // A restart uses the table that the ledger names.
    await from.sql("INSERT INTO t VALUES (3, 'c')")
    const anew = { ...copy, restart: true, onExisting: 'upsert' } as const
    expect(await ends(anew)).toBe('0 app.t')
    expect(await to.rows('SELECT count(*) FROM app.t')).toEqual([['3']])
    await from.sql("INSERT INTO t VALUES (4, 'd')")
    expect(await ends(anew, { sharedRun: '7' })).toBe('0 app.t')
    expect(await to.rows('SELECT count(*) FROM app.t')).toEqual([['4']])
    const turn = await perform(anew, { sharedRun: '7' })
    expect(turn.finished).toMatchObject({ exitCode: 0 })
    // A second task of the shared run does not restart the copy.
    expect(turn.events.filter(({ type }) => type === 'chunk.started')).toEqual([])
    const diff = { ...copy, kind: 'diff', limit: 1, fix: true, deleteExtra: false } as Operation
    expect(await ends(diff)).toBe('0')
    await using store = await openPostgresCopy(to.url)
    expect(store.schema).toBe('app')
    expect(await found(to)).toBe('app.t')
    // A table of the same name from another schema does not belong to this copy.
    await from.sql(
      'CREATE SCHEMA app',
      'CREATE TABLE app.u (id int PRIMARY KEY)',
      'CREATE TABLE public.u (id int PRIMARY KEY)',
    )
    expect(await ends(copyOf(from, to, 'app.u'))).toBe('0 app.u')
    expect(await ends(copyOf(from, to, 'public.u'))).toBe('0 public.u')
  })
})
