/** Rows that are removed from MySQL after they are proved, periods of time in its SQL, and comments of columns. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection, type Connection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { TableSpec } from '../../src/model/copy/column-type.ts'
import { EVERY_KEY } from '../../src/model/copy/range.ts'
import type { RemoveRequest, StepEnd } from '../../src/model/archive/port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'
import {
  chunkOf,
  columnsOf,
  cutAll,
  ledgerRow,
  readAll,
  refused,
  rowsOf,
  SIGNAL,
  statusOf,
  tableOf,
  writeChunk,
} from './copy-mysql-kit.ts'

vi.setConfig({ testTimeout: 60_000 })

const skipped = !MARIADB_AVAILABLE
const why = skipped ? ` (skipped: ${MARIADB_MISSING})` : ''

let server: MariadbServer
let store: CopyStore
let proxy: Proxy
let distant: CopyStore
let other: Connection
let made = 0

beforeAll(async () => {
  if (skipped) return
  server = await startMariadb()
  await server.sql(
    'DROP DATABASE IF EXISTS sluice_hidden',
    'DROP DATABASE IF EXISTS sluice_remove',
    'CREATE DATABASE sluice_hidden',
  )
  await server.createDatabase('sluice_remove')
  store = await openMysqlCopy(`${server.url('sluice_remove')}?pool_size=1`)
  proxy = await startProxy(server.port)
  const far = new URL(server.url('sluice_remove'))
  far.hostname = '127.0.0.1'
  far.port = String(proxy.port)
  distant = await openMysqlCopy(`${far.href}?response_timeout=1&retry_seconds=20`)
  other = await createConnection({ uri: server.url('sluice_remove') })
})

afterAll(async () => {
  await other?.end()
  await distant?.[Symbol.asyncDispose]()
  await store?.[Symbol.asyncDispose]()
  await proxy?.close()
  await server?.stop()
})

const SPRING = `"at" >= TIMESTAMP '2024-04-01 00:00:00' AND "at" < TIMESTAMP '2024-07-01 00:00:00'`
const HERE = `at >= '2024-04-01' AND at < '2024-07-01'`

/** 366 days of the year 2024, each with two rows. */
async function bookings(more = ''): Promise<TableSpec> {
  const name = `t${++made}`
  await server.sql(
    `CREATE TABLE sluice_remove.${name} (id INT PRIMARY KEY, at DATETIME(3), note VARCHAR(50)${more})`,
    `INSERT INTO sluice_remove.${name} (id, at, note) SELECT seq, TIMESTAMP '2024-01-01 10:00:00' + INTERVAL (seq % 366) DAY, CONCAT('note ', seq)
     FROM (${numbers(732)}) AS n`,
  )
  return tableOf(store, name)
}

function numbers(count: number): string {
  return `WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ${count}) SELECT seq FROM n`
}

async function scalar(sql: string): Promise<string> {
  const [[row]] = (await other.query(sql)) as unknown as [Record<string, unknown>[]]
  return String(Object.values(row ?? {})[0])
}
const countOf = (table: TableSpec, where = 'TRUE') =>
  scalar(`SELECT COUNT(*) FROM \`${table.table.name.replaceAll('`', '``')}\` WHERE ${where}`)

type Options = Partial<RemoveRequest> & { readonly fence?: number; readonly through?: CopyStore }
type Removed = { readonly end: StepEnd; readonly status: unknown }

/** @param between runs after the proof was taken */
async function remove(table: TableSpec, options: Options = {}, between?: () => Promise<unknown>): Promise<Removed> {
  const { fence, through = store, ...more } = options
  const request = { table, columns: columnsOf(table), range: { by: 'all' } as const, where: null, ...more }
  const view = await through.source(SIGNAL)
  const proof = await view.digest({ ...request, ordered: false }, SIGNAL)
  await view[Symbol.asyncDispose]()
  await between?.()
  const closing = await ledgerRow(store, fence)
  const target = through.target()
  if (target.remove === undefined) throw new Error('nothing is removed here')
  const end = await target.remove({ expect: proof, closing, signal: SIGNAL, ...request })
  return { end, status: await statusOf(store, closing.id) }
}

describe.skipIf(skipped)(`rows are removed from MySQL${why}`, () => {
  test('if they are the rows that were proved, and no others', async () => {
    const table = await bookings()
    expect(await remove(table, { where: SPRING })).toEqual({ end: 'done', status: 'completed' })
    expect([await countOf(table), await countOf(table, HERE)]).toEqual(['550', '0'])
    expect(await remove(table, { range: { by: 'key', after: ['100'], through: ['600'] } })).toMatchObject({
      end: 'done',
    })
    expect(await countOf(table, 'id > 100 AND id <= 600')).toBe('0')
    expect(await remove(table, { range: { by: 'keys', keys: [['1'], ['732'], ['7']] } })).toMatchObject({ end: 'done' })
    expect(await countOf(table, 'id IN (1, 7, 732)')).toBe('0')
  })

  test('with hostile names, keys of several columns, and values that the server prints in another form', async () => {
    const name = 'a"b`c; DROP TABLE ledger --'
    const quoted = `\`${name.replaceAll('`', '``')}\``
    await server.sql(
      `CREATE TABLE sluice_remove.${quoted} (\`x"y\` VARCHAR(20), n DECIMAL(8,2), f DOUBLE, j JSON, PRIMARY KEY (\`x"y\`, n))`,
      `INSERT INTO sluice_remove.${quoted} SELECT CONCAT('k', seq % 7), seq / 4, seq / 3, '{"a": 1}' FROM (${numbers(300)}) AS n`,
    )
    const [table] = await store.tables('a*', SIGNAL)
    if (table === undefined) throw new Error('no table')
    expect(await remove(table, { range: EVERY_KEY, where: `"x""y" <> 'k3' -- not these` })).toMatchObject({
      end: 'done',
    })
    expect([await countOf(table), await countOf(table, `\`x"y\` = 'k3'`)]).toEqual(['43', '43'])
  })
})

describe.skipIf(skipped)(`no row is removed from MySQL${why}`, () => {
  test.each([
    ['one character changed', (t: string) => `UPDATE ${t} SET note = 'note 101x' WHERE id = 101`, 732],
    ['a row came', (t: string) => `INSERT INTO ${t} VALUES (9000, '2024-05-05', 'late')`, 733],
    ['a row went', (t: string) => `DELETE FROM ${t} WHERE id = 101`, 731],
    [
      'a row left the period and another came',
      (t: string) => `UPDATE ${t} SET at = IF(id = 1, '2024-05-05', '2024-01-01') WHERE id IN (1, 101)`,
      732,
    ],
  ])('if %s', async (_, sql, rows) => {
    const table = await bookings()
    const between = () => server.sql(sql(`sluice_remove.${table.table.name}`))
    expect(await remove(table, { where: SPRING }, between)).toEqual({ end: 'differs', status: 'in_progress' })
    expect(await countOf(table)).toBe(String(rows))
  })

  test('if another owner has the lease of the step', async () => {
    const table = await bookings()
    expect(await remove(table, { where: SPRING, fence: 2 })).toEqual({ end: 'fenced', status: 'in_progress' })
    expect(await countOf(table)).toBe('732')
  })

  test('if the table was recreated, has a column that was not proved, or is missing', async () => {
    const table = await bookings(', twice INT AS (id * 2) VIRTUAL, more INT NULL')
    const columns = columnsOf(table).filter(({ name }) => name !== 'twice')
    expect(await remove(table, { columns: columns.filter(({ name }) => name !== 'more') })).toMatchObject({
      end: 'differs',
    })
    expect(await remove({ ...table, identity: `${table.identity}x` }, { columns })).toMatchObject({ end: 'gone' })
    expect(await countOf(table)).toBe('732')
    expect(
      await remove(table, { columns }, () => server.sql(`DROP TABLE sluice_remove.${table.table.name}`)),
    ).toMatchObject({ end: 'gone' })
  })

  test('if rows of other tables depend on them, or without a valid condition', async () => {
    const table = await bookings()
    const name = `sluice_remove.${table.table.name}`
    const child = (action: string): string =>
      `CREATE TABLE sluice_remove.child${table.table.name} (id INT, FOREIGN KEY (id) REFERENCES ${name} (id) ON DELETE ${action})`
    await server.sql(child('RESTRICT'), `INSERT INTO sluice_remove.child${table.table.name} VALUES (101)`)
    expect((await refused(remove(table, { where: SPRING }))).code).toBe('TABLE_REFUSED')
    await server.sql(`DROP TABLE sluice_remove.child${table.table.name}`, child('CASCADE'))
    expect((await refused(remove(table, { where: SPRING }))).code).toBe('TABLE_REFUSED')
    await server.sql(`DROP TABLE sluice_remove.child${table.table.name}`)
    const none = { expect: { rows: 1n, sum: '0' }, closing: await ledgerRow(store), signal: SIGNAL }
    const request = { table, columns: columnsOf(table), range: EVERY_KEY, ...none }
    expect((await refused(store.target().remove!({ ...request, where: '"at" >' }))).code).toBe('BAD_PREDICATE')
    expect(await remove(table, { where: 'RAND() > 0.5' })).toMatchObject({ end: 'differs' })
    expect(await countOf(table)).toBe('732')
  })
})

describe.skipIf(skipped)(`a login of MySQL that cannot see everything${why}`, () => {
  /** A store as seen by a login of its own, with a second database that it has no right to. */
  async function narrow(...grants: readonly string[]) {
    const login = `narrow${++made}`
    await server.sql(
      `CREATE USER ${login}@'%' IDENTIFIED BY 'word'`,
      ...grants.map((grant) => `GRANT ${grant} TO ${login}@'%'`),
    )
    return { login, seen: await openMysqlCopy(server.url('sluice_remove', login, 'word')) }
  }
  const ALL = 'ALL ON sluice_remove.*'
  const child = (table: TableSpec, action: string): readonly string[] => [
    `CREATE TABLE sluice_hidden.${table.table.name} (p INT, FOREIGN KEY (p) REFERENCES sluice_remove.${table.table.name} (id) ON DELETE ${action})`,
    `INSERT INTO sluice_hidden.${table.table.name} VALUES (101)`,
  ]
  const children = (table: TableSpec) => scalar(`SELECT COUNT(p) FROM sluice_hidden.${table.table.name}`)

  test.each(['CASCADE', 'SET NULL'])('removes no rows if hidden rows would follow by ON DELETE %s', async (action) => {
    const table = await bookings()
    await server.sql(...child(table, action))
    const { login, seen } = await narrow(ALL)
    const where = SPRING
    for (const refusal of [
      await refused(remove(table, { where, through: seen })),
      await refused(writeChunk(seen, chunkOf(table, { onExisting: 'replace-range' }), [])),
      await refused(seen.target().clear(table, SIGNAL)),
    ]) {
      expect(refusal).toMatchObject({ code: 'TABLE_REFUSED' })
      expect(refusal.hint).toContain(`GRANT PROCESS ON *.* TO '${login}'@'%'`)
    }
    await server.sql(`GRANT PROCESS ON *.* TO ${login}@'%'`)
    await seen[Symbol.asyncDispose]()
    const wide = await openMysqlCopy(server.url('sluice_remove', login, 'word'))
    for (const refusal of [
      await refused(remove(table, { where, through: wide })),
      await refused(writeChunk(wide, chunkOf(table, { onExisting: 'replace-range' }), [])),
      await refused(wide.target().clear(table, SIGNAL)),
    ]) {
      expect(refusal).toMatchObject({ code: 'TABLE_REFUSED' })
      expect(refusal.message).toContain(`sluice_hidden.${table.table.name}`)
    }
    await wide[Symbol.asyncDispose]()
    expect([await countOf(table), await children(table)]).toEqual(['732', '1'])
  })

  test('removes rows if no foreign key refers to the table, or if the server itself keeps referenced rows', async () => {
    const { seen } = await narrow(ALL)
    const [table, referred] = [await bookings(), await bookings()]
    await server.sql(...child(referred, 'RESTRICT'))
    expect(await remove(table, { where: SPRING, through: seen })).toMatchObject({ end: 'done' })
    await using writer = await seen.target().open(chunkOf(table, { onExisting: 'replace-range' }))
    expect(await writer.digest({ scheme: 'count' })).toMatchObject({ rows: 0n })
    expect(await refused(remove(referred, { where: SPRING, through: seen }))).toMatchObject({ code: 'TABLE_REFUSED' })
    await server.sql(`DELETE FROM sluice_hidden.${referred.table.name}`)
    expect(await remove(referred, { where: SPRING, through: seen })).toMatchObject({ end: 'done' })
    await seen[Symbol.asyncDispose]()
  })

  test.each(['', ' INVISIBLE'])('removes no value of a column that it cannot see:%s', async (how) => {
    const table = await bookings(`, secret VARCHAR(9)${how} DEFAULT 's'`)
    const name = `sluice_remove.${table.table.name}`
    const ledger = await ledgerRow(store)
    const { login, seen } = await narrow(`SELECT (id, at, note), DELETE ON ${name}`, 'ALL ON sluice_remove.ledger')
    const known = await tableOf(seen, table.table.name)
    expect([known.columns.map((column) => column.name), known.hidesColumns]).toEqual([['id', 'at', 'note'], true])
    expect(ledger.id).toBeGreaterThan(0)
    const refusal = await refused(remove(known, { where: SPRING, through: seen }))
    expect(refusal).toMatchObject({ code: 'SOURCE_DENIED' })
    expect(refusal.hint).toContain(`GRANT SELECT ON ${name} TO '${login}'@'%'`)
    await seen[Symbol.asyncDispose]()
    expect(await countOf(table)).toBe('732')
  })
})

describe.skipIf(skipped)(`removal with other writers of MySQL${why}`, () => {
  /** The session that waits for row locks, once it waits. */
  async function waiting(): Promise<string> {
    for (;;) {
      const id = await scalar(
        `SELECT MIN(id) FROM information_schema.processlist WHERE info LIKE 'SELECT CAST(COUNT(*) AS CHAR)%FOR UPDATE'`,
      )
      if (id !== 'null') return id
      await sleep(20)
    }
  }

  test('an uncommitted change is waited for, and found', async () => {
    const table = await bookings()
    await other.beginTransaction()
    await other.query(`UPDATE ${table.table.name} SET note = 'changed' WHERE id = 101`)
    const removing = remove(table, { where: SPRING })
    await waiting()
    await other.commit()
    expect(await removing).toEqual({ end: 'differs', status: 'in_progress' })
    expect(await countOf(table, `note = 'changed'`)).toBe('1')
  })

  test.each([
    ['UPDATE', (t: string) => `UPDATE ${t} SET note = 'changed' WHERE id = 101`, ['550', '0']],
    ['INSERT', (t: string) => `INSERT INTO ${t} VALUES (9000, '2024-05-05', 'changed')`, ['551', '1']],
  ])('%s waits while rows are proved and removed, and is not lost', async (_, sql, left) => {
    const table = await bookings()
    const name = table.table.name
    // The ledger row of the step is locked, so that the transaction stops just before its end.
    const closing = await ledgerRow(store)
    await other.beginTransaction()
    await other.query(`SELECT * FROM ledger WHERE id = ${closing.id} FOR UPDATE`)
    const removing = remove(table, { where: SPRING, closing })
    for (let busy = '0'; busy === '0'; await sleep(20)) {
      busy = await scalar(
        `SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE ledger%' AND command <> 'Sleep'`,
      )
    }
    let written = false
    const writing = server.sql(sql(`sluice_remove.${name}`)).then(() => (written = true))
    await sleep(150)
    expect(written).toBe(false)
    await other.commit()
    expect((await removing).end).toBe('done')
    await writing
    // The UPDATE finds no row any more.
    expect([await countOf(table), await countOf(table, `note = 'changed'`)]).toEqual(left)
  })

  test('a session that is killed leaves everything unchanged', async () => {
    const table = await bookings()
    await other.beginTransaction()
    await other.query(`UPDATE ${table.table.name} SET note = note WHERE id = 101`)
    await other.query(`SELECT * FROM ${table.table.name} WHERE id = 101 FOR UPDATE`)
    const failing = refused(remove(table, { where: SPRING }))
    await server.sql(`KILL ${await waiting()}`)
    expect(await failing).toMatchObject({ code: 'CONNECTION_LOST', retryable: true })
    await other.rollback()
    expect(await countOf(table)).toBe('732')
    expect(await remove(table, { where: SPRING })).toMatchObject({ end: 'done' })
  })

  test('an abort takes effect at once, and leaves no lock', async () => {
    const table = await bookings()
    await other.beginTransaction()
    await other.query(`SELECT * FROM ${table.table.name} WHERE id = 101 FOR UPDATE`)
    const abort = new AbortController()
    const failing = refused(remove(table, { where: SPRING, signal: abort.signal }))
    await waiting()
    const began = performance.now()
    abort.abort()
    expect((await failing).code).toBe('ABORTED')
    expect(performance.now() - began).toBeLessThan(1000)
    await other.commit()
    await server.sql('SET innodb_lock_wait_timeout = 2', `UPDATE sluice_remove.${table.table.name} SET note = 'x'`)
    expect(await countOf(table, `note = 'x'`)).toBe('732')
  })

  test('after a lost answer to COMMIT, the result is read from the ledger', async () => {
    const table = await bookings()
    let deleted = false
    proxy.onClientData((data, connection) => {
      deleted ||= data.includes('DELETE FROM')
      if (deleted && data.includes('COMMIT')) connection.cut()
    })
    const removing = remove(table, { where: SPRING, through: distant }).finally(() => proxy.onClientData(null))
    expect(await removing).toEqual({ end: 'done', status: 'completed' })
    expect(deleted).toBe(true)
    expect(await countOf(table, HERE)).toBe('0')
  })
})

describe.skipIf(skipped)(`periods of time in MySQL${why}`, () => {
  test('a YEAR is compared as the number that is archived', async () => {
    const name = `t${++made}`
    await server.sql(
      `CREATE TABLE sluice_remove.${name} (id INT PRIMARY KEY, y YEAR)`,
      `INSERT INTO sluice_remove.${name} VALUES (1, 2001), (2, 1970), (3, '0000'), (4, 2000), (5, 2155), (6, NULL)`,
    )
    const table = await tableOf(store, name)
    await using view = await store.source(SIGNAL)
    const found = async (op: '=' | '<' | '>=', value: string): Promise<readonly unknown[]> => {
      const where = store.offers.rowValues!.condition(table.columns, { kind: 'compare', column: 'y', op, value })
      return (await readAll(view, rowsOf(table, { where }))).map(([id]) => id)
    }
    expect({
      one: await found('=', '1'),
      zero: await found('=', '0'),
      early: await found('<', '70'),
      late: await found('>=', '70'),
      whole: await found('=', '2001'),
    }).toEqual({ one: [], zero: ['3'], early: ['3'], late: ['1', '2', '4', '5'], whole: ['1'] })
  })

  test('are conditions on days, timestamps and integers, and select rows in every kind of read', async () => {
    const name = `t${++made}`
    await server.sql(
      `CREATE TABLE sluice_remove.${name} (id INT PRIMARY KEY, d DATE, dt DATETIME(6), ts TIMESTAMP(3) NULL, n BIGINT NOT NULL COMMENT 'epoch, in "s"', s VARCHAR(9) COMMENT '')`,
      `SET time_zone = '+00:00'`,
      `INSERT INTO sluice_remove.${name} VALUES (1, '2024-03-31', '2024-03-31 23:59:59.999999', '2024-03-31 23:59:59.999', 4, ''),
       (2, '2024-04-01', '2024-04-01', '2024-04-01', 5, ''), (3, '2024-06-30', '2024-06-30 23:59:59.5', '2024-06-30 23:59:59', 6, ''),
       (4, '2024-07-01', '2024-07-01', '2024-07-01', 7, ''), (5, NULL, NULL, NULL, 3, NULL)`,
    )
    const table = await tableOf(store, name)
    await using view = await store.source(SIGNAL)
    const conditions = columnsOf(table).map(({ column }) =>
      column.type.kind === 'int'
        ? store.offers.times!.condition(column, '5', '7')
        : store.offers.times!.condition(column, '2024-04-01', '2024-07-01 00:00:00'),
    )
    expect(conditions[5]).toBe(null)
    for (const where of conditions.slice(1, 5)) {
      const request = rowsOf(table, { where })
      const ranges = await cutAll(view, table, 1, where)
      const sums = await Promise.all(ranges.map((range) => view.digest({ ...request, range }, SIGNAL)))
      expect({
        ids: (await readAll(view, request)).map(([id]) => id),
        extent: (await view.extent(table, where, true)).rows,
        digest: (await view.digest({ ...request, range: { by: 'all' }, ordered: false }, SIGNAL)).rows,
        cut: sums.reduce((sum, { rows }) => sum + rows, 0n),
      }).toEqual({ ids: ['2', '3'], extent: 2n, digest: 2n, cut: 2n })
    }
    const extents = await Promise.all(
      columnsOf(table)
        .slice(1, 5)
        .map(({ column }) => store.offers.timeExtents!.of(table, column, SIGNAL)),
    )
    expect(extents).toEqual([
      { low: '2024-03-31', high: '2024-07-01', nulls: 1n },
      { low: '2024-03-31 23:59:59.999999', high: '2024-07-01 00:00:00', nulls: 1n },
      { low: '2024-03-31 23:59:59.999', high: '2024-07-01 00:00:00', nulls: 1n },
      { low: '3', high: '7', nulls: 0n },
    ])
    expect(await store.offers.columnFacts!.comments(table, SIGNAL)).toEqual({ n: 'epoch, in "s"' })
  })
})
