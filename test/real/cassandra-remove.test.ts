/**
 * Proved rows are removed from Cassandra, but none that was written later. Also tests time conditions, which the reader
 * evaluates.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { types } from 'cassandra-driver'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TableSpec } from '../../src/model/copy/column-type.ts'
import { RING_TOKENS, rangeOfTokens, splitTokens } from '../../src/model/copy/ring.ts'
import type { RemoveRequest, StepEnd } from '../../src/model/archive/port.ts'
import { removeCassandraRows } from '../../src/stores/cassandra/archive/remove.ts'
import { RequestFlow } from '../../src/stores/cassandra/copy/flow.ts'
import { removeKeys } from '../../src/stores/cassandra/copy/timed-removal.ts'
import { cassandraTableShape } from '../../src/stores/cassandra/copy/shape.ts'
import type { CassandraLink } from '../../src/stores/cassandra/connect.ts'
import { openCassandraCopy } from '../../src/stores/cassandra/copy/index.ts'
import type { Closing } from '../../src/model/run/ledger-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf } from '../support/archive-places.ts'
import { perform } from '../support/copy-systems.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { columnsOf, cutAll, readAll, refused, rowsOf, SIGNAL, tableOf } from './copy-mysql-kit.ts'

let keyspace: TestKeyspace
let store: CopyStore
let steps = 0

// Each attempt has its own keyspace: Cassandra 2.1 writes with prepared statements of a dropped table into that table.
beforeEach(async () => {
  keyspace = await newKeyspace()
  store = await openCassandraCopy(keyspace.url, {
    cassandra: { readConsistency: 'ONE', writeConsistency: 'ONE' },
  })
  const ledger = await store.ledger()
  await ledger.batch([
    { sql: 'CREATE TABLE IF NOT EXISTS steps (id INTEGER PRIMARY KEY, fence INTEGER, status TEXT)', parameters: [] },
  ])
}, 120_000)

afterEach(async () => {
  await store?.[Symbol.asyncDispose]()
  await keyspace?.[Symbol.asyncDispose]()
})

/** A past write time, in microseconds. */
const OLD = 1_700_000_000_000_000n
const DAY = 86_400_000
const APRIL = Date.UTC(2024, 3, 1)

/** 250 rows of the year 2024, ten per partition. */
async function bookings(name: string, more = ''): Promise<TableSpec> {
  await keyspace.cql(
    `CREATE TABLE ${name} (p int, c int, at timestamp, note text, f double${more === '' ? '' : `, ${more}`}, PRIMARY KEY (p, c))`,
  )
  const cql = `INSERT INTO ${keyspace.name}.${name} (p, c, at, note, f) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ${OLD}`
  const rows = Array.from({ length: 250 }, (_, i) => [i % 50, i, new Date(Date.UTC(2024, 0, 1) + ((i * 7) % 366) * DAY), i % 5 === 0 ? null : `note ${i}`, i / 3]) // prettier-ignore
  await Promise.all(rows.map((row) => keyspace.link.client.execute(cql, row, { prepare: true })))
  return tableOf(store, name)
}

function springOf(table: TableSpec): string {
  const at = table.columns.find(({ name }) => name === 'at')
  return at === undefined ? '' : (store.offers.times!.condition(at, '2024-04-01', '2024-07-01') ?? '')
}

async function step(fence = 1): Promise<Closing & { status(): Promise<unknown> }> {
  const id = ++steps
  const ledger = await store.ledger()
  await ledger.batch([{ sql: `INSERT INTO steps VALUES (?, 1, 'open')`, parameters: [id] }])
  const held = (status: string) => ({
    sql: 'SELECT 1 FROM steps WHERE id = ? AND fence = ? AND status = ?',
    parameters: [id, fence, status],
  })
  return {
    statements: [
      {
        sql: `UPDATE steps SET status = 'done' WHERE id = ? AND fence = ? AND status = 'open'`,
        parameters: [id, fence],
      },
    ],
    guard: held('open'),
    landed: held('done'),
    status: async () => (await ledger.all('SELECT status FROM steps WHERE id = ?', [id]))[0]?.[0],
  }
}

type Options = Partial<RemoveRequest> & { readonly fence?: number }

async function requestOf(table: TableSpec, { fence, ...more }: Options = {}): Promise<RemoveRequest> {
  const request = { table, columns: columnsOf(table), range: { by: 'all' } as const, where: springOf(table), ...more }
  await using view = await store.source(SIGNAL)
  const proof = await view.digest({ ...request, ordered: false }, SIGNAL)
  const rows = await readAll(view, { ...request, ordered: false })
  const archived = (): AsyncIterable<typeof rows> => Readable.from([rows])
  return { expect: proof, archived, closing: await step(fence), signal: SIGNAL, ...request }
}

async function remove(table: TableSpec, options: Options = {}, between?: () => Promise<unknown>): Promise<StepEnd> {
  const request = await requestOf(table, options)
  await between?.()
  return await store.target().remove!(request)
}

/** Removes rows; `meddle` runs before each statement to the cluster. */
async function meddled(request: RemoveRequest, meddle: (cql: string) => Promise<void>): Promise<StepEnd> {
  return await removeCassandraRows(
    { link: meddledLink(meddle), flow: new RequestFlow(8), ledger: await store.ledger() },
    request,
  )
}

function meddledLink(meddle: (cql: string) => Promise<void>): CassandraLink {
  const { client } = keyspace.link
  const execute = async (cql: string, parameters: unknown[], options: object): Promise<types.ResultSet> => {
    await meddle(cql)
    return client.execute(cql, parameters, options)
  }
  const handled = new Proxy(client, {
    get: (target, name) => (name === 'execute' ? execute : (Reflect.get(target, name, target) as unknown)),
  })
  return { ...keyspace.link, client: handled }
}

async function idsOf(name: string, which: (row: types.Row) => boolean = () => true): Promise<readonly number[]> {
  const rows = await keyspace.rows(`SELECT * FROM ${keyspace.name}.${name}`)
  return rows.filter(which).map((row) => Number(row.get('c')))
}
const inSpring = (row: types.Row): boolean => {
  const at = (row.get('at') as Date | null)?.getTime() ?? 0
  return at >= APRIL && at < Date.UTC(2024, 6, 1)
}

describe('rows are removed from Cassandra', () => {
  test('if they are those that were proved, and no others', async () => {
    const table = await bookings('plain')
    const spring = (await idsOf('plain', inSpring)).length
    expect(spring).toBeGreaterThan(50)
    const request = await requestOf(table)
    expect(request.expect.rows).toBe(BigInt(spring))
    expect(await store.target().remove!(request)).toBe('done')
    expect(await idsOf('plain')).toHaveLength(250 - spring)
    expect(await idsOf('plain', inSpring)).toEqual([])
    // By tokens, the whole ring: no row is left.
    const { low, high } = RING_TOKENS.murmur3
    for (const part of splitTokens(low, high, 3)) {
      expect(await remove(table, { range: rangeOfTokens(part, RING_TOKENS.murmur3), where: null })).toBe('done')
    }
    expect(await idsOf('plain')).toEqual([])
    const ledger = await store.ledger()
    expect(await ledger.all('SELECT COUNT(*) FROM migration_removals')).toEqual([[0]])
  })

  test('with hostile names, with collections that were extended later, and rows that are only a key', async () => {
    await keyspace.cql(
      `CREATE TABLE "Weird" ("K ""1" text, c int, "se""t; --" set<text>, l list<int>, v int, PRIMARY KEY ("K ""1", c))`,
      `INSERT INTO "Weird" ("K ""1", c, "se""t; --", v) VALUES ('it''s', 1, {'a'}, 1) USING TIMESTAMP ${OLD}`,
      `UPDATE "Weird" USING TIMESTAMP ${OLD + 5n} SET "se""t; --" = "se""t; --" + {'b'}, l = [1, 2] WHERE "K ""1" = 'it''s' AND c = 1`,
      `INSERT INTO "Weird" ("K ""1", c) VALUES ('it''s', 2) USING TIMESTAMP ${OLD}`,
      // The key has a later write time than the value.
      `INSERT INTO "Weird" ("K ""1", c, v) VALUES ('it''s', 3, 3) USING TIMESTAMP ${OLD}`,
      `INSERT INTO "Weird" ("K ""1", c) VALUES ('it''s', 3) USING TIMESTAMP ${OLD + 9n}`,
    )
    const [table] = await store.tables('Weird', SIGNAL)
    expect(await remove(table!, { where: null, range: { by: 'keys', keys: [[`it's`, '2']] } })).toBe('done')
    expect(await remove(table!, { where: null })).toBe('done')
    expect(await keyspace.rows(`SELECT * FROM ${keyspace.name}."Weird"`)).toEqual([])
  })
})

describe('nothing is removed from Cassandra', () => {
  test('if a value or a row differs, the step is lost, or it is another table', async () => {
    const table = await bookings('kept')
    const all = await idsOf('kept')
    const [one = 0] = await idsOf('kept', inSpring)
    const key = `p = ${one % 50} AND c = ${one}`
    expect(await remove(table, {}, () => keyspace.cql(`UPDATE kept SET note = 'x' WHERE ${key}`))).toBe('differs')
    expect(await remove(table, {}, () => keyspace.cql(`INSERT INTO kept (p, c, at) VALUES (1, 9000, ${APRIL})`))).toBe(
      'differs',
    )
    expect(await remove(table, {}, () => keyspace.cql('DELETE FROM kept WHERE p = 1 AND c = 9000'))).toBe('differs')
    const lost = await requestOf(table, { fence: 2 })
    expect(await store.target().remove!(lost)).toBe('fenced')
    const columns = columnsOf(table).filter(({ name }) => name !== 'note')
    expect(await remove(table, { columns })).toBe('differs')
    expect(await remove(table, {}, () => keyspace.cql('ALTER TABLE kept ADD more int'))).toBe('gone')
    expect(await idsOf('kept')).toEqual(all)
  })

  test('a row with a write time in the future is refused by its key before any row is removed', async () => {
    const table = await bookings('ahead')
    const ahead = BigInt(Date.now() + 30 * DAY) * 1000n
    await keyspace.cql(`UPDATE ahead USING TIMESTAMP ${ahead} SET note = 'ahead' WHERE p = 20 AND c = 20`)
    const before = await idsOf('ahead')
    expect(await refused(remove(table))).toMatchObject({
      code: 'VALUE_REFUSED',
      message: expect.stringMatching(/\(20, 20\).*ahead of the clock/) as string,
    })
    expect(await idsOf('ahead')).toEqual(before)
    // A writer whose clock is a little ahead is accepted.
    const soon = BigInt(Date.now() + 60_000) * 1000n
    const near = await bookings('near')
    await keyspace.cql(`UPDATE near USING TIMESTAMP ${soon} SET note = 'near' WHERE p = 20 AND c = 20`)
    expect([await remove(near), await idsOf('near', inSpring)]).toEqual(['done', []])
  })

  test('from tables with counters, or with static columns', async () => {
    await keyspace.cql(
      'CREATE TABLE counted (p int PRIMARY KEY, n counter)',
      'UPDATE counted SET n = n + 1 WHERE p = 1',
      'CREATE TABLE shared (p int, c int, s text static, PRIMARY KEY (p, c))',
      `INSERT INTO shared (p, c, s) VALUES (1, 1, 'all')`,
    )
    for (const name of ['counted', 'shared']) {
      const table = await tableOf(store, name)
      expect((await refused(remove(table, { where: null }))).code, name).toBe('UNSUPPORTED_TYPE')
      expect(await keyspace.rows(`SELECT * FROM ${keyspace.name}.${name}`)).toHaveLength(1)
    }
  })
})

describe('rows that are written to Cassandra during a removal', () => {
  test('stay, if they are written before a row is removed or between its read and its removal', async () => {
    const table = await bookings('raced')
    const [first = 0, second = 0] = await idsOf('raced', inSpring)
    const change = (id: number): Promise<void> =>
      keyspace.cql(`UPDATE raced SET note = 'newer' WHERE p = ${id % 50} AND c = ${id}`)
    const request = await requestOf(table)
    let deletes = 0
    const end = await meddled(request, async (cql) => {
      if (!cql.startsWith('DELETE FROM') || deletes++ > 0) return
      await change(first)
      await change(second)
    })
    expect(end).toBe('differs')
    const notes = await keyspace.rows(`SELECT c, note FROM ${keyspace.name}.raced`)
    const newer = notes.filter((row) => row.get('note') === 'newer').map((row) => Number(row.get('c')))
    expect(new Set(newer)).toEqual(new Set([first, second]))
    // Their remaining values have no time column any more: a second removal finds rows that are not in the archive.
    expect(await store.target().remove!({ ...request, where: null })).toBe('differs')
    expect((await idsOf('raced', (row) => row.get('note') === 'newer')).length).toBe(2)
  })

  test('stop the removal if they are written between the proof and the batches', async () => {
    const table = await bookings('later')
    const all = await idsOf('later')
    const [one = 0] = await idsOf('later', inSpring)
    const request = await requestOf(table)
    let inspections = 0
    const end = await meddled(request, async (cql) => {
      if (!/^SELECT .*"note"/.test(cql) || ++inspections !== 2) return
      await keyspace.cql(`UPDATE later SET note = 'newer' WHERE p = ${one % 50} AND c = ${one}`)
    })
    expect([end, inspections]).toEqual(['differs', 2])
    expect(await idsOf('later')).toEqual(all)
  })
})

describe('rows that are removed by their keys, as --delete-extra does', () => {
  const table = 'p int, c int, s set<int> static, tags set<text>, v int, PRIMARY KEY (p, c)'
  const removed = async (name: string, key: (string | null)[], meddle = async (_cql: string) => {}) => {
    const spec = await tableOf(store, name)
    const request = { table: spec, columns: columnsOf(spec), range: { by: 'keys', keys: [key] }, onExisting: 'replace-range', careful: false, cursor: null, signal: SIGNAL } as const // prettier-ignore
    await removeKeys(
      meddledLink(meddle),
      request,
      await cassandraTableShape(keyspace.link, spec.table),
      new RequestFlow(8),
    )
    return (await keyspace.rows(`SELECT c, s, tags, v FROM ${keyspace.name}.${name}`)).map((row) => row.values())
  }

  test.for([
    ['nothing but a collection', `UPDATE kN USING TIMESTAMP ${OLD} SET tags = {'old'} WHERE p = 1 AND c = 1`],
    ['nothing but its key', `INSERT INTO kN (p, c) VALUES (1, 1) USING TIMESTAMP ${OLD}`],
    ['a value', `INSERT INTO kN (p, c, tags, v) VALUES (1, 1, {'old'}, 1) USING TIMESTAMP ${OLD}`],
  ] as const)('are gone, but not values written meanwhile: %s', async ([, insert], { task }) => {
    const name = `k${task.id.replaceAll(/\W/g, '_')}`
    const write = insert.replace('kN', name)
    await keyspace.cql(`CREATE TABLE ${name} (${table})`, write)
    expect(await removed(name, ['1', '1'])).toEqual([])
    await keyspace.cql(`DROP TABLE ${name}`, `CREATE TABLE ${name} (${table})`, write)
    for (const more of [`tags = tags + {'new'}`, 'v = 2']) {
      const meddle = async (cql: string): Promise<void> => {
        if (cql.startsWith('DELETE')) await keyspace.cql(`UPDATE ${name} SET ${more} WHERE p = 1 AND c = 1`)
      }
      expect(await removed(name, ['1', '1'], meddle), more).toHaveLength(1)
    }
  })

  test('static values of a partition without rows are removed', async () => {
    await keyspace.cql(
      `CREATE TABLE static_keys (${table})`,
      `UPDATE static_keys USING TIMESTAMP ${OLD} SET s = {1} WHERE p = 1`,
    )
    const meddle = async (cql: string): Promise<void> => {
      if (cql.startsWith('DELETE')) await keyspace.cql('UPDATE static_keys SET s = s + {2} WHERE p = 1')
    }
    expect(await removed('static_keys', ['1', null], meddle)).toEqual([[null, new Set([2]), null, null]])
  })
})

test('a removal of a killed program is resumed', async () => {
  const table = await bookings('killed')
  const spring = await idsOf('killed', inSpring)
  const request = await requestOf(table)
  let deletes = 0
  const killed = meddled(request, (cql) => {
    if (cql.startsWith('DELETE FROM') && ++deletes > 40) return Promise.reject(new Error('killed'))
    return Promise.resolve()
  })
  await expect(killed).rejects.toThrow('killed')
  const left = await idsOf('killed', inSpring)
  expect(left.length).toBeLessThan(spring.length)
  expect(left.length).toBeGreaterThan(0)
  // A new row of another program blocks the completion, and stays.
  await keyspace.cql(`INSERT INTO killed (p, c, at) VALUES (1, 9000, ${APRIL})`)
  const again = { ...request, closing: await step() }
  expect(await store.target().remove!(again)).toBe('differs')
  expect(await idsOf('killed', inSpring)).toEqual([9000])
  await keyspace.cql('DELETE FROM killed WHERE p = 1 AND c = 9000')
  const closing = await step()
  expect(await store.target().remove!({ ...request, closing })).toBe('done')
  expect([await closing.status(), await idsOf('killed')]).toEqual([
    'done',
    expect.toSatisfy((ids: unknown[]) => ids.length === 250 - spring.length),
  ])
  // After the step is closed, the proof is forgotten: other rows in its place are not removed.
  expect(await store.target().remove!({ ...request, closing: await step() })).toBe('differs')
})

test('a resumed removal leaves rows that are not archived, also with old write times', async () => {
  const table = await bookings('backfilled')
  const request = await requestOf(table)
  let deletes = 0
  const killed = meddled(request, (cql) => {
    if (cql.startsWith('DELETE FROM') && ++deletes > 20) return Promise.reject(new Error('killed'))
    return Promise.resolve()
  })
  await expect(killed).rejects.toThrow('killed')
  const [changed = 0] = await idsOf('backfilled', inSpring)
  await keyspace.cql(
    `INSERT INTO backfilled (p, c, at) VALUES (1, 9000, ${APRIL}) USING TIMESTAMP ${OLD + 5n}`,
    `UPDATE backfilled USING TIMESTAMP ${OLD + 5n} SET note = 'x' WHERE p = ${changed % 50} AND c = ${changed}`,
  )
  expect(await store.target().remove!({ ...request, closing: await step() })).toBe('differs')
  expect(new Set(await idsOf('backfilled', inSpring))).toEqual(new Set([9000, changed]))
  // Without the archive, nothing shows that the remaining row is archived.
  await keyspace.cql('DELETE FROM backfilled WHERE p = 1 AND c = 9000')
  const { archived: _, ...unread } = request
  expect(await store.target().remove!({ ...unread, closing: await step() })).toBe('differs')
  expect(await idsOf('backfilled', inSpring)).toEqual([changed])
})

test('a row with a value in a column that the archive lacks stays, and an empty one is removed', async () => {
  const table = await bookings('widened', 'flag int, tags set<text>')
  const columns = columnsOf(table).filter(({ name }) => !['flag', 'tags'].includes(name))
  const request = await requestOf(table, { columns })
  const [one = 0] = await idsOf('widened', inSpring)
  const key = `p = ${one % 50} AND c = ${one}`
  await keyspace.cql(`UPDATE widened SET tags = {'a'} WHERE ${key}`)
  expect(await store.target().remove!({ ...request, closing: await step() })).toBe('differs')
  expect((await idsOf('widened', inSpring)).length).toBe(Number(request.expect.rows))
  await keyspace.cql(`DELETE tags FROM widened WHERE ${key}`)
  let deletes = 0
  const killed = meddled(request, (cql) => {
    if (cql.startsWith('DELETE FROM') && ++deletes > 20) return Promise.reject(new Error('killed'))
    return Promise.resolve()
  })
  await expect(killed).rejects.toThrow('killed')
  const [left = 0] = await idsOf('widened', inSpring)
  await keyspace.cql(`UPDATE widened USING TIMESTAMP ${OLD} SET flag = 1 WHERE p = ${left % 50} AND c = ${left}`)
  expect(await store.target().remove!({ ...request, closing: await step() })).toBe('differs')
  expect(await idsOf('widened', inSpring)).toEqual([left])
})

describe('time conditions in Cassandra', () => {
  test('are evaluated by the reader, on plain columns, in all kinds of reads', async () => {
    const table = await bookings('timed', '"Epoch" bigint')
    await keyspace.cql(
      `INSERT INTO timed (p, c, at, "Epoch") VALUES (99, 9000, ${APRIL}, 5)`,
      `INSERT INTO timed (p, c, at, "Epoch") VALUES (99, 9001, ${APRIL - 1}, 4)`,
      `INSERT INTO timed (p, c, "Epoch") VALUES (99, 9002, 7)`,
    )
    const column = (name: string) => table.columns.find((one) => one.name === name)!
    const spring = store.offers.times!.condition(column('at'), '2024-04-01', '2024-07-01')
    expect(spring).toBe(`"at" >= ${APRIL} AND "at" < ${Date.UTC(2024, 6, 1)}`)
    const wanted = await idsOf('timed', inSpring)
    await using view = await store.source(SIGNAL)
    const request = rowsOf(table, { where: spring, range: { by: 'all' } })
    const at = table.columns.findIndex(({ name }) => name === 'c')
    expect(new Set((await readAll(view, request)).map((row) => Number(row[at])))).toEqual(new Set(wanted))
    expect((await view.digest(request, SIGNAL)).rows).toBe(BigInt(wanted.length))
    expect((await view.extent(table, spring, true)).rows).toBe(BigInt(wanted.length))
    let cut = 0n
    for (const range of await cutAll(view, table, 100, spring))
      cut += (await view.digest({ ...request, range }, SIGNAL)).rows
    expect(cut).toBe(BigInt(wanted.length))
    const some = rowsOf(table, {
      where: spring,
      columns: columnsOf(table).slice(0, 1),
      range: {
        by: 'keys',
        keys: [
          ['99', '9000'],
          ['99', '9001'],
        ],
      },
    })
    expect(await readAll(view, some)).toEqual([['99']])

    const count = async (where: string | null) => (await view.digest({ ...request, where }, SIGNAL)).rows
    expect(await count(store.offers.times!.condition(column('Epoch'), '5', '7'))).toBe(1n)
    expect(await count(store.offers.times!.condition(column('Epoch'), null, '5'))).toBe(1n)
    expect(await count(store.offers.times!.condition(column('Epoch'), null, null))).toBe(3n)
    expect(await count(store.offers.times!.condition(column('c'), '9000', null))).toBe(3n)
    expect(await count(store.offers.times!.condition(column('p'), '99', null))).toBe(3n)
    expect(store.offers.times!.condition(column('note'), null, null)).toBe(null)
    expect(await store.offers.timeExtents!.of(table, column('at'), SIGNAL)).toEqual({
      low: '2024-01-01 00:00:00',
      high: expect.stringMatching(/^2024-12-3/) as string,
      nulls: 1n,
    })
    expect(await store.offers.timeExtents!.of(table, column('Epoch'), SIGNAL)).toEqual({
      low: '4',
      high: '7',
      nulls: 250n,
    })
  })
})

test('a run names counters and static columns, whose rows no drop removes', { timeout: 120_000 }, async () => {
  await keyspace.cql(
    'CREATE TABLE hits (id bigint, at timestamp, n counter, PRIMARY KEY (id, at))',
    "UPDATE hits SET n = n + 5 WHERE id = 1 AND at = '2020-01-02T00:00:00Z'",
    'CREATE TABLE owned (id bigint, at timestamp, owner text STATIC, PRIMARY KEY (id, at))',
    "INSERT INTO owned (id, at, owner) VALUES (1, '2020-01-02T00:00:00Z', 'a')",
  )
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cassandra-remove-'))
  try {
    const { run, drop } = commandsOf({ place: keyspace, form: 'plain', to: folder })
    for (const [table, why] of [
      ['hits', 'has counters, which cannot be restored after their removal'],
      ['owned', 'the table has static columns (owner)'],
    ] as const) {
      const { finished, events } = await perform({ ...run, tables: [table] } as Operation)
      expect(finished.error).toBeUndefined()
      const warnings = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
      const refusals = warnings.filter((message) => message.startsWith('a run with --drop would be refused'))
      expect(refusals.join()).toContain(why)
      const dropped = (await perform({ ...drop, tables: [table], confirm: table } as Operation)).finished
      expect(dropped.error).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
