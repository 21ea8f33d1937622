/** A copy of the target has the ledger of the original: changes go to the one that was confirmed, and to no other. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import type { Cdc } from '../../src/stores/follow-port.ts'
import {
  copyOf,
  makePlace,
  missing,
  perform,
  placeOn,
  postgresAt,
  type Place,
  type Ran,
  type System,
} from '../support/copy-systems.ts'
import { leftAtSource, startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-moved-'))
let server: PostgresServer
let clones = 0

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

type Stage = {
  readonly source: Place
  readonly original: Place
  readonly stream: string
  /** The command that began the stream, with a target in place of the original. */
  begunInto(to: Place, restart?: true): Promise<Ran>
  /** `follow ID`, with a target. */
  follow(to: Place, more?: { readonly moved?: true; readonly end?: true }): Promise<Ran>
}

async function stageOf(source: Place, original: Place, cdc: Cdc): Promise<Stage> {
  await source.sql('CREATE TABLE t (id int PRIMARY KEY NOT NULL, v varchar(20))', "INSERT INTO t VALUES (1, 'old')")
  if (source.system === 'sqlite') await source.sql('PRAGMA journal_mode = WAL')
  const begunInto = (to: Place, restart?: true): Promise<Ran> =>
    perform({
      ...copyOf(source, to, 't'),
      ...(restart === true ? { restart } : {}),
      follow: { cdc, until: 'caught-up' },
    })
  const begun = await begunInto(original)
  expect(begun.finished, JSON.stringify(begun.finished.error)).toMatchObject({ exitCode: 0 })
  const started = begun.events.find((event) => event.type === 'follow.started')
  const stream = started?.type === 'follow.started' ? started.stream : ''
  const follow = (to: Place, { moved, end }: { readonly moved?: true; readonly end?: true } = {}): Promise<Ran> =>
    perform({
      kind: 'follow',
      stream,
      from: source.url,
      to: to.url,
      end: end === true,
      untilCaughtUp: end !== true,
      untilEqual: false,
      ...(moved === undefined ? {} : { moved }),
    })
  return { source, original, stream, begunInto, follow }
}

async function cloneOf(original: Place): Promise<Place> {
  const url = new URL(original.url)
  if (original.system === 'sqlite') {
    await original.sql('PRAGMA wal_checkpoint(TRUNCATE)')
    const clone = await makePlace('sqlite', folder)
    copyFileSync(url.pathname, new URL(clone.url).pathname)
    return clone
  }
  const name = url.pathname.slice(1)
  const clone = `${name}_${++clones}`
  await postgresAt(server.url()).sql(`CREATE DATABASE ${clone} TEMPLATE ${name}`)
  url.pathname = `/${clone}`
  return postgresAt(url.href)
}

async function valuesIn(place: Place): Promise<string> {
  return (await place.rows('SELECT v FROM t ORDER BY id')).join()
}

const GOES_ON = { exitCode: 0 }
const MOVED = { exitCode: 5, error: { code: 'STREAM_MOVED' } }

const KINDS: readonly (readonly [System, Cdc, System])[] = [
  ['postgresql', 'slot', 'postgresql'],
  ['postgresql', 'slot', 'sqlite'],
  ['postgresql', 'trigger', 'postgresql'],
  ['mysql', 'trigger', 'postgresql'],
  ['sqlite', 'trigger', 'postgresql'],
]
/** Each note has a place of its own; what follows from it is the same for all. */
const ENDED = ALL ? KINDS : KINDS.slice(0, 1)
const absent = await missing('mysql')

describe.skipIf(!POSTGRES_OWN).each(KINDS)(
  `a stream of %s by %s into %s, and a copy of its target ${POSTGRES_MISSING}`,
  { timeout: 60_000 },
  (from, cdc, to) => {
    const onOwn = (system: System): Promise<Place> =>
      system === 'postgresql' ? placeOn('postgresql', server.url()) : makePlace(system, folder)

    test.skipIf(from === 'mysql' && absent !== '')(
      'the copy stops before anything is read, is confirmed, and the original is refused',
      async () => {
        const one = await stageOf(await onOwn(from), await onOwn(to), cdc)
        const clone = await cloneOf(one.original)
        await one.source.sql("INSERT INTO t VALUES (2, 'new')")
        const stopped = await one.begunInto(clone)
        expect(stopped.finished).toMatchObject(MOVED)
        const { message, hint } = stopped.finished.error ?? {}
        for (const place of [one.original, clone]) expect(message).toContain(new URL(place.url).pathname)
        expect(hint).toContain(`sluice follow ${one.stream} --moved`)
        expect(await valuesIn(clone)).toBe('old')
        // It took nothing from the original, whose owner is another one from here on.
        const went = await one.begunInto(one.original)
        expect(went.finished, JSON.stringify(went.finished.error)).toMatchObject(GOES_ON)
        expect(await valuesIn(one.original)).toBe('old,new')
        expect((await one.begunInto(clone)).finished).toMatchObject(MOVED)

        const second = await cloneOf(one.original)
        await one.source.sql("INSERT INTO t VALUES (3, 'last')")
        const confirmed = await one.follow(second, { moved: true })
        expect(confirmed.finished, JSON.stringify(confirmed.finished.error)).toMatchObject(GOES_ON)
        expect(await valuesIn(second)).toBe('old,new,last')
        const refused = await one.follow(one.original)
        expect(refused.finished).toMatchObject(MOVED)
        expect(refused.finished.error?.message).toContain(`goes on into another target`)
        expect(refused.finished.error?.message).toContain(new URL(second.url).pathname)
        // What it lacks it cannot get back.
        expect((await one.follow(one.original, { moved: true })).finished).toMatchObject({
          exitCode: 5,
          error: { code: 'SLOT_LOST' },
        })
        const again = await one.follow(second)
        expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject(GOES_ON)
      },
    )

    test.skipIf((from === 'mysql' && absent !== '') || !ENDED.some(([a, b, c]) => a === from && b === cdc && c === to))(
      'ended or begun anew in the copy, the original keeps what it has at the source',
      async () => {
        const one = await stageOf(await onOwn(from), await onOwn(to), cdc)
        const [clone, second] = [await cloneOf(one.original), await cloneOf(one.original)]
        const ended = await one.follow(clone, { end: true })
        expect(ended.finished, JSON.stringify(ended.finished.error)).toMatchObject(GOES_ON)
        const said = ended.events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')
        expect(said).toContain('has ended here only')
        expect((await one.begunInto(second, true)).finished).toMatchObject(GOES_ON)
        await one.source.sql("INSERT INTO t VALUES (2, 'new')")
        const went = await one.follow(one.original)
        expect(went.finished, JSON.stringify(went.finished.error)).toMatchObject(GOES_ON)
        expect(await valuesIn(one.original)).toBe('old,new')
      },
    )
  },
)

describe.skipIf(!POSTGRES_OWN)(
  `a stream whose target has another address ${POSTGRES_MISSING}`,
  { timeout: 60_000 },
  () => {
    test('a run that follows ends as soon as a copy was confirmed, and takes nothing from it', async () => {
      const one = await stageOf(
        await placeOn('postgresql', server.url()),
        await placeOn('postgresql', server.url()),
        'trigger',
      )
      const clone = await cloneOf(one.original)
      const child = startCopy({ ...copyOf(one.source, one.original, 't'), follow: {} })
      await child.until('follow.progress')
      const confirmed = await one.follow(clone, { moved: true })
      expect(confirmed.finished, JSON.stringify(confirmed.finished.error)).toMatchObject(GOES_ON)
      expect((await child.ended).finished).toMatchObject(MOVED)
      await one.source.sql("INSERT INTO t VALUES (2, 'new')")
      expect((await one.follow(clone)).finished).toMatchObject(GOES_ON)
      expect(await valuesIn(clone)).toBe('old,new')
      expect(await valuesIn(one.original)).toBe('old')
    })

    test('it was renamed: confirmed, it ends with all of it at the source', async () => {
      const one = await stageOf(
        await placeOn('postgresql', server.url()),
        await placeOn('postgresql', server.url()),
        'slot',
      )
      const url = new URL(one.original.url)
      const name = url.pathname.slice(1)
      await postgresAt(server.url()).sql(`ALTER DATABASE ${name} RENAME TO ${name}_new`)
      url.pathname = `/${name}_new`
      const renamed = postgresAt(url.href)
      expect((await one.follow(renamed)).finished).toMatchObject(MOVED)
      expect((await one.follow(renamed, { moved: true })).finished).toMatchObject(GOES_ON)
      // Once it was confirmed it is the target.
      expect((await one.follow(renamed)).finished).toMatchObject(GOES_ON)
      expect((await one.follow(renamed, { end: true })).finished).toMatchObject(GOES_ON)
      expect(
        await leftAtSource({ ...one, target: renamed, names: ['t'], copy: copyOf(one.source, renamed, 't') }),
      ).toEqual([])
    })
  },
)
