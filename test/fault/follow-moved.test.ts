/** A copy of the target has the ledger of the original: changes go only to the one that the user has confirmed. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import type { Cdc, RecordedTarget } from '../../src/model/follow/port.ts'
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
import { startCopy, type Child } from './copy-kit.ts'

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
  /** The command that began the stream, with another target. */
  begunInto(to: Place, restart?: true): Promise<Ran>
  /** `follow ID`, with another target. */
  follow(to: Place, more?: More): Promise<Ran>
}

type More = {
  readonly moved?: true
  readonly end?: true
  /** URL of the source with another login. */
  readonly from?: string
  /** Set if the run is a task of this distributed run. */
  readonly sharedRun?: string
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
  const follow = (to: Place, { moved, end, from = source.url, sharedRun }: More = {}): Promise<Ran> =>
    perform(
      {
        kind: 'follow',
        stream,
        from,
        to: to.url,
        end: end === true,
        untilCaughtUp: end !== true,
        untilEqual: false,
        ...(moved === undefined ? {} : { moved }),
      },
      sharedRun === undefined ? {} : { sharedRun },
    )
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

/** Records another host name of the target for a stream with a slot. @param facts other recorded facts of its server */
async function noteOtherHost({ source, stream }: Stage, facts: Readonly<Record<string, string>> = {}): Promise<void> {
  const name = `sluice_${stream}`
  const [[comment] = []] = await source.rows(
    `SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = '${name}'`,
  )
  const noted = JSON.parse(String(comment)) as { readonly follower: RecordedTarget }
  const address = noted.follower.address.replace(/\/\/[^/]*/, '//pooler:6432')
  const follower = { ...noted.follower, address, addresses: [address], origin: { ...noted.follower.origin, ...facts } }
  const text = JSON.stringify({ ...noted, follower }).replaceAll("'", "''")
  await source.sql(`COMMENT ON PUBLICATION ${name} IS '${text}'`)
}

function logsOf({ events }: Ran): readonly Extract<EventBody, { type: 'log' }>[] {
  return events.filter((event) => event.type === 'log')
}

async function valuesIn(place: Place): Promise<string> {
  return (await place.rows('SELECT v FROM t ORDER BY id')).join()
}

/** A program on another machine that runs the stream, and one on this machine that waits for its lease. */
async function spareOf(one: Stage): Promise<{ readonly child: Child; readonly spare: Promise<Ran> }> {
  const copy = copyOf(one.source, one.original, 't')
  const child = startCopy({ ...copy, follow: {} }, { host: 'elsewhere', leaseMs: 2000 })
  await child.until('follow.progress')
  let spare: Promise<Ran> | undefined
  const waits = new Promise<void>((resolve) => {
    spare = perform(
      { ...copy, follow: { until: 'caught-up' } },
      {
        onEvent: (event) => {
          if (event.type === 'log' && event.message.includes('waiting until its lease ends')) resolve()
        },
      },
    )
  })
  if (spare === undefined) throw new Error('it has not begun')
  await Promise.race([waits, spare])
  return { child, spare }
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
/** Each kind stores the target in another place; the consequences are the same for all. */
const ENDED = ALL ? KINDS : KINDS.slice(0, 1)
const absent = await missing('mysql')

describe.skipIf(!POSTGRES_OWN).each(KINDS)(
  `a stream of %s by %s into %s, and a copy of its target ${POSTGRES_MISSING}`,
  { timeout: 60_000 },
  (from, cdc, to) => {
    const onOwn = (system: System): Promise<Place> =>
      system === 'postgresql' ? placeOn('postgresql', server.url()) : makePlace(system, folder)

    test.skipIf(from === 'mysql' && absent !== '')(
      'the copy stops before it reads anything, is confirmed, and the original is refused',
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
        // The clone took nothing from the original; then another clone is confirmed as the owner.
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
        expect(refused.finished.error?.message).toContain(`now writes into another target`)
        expect(refused.finished.error?.message).toContain(new URL(second.url).pathname)
        // The original cannot get the changes that it lacks.
        expect((await one.follow(one.original, { moved: true })).finished).toMatchObject({
          exitCode: 5,
          error: { code: 'SLOT_LOST' },
        })
        const again = await one.follow(second)
        expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject(GOES_ON)
      },
    )

    test.skipIf((from === 'mysql' && absent !== '') || !ENDED.some(([a, b, c]) => a === from && b === cdc && c === to))(
      'if the stream is ended or restarted in the copy, the original keeps its objects at the source',
      async () => {
        const one = await stageOf(await onOwn(from), await onOwn(to), cdc)
        const [clone, second] = [await cloneOf(one.original), await cloneOf(one.original)]
        const ended = await one.follow(clone, { end: true })
        expect(ended.finished, JSON.stringify(ended.finished.error)).toMatchObject(GOES_ON)
        const said = logsOf(ended).find(({ message }) => message.includes('has ended only in this ledger'))
        // The clone has the ledger with the owner, like a target under another name.
        expect(said?.hint).toContain(`sluice follow ${one.stream} --moved --end`)
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
    test('a running stream ends as soon as a copy is confirmed, and takes no change from it', async () => {
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

    test('after a rename the target is confirmed, and ending the stream removes everything at the source', async () => {
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
      // Once confirmed, it is the target.
      expect((await one.follow(renamed)).finished).toMatchObject(GOES_ON)
      expect((await one.follow(renamed, { end: true })).finished).toMatchObject(GOES_ON)
      expect(
        await leftAtSource({ ...one, target: renamed, names: ['t'], copy: copyOf(one.source, renamed, 't') }),
      ).toEqual([])
    })

    test('a login that may not record the target cannot confirm one', async () => {
      const one = await stageOf(
        await placeOn('postgresql', server.url()),
        await placeOn('postgresql', server.url()),
        'slot',
      )
      const clone = await cloneOf(one.original)
      const from = new URL(one.source.url)
      const role = `reader_${one.stream}`
      await one.source.sql(
        `CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'pass'`,
        `GRANT pg_read_all_data TO ${role}`,
        `ALTER TABLE t OWNER TO ${role}`,
        "INSERT INTO t VALUES (2, 'new')",
      )
      from.username = role
      from.password = 'pass'
      const denied = await one.follow(clone, { moved: true, from: from.href })
      expect(denied.finished, JSON.stringify(denied.finished.error)).toMatchObject({ error: { code: 'SOURCE_DENIED' } })
      expect(denied.finished.error?.hint).toContain(`sluice_${one.stream}`)
      expect(await valuesIn(clone)).toBe('old')
      // For a target that is already recorded, a warning is enough.
      const went = await one.follow(one.original, { from: from.href })
      expect(went.finished, JSON.stringify(went.finished.error)).toMatchObject(GOES_ON)
      expect(logsOf(went).map(({ message }) => message)).toContainEqual(
        expect.stringContaining('could not record the target'),
      )
      expect(await valuesIn(one.original)).toBe('old,new')
      expect((await one.follow(clone)).finished).toMatchObject(MOVED)
    })

    test('a program that waits for the lease does not take the stream back from a copy that was confirmed meanwhile', async () => {
      const one = await stageOf(
        await placeOn('postgresql', server.url()),
        await placeOn('postgresql', server.url()),
        'trigger',
      )
      const clone = await cloneOf(one.original)
      const { child, spare } = await spareOf(one)
      expect((await one.follow(clone, { moved: true })).finished).toMatchObject(GOES_ON)
      expect((await child.ended).finished).toMatchObject(MOVED)
      expect((await spare).finished).toMatchObject(MOVED)
      await one.source.sql("INSERT INTO t VALUES (2, 'new')")
      const went = await one.follow(clone)
      expect(went.finished, JSON.stringify(went.finished.error)).toMatchObject(GOES_ON)
      expect(await valuesIn(clone)).toBe('old,new')
    })

    test('a program that waits for the lease uses what the program before it has recorded', async () => {
      const one = await stageOf(
        await placeOn('postgresql', server.url()),
        await placeOn('postgresql', server.url()),
        'slot',
      )
      const { child, spare } = await spareOf(one)
      await one.original.sql(
        `UPDATE migration_streams SET birth = jsonb_set(birth::jsonb, '{shapes,later}', '"noted"')::text`,
      )
      child.process.kill('SIGKILL')
      const went = await spare
      expect(went.finished, JSON.stringify(went.finished.error)).toMatchObject(GOES_ON)
      const [[startRecord] = []] = await one.original.rows('SELECT birth FROM migration_streams')
      expect(JSON.parse(String(startRecord))).toMatchObject({ shapes: { later: 'noted' } })
    })

    test('a worker may use another address of its target; a user must confirm it, or end the stream as moved', async () => {
      const one = await stageOf(
        await placeOn('postgresql', server.url()),
        await placeOn('postgresql', server.url()),
        'slot',
      )
      await noteOtherHost(one)
      expect((await one.follow(one.original)).finished).toMatchObject(MOVED)
      const clone = await cloneOf(one.original)
      expect((await one.follow(clone, { sharedRun: '7/1' })).finished).toMatchObject(MOVED)
      const shared = await one.follow(one.original, { sharedRun: '7/1' })
      expect(shared.finished, JSON.stringify(shared.finished.error)).toMatchObject(GOES_ON)

      await noteOtherHost(one)
      const ended = await one.follow(one.original, { end: true })
      const said = logsOf(ended).find(({ message }) => message.includes('has ended only in this ledger'))
      expect(said?.hint).toContain(`sluice follow ${one.stream} --moved --end`)
      expect((await one.follow(one.original, { end: true, moved: true })).finished).toMatchObject(GOES_ON)
      const place = { ...one, target: one.original, names: ['t'], copy: copyOf(one.source, one.original, 't') }
      expect(await leftAtSource(place)).toEqual([])
    })

    test('a worker of a distributed run is refused at a copy of the whole server, but not after a restart of the server', async () => {
      const one = await stageOf(
        await placeOn('postgresql', server.url()),
        await placeOn('postgresql', server.url()),
        'slot',
      )
      const copies: readonly Readonly<Record<string, string>>[] = [{ started: '1' }, { timeline: '000000FE' }]
      for (const facts of copies) {
        await noteOtherHost(one, facts)
        const went = await one.follow(one.original, { sharedRun: '7/1' })
        expect(went.finished, JSON.stringify(facts)).toMatchObject(MOVED)
      }
      await noteOtherHost(one)
      // The ledger of a copy from before the last start does not contain the owner.
      await one.original.sql(
        `UPDATE migration_streams SET birth = jsonb_set(birth::jsonb, '{owners}', '["other"]')::text`,
      )
      expect((await one.follow(one.original, { sharedRun: '7/1' })).finished).toMatchObject(MOVED)
      expect((await one.follow(one.original, { moved: true })).finished).toMatchObject(GOES_ON)
      // An address at which this server was reached before is known, even after restarts of the server.
      await noteOtherHost(one)
      expect((await one.follow(one.original, { sharedRun: '7/1' })).finished).toMatchObject(GOES_ON)
      const [[comment] = []] = await one.source.rows(
        `SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = 'sluice_${one.stream}'`,
      )
      const { follower } = JSON.parse(String(comment)) as { readonly follower: RecordedTarget }
      expect(follower.addresses).toHaveLength(2)
      const elsewhere = { ...follower, address: follower.addresses?.[0], origin: { ...follower.origin, started: '1' } }
      const text = JSON.stringify({ ...(JSON.parse(String(comment)) as object), follower: elsewhere })
      await one.source.sql(`COMMENT ON PUBLICATION sluice_${one.stream} IS '${text.replaceAll("'", "''")}'`)
      const shared = await one.follow(one.original, { sharedRun: '7/1' })
      expect(shared.finished, JSON.stringify(shared.finished.error)).toMatchObject(GOES_ON)
    })

    test('a distributed run confirms its target once, and later tasks do not confirm it again', async () => {
      const one = await stageOf(
        await placeOn('postgresql', server.url()),
        await placeOn('postgresql', server.url()),
        'slot',
      )
      const second = await cloneOf(one.original)
      const confirmed = await one.follow(second, { moved: true, sharedRun: '8/1' })
      expect(confirmed.finished, JSON.stringify(confirmed.finished.error)).toMatchObject(GOES_ON)
      expect((await one.follow(second, { moved: true, sharedRun: '8/2' })).finished).toMatchObject(GOES_ON)
      const third = await cloneOf(second)
      expect((await one.follow(third, { moved: true })).finished).toMatchObject(GOES_ON)
      expect((await one.follow(second, { moved: true, sharedRun: '8/3' })).finished).toMatchObject(MOVED)
      expect((await one.follow(third)).finished).toMatchObject(GOES_ON)
    })
  },
)
