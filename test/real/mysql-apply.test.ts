/**
 * Changes applied to MySQL: values as a copy writes them, unique values that are exchanged, and effects that must not
 * follow.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Row } from '../../src/model/copy/rows.ts'
import type { ChangeRequest, ChangeTable, ChangeWriter, TargetPreflight } from '../../src/model/follow/port.ts'
import { missing } from '../support/copy-systems.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { changesOf, closingOf, makeTarget, type Target } from './mysql-apply-kit.ts'
import { changeTable, put, requestOf } from './postgresql-apply-kit.ts'

const absent = await missing('mysql')

describe.skipIf(absent !== '')(`changes applied to MySQL ${absent}`, () => {
  let target: Target
  const writers: ChangeWriter[] = []

  beforeAll(async () => {
    target = await makeTarget()
  })
  afterAll(async () => {
    for (const writer of writers) await writer[Symbol.asyncDispose]()
    await target.store[Symbol.asyncDispose]()
  })

  async function opened(
    name: string,
    sql: readonly string[],
    identity: readonly string[] = ['id'],
    more: Partial<ChangeRequest> = {},
  ): Promise<{ readonly writer: ChangeWriter; readonly table: ChangeTable }> {
    await target.place.sql(`DROP TABLE IF EXISTS ${name}`, ...sql)
    const table = await changeTable(target.store, name, identity)
    const writer = await target.changes.open(requestOf([table], more))
    writers.push(writer)
    return { writer, table }
  }

  const rows = (query: string): Promise<unknown> => target.place.rows(query)

  test('rows exchange their keys and their unique values within a batch, small and large', async () => {
    const { writer } = await opened('swaps', ['CREATE TABLE swaps (id int PRIMARY KEY, u int UNIQUE, a longtext)'])
    for (const many of [2, 3000]) {
      const ids = Array.from({ length: many }, (_, n) => String(n))
      await writer.truncate([0])
      await writer.apply(0, { puts: ids.map((id) => put([id, id, `of ${id}`])), gone: [] })
      expect(await writer.commit(closingOf())).toBe('committed')
      // Every row takes the unique value of the next one, and keeps its text.
      const turned = ids.map((id, n) => ({
        row: [id, ids[(n + 1) % many] as string, undefined],
        key: [id],
        base: [id],
      }))
      expect(await writer.apply(0, { puts: turned, gone: [] })).toEqual({ lacking: [] })
      // Then every row takes the key of the next one.
      const moved = ids.map((id, n) => {
        const to = ids[(n + 1) % many] as string
        return { row: [to, to, undefined], key: [to], base: [id] }
      })
      expect(await writer.apply(0, { puts: moved, gone: [] })).toEqual({ lacking: [] })
      expect(await writer.commit(closingOf())).toBe('committed')
      const found = (await target.place.rows('SELECT id, u, a FROM swaps ORDER BY id')) as readonly Row[]
      expect(found).toEqual(ids.map((_, n) => [String(n), String(n), `of ${(n + many - 1) % many}`]))
    }
  })

  test('a unique index that is created while a session is open removes no row', async () => {
    const { writer } = await opened('late', ['CREATE TABLE late (id int PRIMARY KEY, u int)'])
    await writer.apply(0, { puts: [put(['1', '10']), put(['2', '20'])], gone: [] })
    expect(await writer.commit(closingOf())).toBe('committed')
    await target.place.sql('CREATE UNIQUE INDEX made ON late (u)')
    // The value of row 2 goes to row 3, which is new: with only the index, row 2 would be overwritten.
    const batch = { puts: [put(['3', '20']), put(['2', '10']), put(['1', '20000'])], gone: [] }
    await expect(writer.apply(0, batch)).rejects.toMatchObject({ code: 'ROW_REFUSED', retryable: true })
    await writer[Symbol.asyncDispose]()
    expect(await rows('SELECT * FROM late ORDER BY id')).toEqual([
      ['1', '10'],
      ['2', '20'],
    ])
    const table = await changeTable(target.store, 'late', ['id'])
    await using again = await target.changes.open(requestOf([table]))
    await again.apply(0, batch)
    expect(await again.commit(closingOf())).toBe('committed')
    expect(await rows('SELECT * FROM late ORDER BY id')).toEqual([
      ['1', '20000'],
      ['2', '10'],
      ['3', '20'],
    ])
    // A value of another row is refused permanently, and not retried.
    const refused = again.apply(0, { puts: [put(['4', '20'])], gone: [] })
    await expect(refused).rejects.toMatchObject({ code: 'ROW_REFUSED' })
  })

  test('a row that an unchanged table refuses is refused permanently in each transaction', async () => {
    const { writer } = await opened('constant', ["CREATE TABLE constant (id int PRIMARY KEY, a enum('a'))"])
    for (let times = 0; times < 2; times++) {
      await writer.apply(0, { puts: [put(['2', 'a'])], gone: [] })
      expect(await writer.commit(closingOf())).toBe('committed')
      const failing = writer.apply(0, { puts: [put(['1', 'new'])], gone: [] })
      await expect(failing).rejects.toMatchObject({ code: 'ROW_REFUSED', retryable: false })
      await writer.rollBack()
    }
    expect(await rows('SELECT * FROM constant')).toEqual([['2', 'a']])
    await writer[Symbol.asyncDispose]()
  })

  test('a unique index that is created before the first transaction of a session is honoured', async () => {
    const { writer } = await opened('built', [
      'CREATE TABLE built (id int PRIMARY KEY, u int)',
      'INSERT INTO built VALUES (1, 10), (2, 20)',
    ])
    await target.place.sql('CREATE UNIQUE INDEX made ON built (u)')
    await writer.apply(0, { puts: [put(['1', '20']), put(['2', '10'])], gone: [] })
    expect(await writer.commit(closingOf())).toBe('committed')
    expect(await rows('SELECT u FROM built ORDER BY id')).toEqual([['20'], ['10']])
  })

  test('columns that exchange names during a session end the transaction, and others may be added or dropped', async () => {
    const { writer } = await opened('exchanged', ['CREATE TABLE exchanged (id int PRIMARY KEY, v text, w text)'])
    const exchange = (): Promise<void> =>
      target.place.sql(...['v TO x', 'w TO v', 'x TO w'].map((names) => `ALTER TABLE exchanged RENAME COLUMN ${names}`))
    const applied = async (id: string): Promise<void> => {
      await writer.apply(0, { puts: [put([id, 'v', 'w'])], gone: [] })
      expect(await writer.commit(closingOf())).toBe('committed')
    }
    await applied('1')
    await exchange()
    await expect(applied('2')).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      retryable: false,
      reason: expect.stringContaining('have exchanged their names') as string,
      hint: expect.stringContaining('--resync') as string,
    })
    await writer.rollBack()
    expect(await rows('SELECT id, v, w FROM exchanged')).toEqual([['1', 'w', 'v']])
    await exchange()
    await target.place.sql('ALTER TABLE exchanged ADD y int')
    await applied('2')
    await target.place.sql('ALTER TABLE exchanged DROP y')
    await applied('3')
    expect(await rows('SELECT * FROM exchanged ORDER BY id')).toEqual(['1', '2', '3'].map((id) => [id, 'v', 'w']))
  })

  test('a transaction reads the columns of all its tables in one query', async () => {
    const names = ['one', 'two', 'three'].map((name) => `at_once_${name}`)
    await target.place.sql(...names.map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, v text, w text)`))
    const tables = await Promise.all(names.map((name) => changeTable(target.store, name, ['id'])))
    const url = new URL(target.place.url)
    const proxy = await startProxy(Number(url.port), url.hostname)
    try {
      url.port = String(proxy.port)
      url.hostname = '127.0.0.1'
      const through = await changesOf(url.href)
      const writer = await through.changes.open(requestOf(tables))
      let questions = 0
      proxy.onClientData(() => void questions++)
      const asked = async (id: string, some: readonly number[]): Promise<number> => {
        for (const table of some) await writer.apply(table, { puts: [put([id, 'v', 'w'])], gone: [] })
        questions = 0
        expect(await writer.commit(closingOf())).toBe('committed')
        return questions
      }
      await asked('1', [0, 1, 2])
      expect(await asked('2', [0, 1, 2])).toBe(await asked('3', [0]))
      await target.place.sql(
        ...['v TO x', 'w TO v', 'x TO w'].map((to) => `ALTER TABLE at_once_two RENAME COLUMN ${to}`),
      )
      await expect(asked('4', [0, 1, 2])).rejects.toMatchObject({
        message: expect.stringContaining('at_once_two') as string,
        reason: expect.stringContaining('have exchanged their names') as string,
      })
      await writer[Symbol.asyncDispose]()
      await through.store[Symbol.asyncDispose]()
    } finally {
      await proxy.close()
    }
  })

  test('a key that is a time out of range does not match the row with the last possible time', async () => {
    const { writer } = await opened(
      'times',
      ['CREATE TABLE times (k datetime(6) PRIMARY KEY)', "INSERT INTO times VALUES ('9999-12-31 23:59:59.999999')"],
      ['k'],
    )
    await writer.apply(0, { puts: [], gone: [['infinity'], ['10000-01-01 00:00:00']] })
    expect(await writer.commit(closingOf())).toBe('committed')
    expect(await rows('SELECT count(*) FROM times')).toEqual([['1']])
  })

  test('foreign keys neither refuse changes nor cascade them', async () => {
    await target.place.sql(
      'DROP TABLE IF EXISTS children',
      'DROP TABLE IF EXISTS parents',
      'CREATE TABLE parents (id int PRIMARY KEY, u int UNIQUE)',
      'CREATE TABLE children (id int PRIMARY KEY, p int REFERENCES parents (id) ON DELETE CASCADE, q int REFERENCES parents (u) ON UPDATE CASCADE)',
      'INSERT INTO parents VALUES (1, 1), (2, 2)',
      'INSERT INTO children VALUES (1, 1, 1), (2, 2, 2)',
    )
    const tables = [
      await changeTable(target.store, 'parents', ['id']),
      await changeTable(target.store, 'children', ['id']),
    ]
    await using writer = await target.changes.open(requestOf(tables))
    await writer.apply(1, { puts: [put(['3', '77', '77'])], gone: [] })
    await writer.apply(0, { puts: [put(['1', '5'])], gone: [['2']] })
    expect(await writer.commit(closingOf())).toBe('committed')
    expect(await rows('SELECT * FROM children ORDER BY id')).toEqual([
      ['1', '1', '1'],
      ['2', '2', '2'],
      ['3', '77', '77'],
    ])
    await writer.truncate([0])
    expect(await writer.commit(closingOf())).toBe('committed')
    expect(await rows('SELECT count(*) FROM children')).toEqual([['3']])
  })

  test('values are written as a copy writes them', async () => {
    const columns = `id decimal(30,10), i bigint, u bigint unsigned, d double, t longtext, c char(5), b longblob, at datetime(6), day date, j json,
      e enum('a','B c'), n decimal(65,30), bit1 bit(1), tm time(6), PRIMARY KEY (id)`
    const { writer, table } = await opened('kinds', [`CREATE TABLE kinds (${columns})`, 'DROP TABLE IF EXISTS copied', `CREATE TABLE copied (${columns})`]) // prettier-ignore
    const all: Row[] = [
      ['1.5', '-9223372036854775808', '18446744073709551615', 1e-300, '\u{1f600} \\ \' " \0 \u001b\u001e\u001f', 'ab', Buffer.from([0, 255, 27, 30, 31, 92]), '2024-02-29 23:59:59.999999', '9999-12-31', '{"a":1}', 'B c', '0.000000000000000000000000000001', true as never, '-12:00:00.000001'], // prettier-ignore
      ['-2.0000000001', '9223372036854775807', '0', -1.7976931348623157e308, '', '', Buffer.alloc(0), '1000-01-01 00:00:00', '1000-01-01', '[]', 'a', '-99999999999999999999999999999999999.5', false as never, '00:00:00'], // prettier-ignore
      ['3', ...Array.from({ length: 13 }, () => null)],
    ].map((row) => row.map((cell) => (typeof cell === 'boolean' ? (cell ? '1' : '0') : cell)) as Row)
    const copied = await changeTable(target.store, 'copied', ['id'])
    const chunk = await target.store.target().open({
      table: copied.table,
      columns: copied.columns,
      range: { by: 'all' },
      onExisting: 'refuse',
      careful: false,
      signal: new AbortController().signal,
    })
    await chunk.write(all)
    expect(await chunk.commit(closingOf())).toBe('committed')
    await chunk[Symbol.asyncDispose]()
    const same = async (): Promise<unknown> =>
      rows(
        `SELECT count(*) FROM kinds k JOIN copied c ON ${table.columns.map(({ name }) => `k.${name} <=> c.${name}`).join(' AND ')}`,
      )
    await writer.apply(0, { puts: all.map((row) => put(row)), gone: [] })
    expect(await writer.commit(closingOf())).toBe('committed')
    expect(await same()).toEqual([['3']])
    // Once more, and then from the stored rows: every value but one is unchanged.
    await writer.apply(0, { puts: all.map((row) => put(row)), gone: [] })
    const kept = all.map((row) => {
      const key = [row[0] as string]
      return { row: row.map((cell, at) => (at < 2 ? cell : undefined)), key, base: key }
    })
    expect(await writer.apply(0, { puts: kept, gone: [] })).toEqual({ lacking: [] })
    expect(await writer.commit(closingOf())).toBe('committed')
    expect(await same()).toEqual([['3']])
    const there = kept.map((one, n) => {
      const key = [String(100 + n)]
      return { ...one, row: [key[0], ...one.row.slice(1)] as typeof one.row, key }
    })
    await writer.apply(0, { puts: there, gone: all.map((row) => [row[0] as string]) })
    const back = kept.map((one, n) => ({ ...one, base: [String(100 + n)] }))
    await writer.apply(0, { puts: back, gone: there.map(({ key }) => key) })
    expect(await writer.commit(closingOf())).toBe('committed')
    expect(await same()).toEqual([['3']])
    const { writer: other } = await opened('kinds2', [`CREATE TABLE kinds2 (${columns})`])
    const bad: Row = ['9', ...Array.from({ length: 13 }, () => null)]
    const nan = bad.map((cell, at) => (at === 3 ? NaN : cell))
    await expect(other.apply(0, { puts: [put(nan)], gone: [] })).rejects.toThrow(/d: NaN is not a number/)
  })

  test('no change of a transaction is visible before its position, nor if another program has the stream', async () => {
    const { writer } = await opened('fenced', ['CREATE TABLE fenced (id int PRIMARY KEY, a longtext)'])
    const lines = Array.from({ length: 50 }, (_, n) => put([String(n), 'x']))
    await writer.apply(0, { puts: lines, gone: [] })
    expect(await rows('SELECT count(*) FROM fenced')).toEqual([['0']])
    expect(await writer.commit(closingOf('somebody'))).toBe('fenced')
    expect(await rows('SELECT count(*) FROM fenced')).toEqual([['0']])
    await writer.apply(0, { puts: lines, gone: [] })
    await writer.rollBack()
    await writer.apply(0, { puts: lines.slice(1), gone: [] })
    expect(await writer.commit(closingOf())).toBe('committed')
    expect(await rows('SELECT count(*) FROM fenced')).toEqual([['49']])
    // The base row does not exist: nothing is written for it, and nothing is deleted.
    const partial = [3, 77].map((n) => ({ row: [String(n), undefined], key: [String(n)], base: ['777'] }))
    expect(await writer.apply(0, { puts: partial, gone: [] })).toEqual({ lacking: [['3'], ['77']] })
    const many = Array.from({ length: 40 }, (_, n) => ({
      row: [String(n + 30), undefined],
      key: [String(n + 30)],
      base: [String(n + 30)],
    }))
    expect((await writer.apply(0, { puts: many, gone: [] })).lacking).toHaveLength(20)
    expect(await writer.commit(closingOf())).toBe('committed')
    expect(await rows('SELECT count(*) FROM fenced')).toEqual([['49']])
  })

  describe('preflight check', () => {
    async function preflight(
      name: string,
      sql: readonly string[],
      options: Partial<ChangeRequest> & { readonly as?: Target; readonly catchingUp?: boolean } = {},
    ): Promise<TargetPreflight> {
      const { as = target, catchingUp = false, ...more } = options
      await target.place.sql(...sql)
      const table = await changeTable(target.store, name, ['id'])
      const { refusals, notes } = await as.changes.inspect(requestOf([{ ...table, catchingUp }], more))
      // The servers of tests are set to be faster than safe.
      return { refusals, notes: notes.filter((one) => !one.startsWith('innodb_flush_log_at_trx_commit')) }
    }
    const said = ({ refusals }: TargetPreflight): string => refusals.map(({ message }) => message).join('\n')

    test('a plain table passes without notes', async () => {
      expect(await preflight('plain', ['CREATE TABLE plain (id int PRIMARY KEY, a text)'])).toEqual({
        refusals: [],
        notes: [],
      })
    })

    test('engines without transactions, missing indexes, folding collations and foreign origins are refused', async () => {
      expect(said(await preflight('isam', ['CREATE TABLE isam (id int PRIMARY KEY) ENGINE = MyISAM']))).toMatch(
        /isam is a table of MyISAM, which has no transactions/,
      )
      expect(said(await preflight('bare', ['CREATE TABLE bare (id int, a int, KEY (a, id))']))).toMatch(
        /no index of .*bare finds rows by \(id\)/,
      )
      const folds = 'CREATE TABLE folds (id varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY)'
      expect(said(await preflight('folds', [folds]))).toMatch(/id of .*folds .*utf8mb4_general_ci/)
      const padded = 'CREATE TABLE padded (id varchar(20) COLLATE utf8mb4_bin PRIMARY KEY)'
      expect(said(await preflight('padded', [padded]))).toMatch(/utf8mb4_bin/)
      expect(said(await preflight('prefix', ['CREATE TABLE prefix (id varchar(20) COLLATE utf8mb4_nopad_bin, UNIQUE (id(5)))']))).toMatch(/no index/) // prettier-ignore
      expect(said(await preflight('plain', [], { origin: 'here' }))).toMatch(/origin here/)
      await target.place.sql('CREATE VIEW seen AS SELECT * FROM plain')
      const table = await changeTable(target.store, 'plain', ['id'])
      const view = { ...table, table: { ...table.table, table: { ...table.table.table, name: 'seen' } } }
      expect(said(await target.changes.inspect(requestOf([view])))).toMatch(/view/)
      await expect(target.changes.open(requestOf([view]))).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
    })

    test('a server that may lose commits in a crash is reported', async () => {
      const [[before] = []] = await target.place.rows('SELECT @@GLOBAL.innodb_flush_log_at_trx_commit')
      await target.place.sql('SET GLOBAL innodb_flush_log_at_trx_commit = 2')
      try {
        const plain = requestOf([await changeTable(target.store, 'plain', ['id'])])
        expect((await target.changes.inspect(plain)).notes.join()).toMatch(
          /innodb_flush_log_at_trx_commit of the target is 2/,
        )
      } finally {
        await target.place.sql(`SET GLOBAL innodb_flush_log_at_trx_commit = ${before}`)
      }
    })

    test('triggers are refused by name, unless an option keeps them', async () => {
      const sql = ['CREATE TABLE fires (id int PRIMARY KEY)', 'CREATE TRIGGER audit AFTER INSERT ON fires FOR EACH ROW SET @n = 1'] // prettier-ignore
      expect(said(await preflight('fires', sql))).toMatch(/triggers of .*fires would fire a second time.*audit/)
      expect(await preflight('fires', [], { fireTriggers: true })).toMatchObject({ refusals: [] })
    })

    test('other unique indexes and foreign keys must be added after a table has caught up', async () => {
      const sql = [
        'CREATE TABLE more (id int PRIMARY KEY, u int UNIQUE, p int, v int, UNIQUE (v, id), FOREIGN KEY own (p) REFERENCES plain (id))',
      ]
      const early = said(await preflight('more', sql, { catchingUp: true }))
      expect(early).toMatch(/unique indexes of .*more may refuse rows until it has caught up.*: u$/m)
      expect(early).toMatch(/foreign keys of .*more may refuse rows/)
      // The printed statements run, and then nothing is in the way.
      const made =
        'CREATE TABLE loaded (id int PRIMARY KEY, u int, p int, UNIQUE `U ``u` (u), CONSTRAINT `W ``w` FOREIGN KEY (p) REFERENCES plain (id))'
      const { refusals } = await preflight('loaded', [made], { catchingUp: true })
      expect(refusals).toHaveLength(2)
      for (const { hint } of refusals) await target.place.sql(/^drop them: (.*); and create them/.exec(hint)?.[1] ?? '')
      expect(said(await preflight('loaded', [], { catchingUp: true }))).toBe('')
      const later = await preflight('more', [])
      expect(later.refusals).toEqual([])
      expect(later.notes.join('\n')).toMatch(/deleted and inserted, because of u\n.*|foreign keys are not checked/)
    })

    test('missing rights are named, including the one to see triggers', async () => {
      const [[database = ''] = []] = (await rows('SELECT DATABASE()')) as string[][]
      const user = `u${database.slice(1, 12)}`
      await target.place.sql(
        `CREATE USER ${user}@'%' IDENTIFIED BY 'weak'`,
        `GRANT SELECT, UPDATE ON ${database}.plain TO ${user}@'%'`,
      )
      const url = new URL(target.place.url)
      url.username = user
      url.password = 'weak'
      const weak: Target = { place: target.place, ...(await changesOf(url.href)) }
      try {
        const first = said(await preflight('plain', [], { as: weak }))
        expect(first).toMatch(/has no INSERT, DELETE on .*plain/)
        expect(first).toMatch(/may not create temporary tables/)
        expect(first).toMatch(/may not see them/)
        await target.place.sql(
          `GRANT INSERT, DELETE, TRIGGER ON ${database}.plain TO ${user}@'%'`,
          `GRANT CREATE TEMPORARY TABLES ON ${database}.* TO ${user}@'%'`,
        )
        expect(await preflight('plain', [], { as: weak })).toEqual({ refusals: [], notes: [] })
      } finally {
        await weak.store[Symbol.asyncDispose]()
        await target.place.sql(`DROP USER ${user}@'%'`)
      }
    })
  })
})
