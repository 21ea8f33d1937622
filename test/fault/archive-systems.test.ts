/** From the first run to the last restore: out of MySQL, out of Cassandra, and into a bucket that fails. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, observe, TABLE } from '../support/archive-places.ts'
import { CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { conditionalS3 } from '../real/archive-log-s3-kit.ts'
import { S3_AVAILABLE, startS3 } from '../support/servers/s3.ts'
import { startProxy } from '../support/servers/proxy.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-archive-systems-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Commands = ReturnType<typeof commandsOf>

/** @param look reads the rows of the table, in order */
async function everyStep(commands: Commands, look: () => Promise<readonly (readonly unknown[])[]>): Promise<void> {
  const before = await look()
  const { counted } = await countedBy(commands.query)
  expect(counted.split(' ')[0]).toBe(String(before.length))
  for (const stage of ['run', 'drop', 'verify', 'restore'] as const) {
    const { finished } = await perform(commands[stage])
    expect(finished.error, stage).toBeUndefined()
    expect(finished.exitCode, stage).toBe(0)
    expect((await countedBy(commands.query)).counted, stage).toBe(counted)
    if (stage === 'drop') expect(await look()).toHaveLength(before.length / 3)
  }
  expect(await look()).toEqual(before)
}

test('every command works with MySQL', { timeout: 60_000 }, async (context) => {
  const why = await missing('mysql')
  context.skip(why !== '', why)
  const archived = await makeBookings(await makePlace('mysql', folder), 'plain', mkdtempSync(join(folder, 'to-')), 100)
  await everyStep(commandsOf(archived), () =>
    archived.place.rows(`SELECT id, at, note, amount FROM ${TABLE} ORDER BY id`),
  )
})

test(
  'every command works with PostgreSQL, and ranges of a timestamp with time zone',
  { timeout: 60_000 },
  async (context) => {
    const why = await missing('postgresql')
    context.skip(why !== '', why)
    const archived = await makeBookings(
      await makePlace('postgresql', folder),
      'plain',
      mkdtempSync(join(folder, 'to-')),
      100,
    )
    await archived.place.sql(`ALTER TABLE ${TABLE} ALTER at TYPE timestamptz USING at AT TIME ZONE 'UTC'`)
    await everyStep(commandsOf(archived), () =>
      archived.place.rows(`SELECT id, at, note, amount FROM ${TABLE} ORDER BY id`),
    )
  },
)

test.skipIf(CASSANDRA_MISSING !== '')('every command works with Cassandra', { timeout: 120_000 }, async () => {
  await using keyspace = await newKeyspace()
  await keyspace.cql(`CREATE TABLE ${TABLE} (id bigint PRIMARY KEY, at timestamp, note text, amount decimal)`)
  for (const [i, from] of ['2020-01-01', '2020-04-01', '2090-01-01'].entries()) {
    for (let n = 0; n < 40; n++) {
      const at = new Date(Date.parse(`${from}T00:00:00Z`) + n * 3_600_000).toISOString()
      await keyspace.cql(
        `INSERT INTO ${TABLE} (id, at, note, amount) VALUES (${i * 1000 + n}, '${at}', 'row ${n}', ${n}.25)`,
      )
    }
  }
  // Steps that cannot be undone wait for one and a half times this period; the default would make them wait 15 seconds.
  const url = `${keyspace.url}?commitlog_sync_period=1`
  const commands = commandsOf({ place: { url }, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
  const {
    by: _,
    olderThan: __,
    ...byValue
  } = { ...(commands.run as Extract<Operation, { kind: 'archive' }>), byValue: 'note' }
  expect((await perform(byValue)).finished.error).toMatchObject({
    code: 'UNSUPPORTED_URL',
    message: 'tables of cassandra are archived by time only',
  })
  await everyStep(commands, async () =>
    (await keyspace.rows(`SELECT id, at, note, amount FROM ${TABLE}`))
      .map((row) => row.values().map(String))
      .toSorted(([a], [b]) => Number(a) - Number(b)),
  )
})

test.skipIf(CASSANDRA_MISSING !== '')(
  'a drop in Cassandra that has removed some rows compares the others with the archive',
  { timeout: 120_000 },
  async () => {
    await using keyspace = await newKeyspace()
    await keyspace.cql(`CREATE TABLE ${TABLE} (id bigint PRIMARY KEY, at timestamp, note text)`)
    const old = 1_600_000_000_000_000
    const insert = (id: number, at: string, time = ''): Promise<void> =>
      keyspace.cql(`INSERT INTO ${TABLE} (id, at, note) VALUES (${id}, '${at}', 'row ${id}') ${time}`)
    for (let id = 0; id < 10; id++) await insert(id, '2020-01-02T00:00:00Z', `USING TIMESTAMP ${old}`)
    await insert(90, '2090-01-01T00:00:00Z')
    const url = `${keyspace.url}?commitlog_sync_period=1`
    const { run, drop } = commandsOf({ place: { url }, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    const ids = async (): Promise<readonly number[]> =>
      (await keyspace.rows(`SELECT id FROM ${TABLE}`)).map((row) => Number(row.get('id'))).toSorted((a, b) => a - b)
    expect((await perform(run)).finished.error).toBeUndefined()
    // A row inserted again keeps its values, and its new key cannot be removed yet.
    await keyspace.cql(`INSERT INTO ${TABLE} (id) VALUES (0)`)
    const changed = { code: 'PARTITION_CHANGED' }
    expect((await perform(drop)).finished.error).toMatchObject(changed)
    expect(await ids()).toEqual([0, 90])
    // 50 was never archived; 5 is an archived row.
    await insert(50, '2020-01-02T00:00:00Z', `USING TIMESTAMP ${old + 5}`)
    await insert(5, '2020-01-02T00:00:00Z')
    expect((await perform(drop)).finished.error).toMatchObject(changed)
    expect(await ids()).toEqual([0, 50, 90])
    await keyspace.cql(`DELETE FROM ${TABLE} WHERE id IN (0, 50)`)
    expect((await perform(drop)).finished.error).toBeUndefined()
    expect(await ids()).toEqual([90])
  },
)

test.skipIf(CASSANDRA_MISSING !== '')(
  'an added column does not keep archived rows in Cassandra, unless one has a value in it',
  { timeout: 120_000 },
  async () => {
    await using keyspace = await newKeyspace()
    await keyspace.cql(
      `CREATE TABLE ${TABLE} (id bigint PRIMARY KEY, at timestamp)`,
      ...[1, 2, 3].map((id) => `INSERT INTO ${TABLE} (id, at) VALUES (${id}, '2020-01-02T00:00:00Z')`),
      `INSERT INTO ${TABLE} (id, at) VALUES (90, '2090-01-01T00:00:00Z')`,
    )
    const url = `${keyspace.url}?commitlog_sync_period=1`
    const { run, drop } = commandsOf({ place: { url }, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    const ids = async (): Promise<readonly number[]> =>
      (await keyspace.rows(`SELECT id FROM ${TABLE}`)).map((row) => Number(row.get('id'))).toSorted((a, b) => a - b)
    expect((await perform(run)).finished.error).toBeUndefined()
    await keyspace.cql(`ALTER TABLE ${TABLE} ADD flag int`, `UPDATE ${TABLE} SET flag = 7 WHERE id IN (1, 2, 3)`)
    expect((await perform(drop)).finished.error).toMatchObject({
      code: 'PARTITION_CHANGED',
      message: expect.stringContaining('has values in flag that are not in the archive') as string,
    })
    expect(await ids()).toEqual([1, 2, 3, 90])
    await keyspace.cql(`DELETE flag FROM ${TABLE} WHERE id IN (1, 2, 3)`)
    expect((await perform(drop)).finished.error).toBeUndefined()
    expect(await ids()).toEqual([90])
  },
)

test('the same database under another address continues with its archive', { timeout: 60_000 }, async (context) => {
  const why = await missing('postgresql')
  context.skip(why !== '', why)
  const archived = await makeBookings(await makePlace('postgresql', folder), 'native', mkdtempSync(join(folder, 'to-')))
  await using observer = await observe(archived)
  const { run, drop, restore } = commandsOf(archived)
  await using proxy = await startProxy(Number(new URL(archived.place.url).port))
  const through = new URL(archived.place.url)
  through.port = String(proxy.port)
  const first = { ...run, partitions: ['2020-Q1'], olderThan: undefined, from: through.href } as unknown as Operation
  for (const one of [first, run, drop, restore]) {
    expect((await perform(one)).finished.error).toBeUndefined()
    expect((await observer.look()).problems).toEqual([])
  }
  expect(existsSync(archived.archive)).toBe(true)
})

test.skipIf(!S3_AVAILABLE)(
  'every command works with a bucket that refuses, fails and loses answers',
  { timeout: 60_000 },
  async () => {
    await using s3 = await startS3()
    await using proxy = await conditionalS3(s3)
    const archived = await makeBookings(await makePlace('sqlite', folder), 'plain', s3.url('archives'), 100)
    const outer = Object.keys(proxy.env).map((name) => [name, process.env[name]] as const)
    Object.assign(process.env, proxy.env)
    try {
      const asked = { PUT: 0, other: 0 }
      const faults: string[] = []
      proxy.fault = ({ method }) => {
        const kind = ([503, 'lose', 500, 'drop'] as const)[faults.length % 4] ?? 500
        // Writing requests are counted separately, because the number of reads may vary.
        const isDue = method === 'PUT' ? ++asked.PUT % 3 === 0 : ++asked.other % 6 === 0
        if (!isDue || method === 'DELETE') return null
        faults.push(`${method} ${kind}`)
        return kind
      }
      await everyStep(commandsOf(archived), () =>
        archived.place.rows(`SELECT id, at, note, amount FROM ${TABLE} ORDER BY id`),
      )
      expect(faults.filter((fault) => fault.startsWith('PUT')).length).toBeGreaterThan(1)
    } finally {
      for (const [name, value] of outer) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  },
)
