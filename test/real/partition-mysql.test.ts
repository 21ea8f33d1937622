/** Partitions of MySQL and MariaDB: how they are read, and how new ones are created. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { Made, MaintenanceStore, MakeRequest, RangedTable } from '../../src/model/partition/maintenance-port.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { perform } from '../support/copy-systems.ts'
import { refused, SIGNAL } from './copy-mysql-kit.ts'
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise'

vi.setConfig({ testTimeout: 60_000 })

const skipped = !MARIADB_AVAILABLE
const why = skipped ? ` (skipped: ${MARIADB_MISSING})` : ''

let server: MariadbServer
let store: CopyStore
let maintenance: MaintenanceStore
let other: Connection

beforeAll(async () => {
  if (skipped) return
  server = await startMariadb()
  await server.sql('DROP DATABASE IF EXISTS sluice_partitions')
  await server.createDatabase('sluice_partitions')
  store = await openMysqlCopy(server.url('sluice_partitions'))
  const opened = store.offers.maintenance
  if (opened === undefined) throw new Error('nothing is maintained here')
  maintenance = opened
  other = await createConnection({ uri: server.url('sluice_partitions') })
})

afterAll(async () => {
  await other?.end()
  await store?.[Symbol.asyncDispose]()
  await server?.stop()
})

async function inspected(name: string): Promise<RangedTable> {
  const table = await maintenance.inspect({ name }, true, SIGNAL)
  if (table === null) throw new Error(`${name} is not partitioned`)
  return table
}

const shown = ({ partitions }: RangedTable) =>
  partitions.map(({ name, from, to, isDefault }) => [name.name, from, to, ...(isDefault ? ['default'] : [])])

type Options = readonly [name: string, from: string, to: string]

async function make(name: string, options: readonly Options[], more: Partial<MakeRequest> = {}): Promise<Made> {
  return await maintenance.make({
    table: await inspected(name),
    partitions: options.map(([partition, from, to]) => ({ name: { name: partition }, from, to })),
    lockTimeoutMs: 100,
    retryLimitMs: 5000,
    signal: SIGNAL,
    ...more,
  })
}

async function rowsIn(name: string, partition: string): Promise<number> {
  const tick = (text: string): string => `\`${text.replaceAll('`', '``')}\``
  const [[row]] = await other.query<RowDataPacket[]>(
    `SELECT COUNT(*) AS n FROM ${tick(name)} PARTITION (${tick(partition)})`,
  )
  return Number(row?.['n'])
}

describe.skipIf(skipped)(`partitions of MySQL${why}`, () => {
  test.for<[string, string, string, readonly (readonly unknown[])[], Options]>([
    [
      'days',
      'DATE',
      "RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('2024-04-01'), PARTITION b VALUES LESS THAN ('2024-07-01'))",
      [
        ['a', null, '2024-04-01'],
        ['b', '2024-04-01', '2024-07-01'],
      ],
      ['c', '2024-07-01', '2024-10-01'],
    ],
    [
      'clocks',
      'DATETIME(3)',
      "RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('20240401'), PARTITION b VALUES LESS THAN ('2024-07-01 00:00:00.000'))",
      [
        ['a', null, '2024-04-01 00:00:00'],
        ['b', '2024-04-01 00:00:00', '2024-07-01 00:00:00'],
      ],
      ['c', '2024-07-01 00:00:00', '2024-10-01 00:00:00'],
    ],
    [
      'TO_DAYS',
      'DATETIME NOT NULL',
      "RANGE (TO_DAYS(at)) (PARTITION a VALUES LESS THAN (0), PARTITION b VALUES LESS THAN (TO_DAYS('2024-07-01')))",
      [
        ['a', null, '0001-01-01 00:00:00'],
        ['b', '0001-01-01 00:00:00', '2024-07-01 00:00:00'],
      ],
      ['c', '2024-07-01 00:00:00', '2024-10-01 00:00:00'],
    ],
    [
      'YEAR',
      'DATE',
      'RANGE (YEAR(at)) (PARTITION a VALUES LESS THAN (2024), PARTITION b VALUES LESS THAN (2025))',
      [
        ['a', null, '2024-01-01'],
        ['b', '2024-01-01', '2025-01-01'],
      ],
      ['c', '2025-01-01', '2026-01-01'],
    ],
    [
      'UNIX_TIMESTAMP',
      'TIMESTAMP NOT NULL',
      'RANGE (UNIX_TIMESTAMP(at)) (PARTITION a VALUES LESS THAN (1711922400), PARTITION b VALUES LESS THAN (1719784800))',
      [
        ['a', null, '2024-03-31 22:00:00+00'],
        ['b', '2024-03-31 22:00:00+00', '2024-06-30 22:00:00+00'],
      ],
      ['c', '2024-06-30 22:00:00+00', '2024-09-30 22:00:00+00'],
    ],
    [
      'numbers',
      'BIGINT',
      'RANGE (at) (PARTITION a VALUES LESS THAN (1711922400), PARTITION b VALUES LESS THAN (1719784800))',
      [
        ['a', null, '1711922400'],
        ['b', '1711922400', '1719784800'],
      ],
      ['c', '1719784800', '1727733600'],
    ],
  ])(
    'by %s are read, and created after the last one and before an empty MAXVALUE',
    async ([kind, type, by, bounds, options]) => {
      const name = `t ${kind}`
      await server.sql(`CREATE TABLE sluice_partitions.\`${name}\` (at ${type}, x INT) PARTITION BY ${by}`)
      expect(shown(await inspected(name))).toEqual(bounds)
      const made = await make(name, [options])
      expect([made.made.map((one) => one.name.name), made.foundMade, made.proved, made.notGiven]).toEqual([
        ['c'],
        [],
        null,
        [],
      ])
      expect(shown(await inspected(name))).toEqual([...bounds, [...options]])
      await server.sql(
        `ALTER TABLE sluice_partitions.\`${name}\` ADD PARTITION (PARTITION rest VALUES LESS THAN (MAXVALUE))`,
      )
      expect(shown(await inspected(name))).toEqual([...bounds, [...options], ['rest', options[2], null, 'default']])
      const [, from, to] = options
      const size = kind === 'numbers' ? 7_948_800 : 0
      const next = size === 0 ? later(to, from) : String(Number(to) + size)
      await make(name, [['d', to, next]])
      expect(shown(await inspected(name))).toEqual([
        ...bounds,
        [...options],
        ['d', to, next],
        ['rest', next, null, 'default'],
      ])
      // The second run changes nothing.
      expect(await make(name, [options, ['d', to, next]])).toMatchObject({
        made: [],
        foundMade: [{ from }, { from: to }],
        tries: 0,
      })
    },
  )

  /** A year later if it is a year, otherwise at the same hour of the first of January. */
  function later(to: string, from: string): string {
    return Number(to.slice(0, 4)) > Number(from.slice(0, 4))
      ? `${Number(to.slice(0, 4)) + 1}${to.slice(4)}`
      : to.replace(/^2024-10-01|^2024-09-30/, (day) => (day === '2024-10-01' ? '2025-01-01' : '2024-12-31'))
  }

  test('that cannot be maintained are refused, each by name', async () => {
    await server.sql(
      'USE sluice_partitions',
      'CREATE TABLE plain (at DATE)',
      'CREATE TABLE r1 (at DATE, x INT) PARTITION BY LIST (x) (PARTITION p VALUES IN (1))',
      'CREATE TABLE r2 (at DATE, x INT) PARTITION BY HASH (x) PARTITIONS 3',
      'CREATE TABLE r3 (at DATE, x INT PRIMARY KEY) PARTITION BY KEY () PARTITIONS 3',
      'CREATE TABLE r4 (at DATE, x INT) PARTITION BY RANGE (YEAR(at)) SUBPARTITION BY HASH (x) SUBPARTITIONS 2 (PARTITION p VALUES LESS THAN (2024))',
      "CREATE TABLE r5 (at DATE, x INT) PARTITION BY RANGE COLUMNS (at, x) (PARTITION p VALUES LESS THAN ('2024-01-01', 5))",
      'CREATE TABLE r6 (at DATE) PARTITION BY RANGE (YEAR(at) * 100 + MONTH(at)) (PARTITION p VALUES LESS THAN (202401))',
      'CREATE TABLE r8 (x INT) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME (PARTITION p HISTORY, PARTITION c CURRENT)',
      'CREATE TABLE r7 (at TIMESTAMP(3) NOT NULL, x INT) PARTITION BY RANGE (x) (PARTITION p VALUES LESS THAN (202401))',
    )
    expect(await maintenance.inspect({ name: 'plain' }, false, SIGNAL)).toBeNull()
    expect((await refused(maintenance.inspect({ name: 'nowhere' }, false, SIGNAL))).code).toBe('NO_SUCH_TABLE')
    for (const [name, reason] of [
      ['r1', /by LIST$/],
      ['r2', /by HASH$/],
      ['r3', /by KEY$/],
      ['r4', /have subpartitions/],
      ['r8', /by SYSTEM_TIME$/],
      ['r5', /RANGE COLUMNS \("at","x"\)/],
      ['r6', /RANGE \(year\("at"\) \* 100 \+ month\("at"\)\)/],
    ] as const) {
      const { code, reason: reported } = await refused(maintenance.inspect({ name }, false, SIGNAL))
      expect([name, code, reported]).toEqual([name, 'UNSUPPORTED_TYPE', expect.stringMatching(reason)])
    }
    // The number is that of the partition column, whatever other columns exist.
    expect((await inspected('r7')).column.name).toBe('x')
  })

  test('with hostile names, comments and folders are created like their neighbours', async () => {
    const name = 'a"b`c\'; DROP.*é'
    const tick = (text: string): string => `\`${text.replaceAll('`', '``')}\``
    await server.sql(
      `CREATE TABLE sluice_partitions.${tick(name)} (${tick('x"`y')} DATE, zero DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00')
       PARTITION BY RANGE COLUMNS (${tick('x"`y')}) (
         PARTITION ${tick('p`1"é')} VALUES LESS THAN ('2024-04-01') COMMENT = 'it''s \\\\ "x", PARTITION b VALUES LESS THAN (5)',
         PARTITION ${tick('p`2"é')} VALUES LESS THAN ('2024-07-01') COMMENT = 'it''s \\\\ "x", PARTITION b VALUES LESS THAN (5)',
         PARTITION ${tick('max"')} VALUES LESS THAN (MAXVALUE) COMMENT = 'the rest')`,
    )
    expect(shown(await inspected(name))[1]).toEqual(['p`2"é', '2024-04-01', '2024-07-01'])
    // MariaDB closes its open tables, as after a restart.
    await server.sql('FLUSH TABLES')
    const made = await make(name, [
      ['p`3"é', '2024-07-01', '2024-10-01'],
      ['p`4"\\', '2024-10-01', '2025-01-01'],
    ])
    expect([made.made.length, made.notGiven]).toEqual([2, []])
    expect(shown(await inspected(name)).map(([partition]) => partition)).toEqual([
      'p`1"é',
      'p`2"é',
      'p`3"é',
      'p`4"\\',
      'max"',
    ])
    const [rows] = await other.query<RowDataPacket[]>(
      'SELECT PARTITION_COMMENT AS c FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY PARTITION_ORDINAL_POSITION',
      [name],
    )
    const comment = 'it\'s \\ "x", PARTITION b VALUES LESS THAN (5)'
    expect(rows.map((row) => String(row['c']))).toEqual([comment, comment, comment, comment, 'the rest'])
  })

  test('are stored where their neighbours are', async () => {
    const folder = `${await dataFolder()}elsewhere`
    await server.sql(
      `CREATE TABLE sluice_partitions.placed (at DATE) PARTITION BY RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('2024-04-01') DATA DIRECTORY = '${folder}')`,
    )
    await make('placed', [['b', '2024-04-01', '2024-07-01']])
    const [[row]] = await other.query<RowDataPacket[]>('SHOW CREATE TABLE placed')
    expect(String(row?.['Create Table']).split(`DATA DIRECTORY = '${folder}'`)).toHaveLength(3)
  })

  async function dataFolder(): Promise<string> {
    const [[row]] = await other.query<RowDataPacket[]>('SELECT @@tmpdir AS d')
    return `${String(row?.['d'])}/`
  }

  test('are not created if the last one has rows that no other takes, and the required statement is printed', async () => {
    await server.sql(
      "CREATE TABLE sluice_partitions.full (at DATETIME, x INT) PARTITION BY RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('2024-04-01'), PARTITION `re``st` VALUES LESS THAN (MAXVALUE) COMMENT = 'r')",
      "INSERT INTO sluice_partitions.full VALUES ('2024-04-02 01:02:03', 1), ('2024-09-30 23:59:59', 2), ('2031-01-01', 3), (NULL, 4), ('2020-01-01', 5)",
    )
    const options: readonly Options[] = [
      ['b', '2024-04-01 00:00:00', '2024-07-01 00:00:00'],
      ['c', '2024-07-01 00:00:00', '2024-10-01 00:00:00'],
    ]
    const error = await refused(make('full', options))
    expect([error.code, error.reason]).toEqual(['TABLE_REFUSED', expect.stringContaining('re`st (MAXVALUE) has rows')])
    const statement = /ALTER TABLE .*$/s.exec(error.hint ?? '')?.[0] ?? ''
    const table = await inspected('full')
    expect(
      await maintenance.countDefault(table, [{ from: options[0]?.[1] ?? '', to: options[0]?.[2] ?? '' }], SIGNAL),
    ).toEqual({
      spans: [1n],
      others: { from: '2024-09-30 23:59:59', to: '2031-01-01 00:00:00', rows: 2n },
    })
    expect(await maintenance.countDefault(table, [], SIGNAL)).toMatchObject({ spans: [], others: { rows: 3n } })
    expect(await maintenance.count(table, SIGNAL)).toEqual([2n, 3n])
    // The printed statement works.
    await other.query(statement)
    expect(shown(await inspected('full')).map(([name]) => name)).toEqual(['a', 'b', 'c', 're`st'])
    expect(await make('full', options)).toMatchObject({ made: [], foundMade: [{}, {}] })
    expect(await maintenance.count(await inspected('full'), SIGNAL)).toEqual([2n, 1n, 1n, 1n])
  })

  test('whose last one is also the first: it has the rows without a value, which count as others', async () => {
    await server.sql(
      'CREATE TABLE sluice_partitions.only (at DATETIME, x INT) PARTITION BY RANGE COLUMNS (at) (PARTITION rest VALUES LESS THAN (MAXVALUE))',
      "INSERT INTO sluice_partitions.only VALUES ('2024-04-02', 1), ('2031-01-01', 2), (NULL, 3), (NULL, 4)",
    )
    expect(
      await maintenance.countDefault(await inspected('only'), [{ from: '2024-04-01', to: '2024-07-01' }], SIGNAL),
    ).toEqual({
      spans: [1n],
      others: { from: '2031-01-01 00:00:00', to: '2031-01-01 00:00:00', rows: 3n },
    })
  })

  test('are refused if they would hold more than their period, or something else', async () => {
    await server.sql(
      "CREATE TABLE sluice_partitions.gaps (at DATE) PARTITION BY RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('2024-04-01'), PARTITION b VALUES LESS THAN ('2024-05-15'))",
      "CREATE TABLE sluice_partitions.days (at DATETIME) PARTITION BY RANGE (TO_DAYS(at)) (PARTITION a VALUES LESS THAN (TO_DAYS('2024-04-01')))",
    )
    for (const [name, options, reason] of [
      ['gaps', ['c', '2024-06-01', '2024-07-01'], /would begin at 2024-05-15, where b ends, and not at/],
      ['gaps', ['c', '2024-05-01', '2024-06-01'], /would begin at 2024-05-15/],
      ['gaps', ['B', '2024-05-15', '2024-06-01'], /it has another partition b, from 2024-04-01 to 2024-05-15/],
      ['days', ['c', '2024-04-01 00:00:00', '2024-04-30 22:00:00'], /cannot have a partition/],
    ] as const) {
      const error = await refused(make(name, [options]))
      expect([error.code, error.reason]).toEqual(['TABLE_REFUSED', expect.stringMatching(reason)])
    }
  })

  test('of timestamps follow their zone, through the hour that occurs twice and the one that is skipped', async () => {
    // October and March in Berlin, whatever the time zone of the session.
    await server.sql(
      'CREATE TABLE sluice_partitions.moments (at TIMESTAMP NOT NULL, x INT) PARTITION BY RANGE (UNIX_TIMESTAMP(at)) (PARTITION a VALUES LESS THAN (1727733600), PARTITION rest VALUES LESS THAN (MAXVALUE))',
    )
    await make('moments', [
      ['oct', '2024-09-30 22:00:00+00', '2024-10-31 23:00:00+00'],
      ['nov', '2024-10-31 23:00:00+00', '2025-03-01 23:00:00+00'],
      ['mar', '2025-03-01 23:00:00+00', '2025-03-31 22:00:00+00'],
    ])
    await server.sql(
      "SET time_zone = '+02:00'",
      "INSERT INTO sluice_partitions.moments VALUES ('2024-09-30 23:59:59', 1), ('2024-10-01 00:00:00', 2), ('2024-10-27 02:30:00', 3)",
      "SET time_zone = '+01:00'",
      "INSERT INTO sluice_partitions.moments VALUES ('2024-10-27 02:30:00', 4), ('2024-10-31 23:59:59', 5), ('2024-11-01 00:00:00', 6)",
      "SET time_zone = '+02:00'",
      "INSERT INTO sluice_partitions.moments VALUES ('2025-03-31 23:59:59', 7), ('2025-04-01 00:00:00', 8)",
    )
    const table = await inspected('moments')
    expect(await maintenance.count(table, SIGNAL)).toEqual([1n, 4n, 1n, 1n, 1n])
    expect(
      await maintenance.countDefault(table, [{ from: '2025-03-31 22:00:00+00', to: '2025-04-30 22:00:00+00' }], SIGNAL),
    ).toMatchObject({ spans: [1n], others: { rows: 0n, from: null } })
    expect((await maintenance.countDefault(table, [], SIGNAL)).others).toEqual({
      from: '2025-03-31 22:00:00+00',
      to: '2025-03-31 22:00:00+00',
      rows: 1n,
    })
  })

  test('take rows up to the last possible day', async () => {
    await server.sql(
      "CREATE TABLE sluice_partitions.late (at DATETIME) PARTITION BY RANGE (TO_DAYS(at)) (PARTITION a VALUES LESS THAN (TO_DAYS('9998-01-01')))",
    )
    await make('late', [['b', '9998-01-01 00:00:00', '9999-01-01 00:00:00']])
    await server.sql(
      "INSERT INTO sluice_partitions.late VALUES ('9998-12-31 23:59:59'), (NULL)",
      'ALTER TABLE sluice_partitions.late ADD PARTITION (PARTITION c VALUES LESS THAN (3652425))',
      "INSERT INTO sluice_partitions.late VALUES ('9999-12-31 23:59:59')",
    )
    expect(shown(await inspected('late')).at(-1)).toEqual(['c', '9999-01-01 00:00:00', null, 'default'])
    expect([await rowsIn('late', 'a'), await rowsIn('late', 'b'), await rowsIn('late', 'c')]).toEqual([1, 1, 1])
  })

  test("that the server creates by itself are named, and so is the table's zone", async () => {
    await server.sql(
      'USE sluice_partitions',
      "CREATE TABLE evented (at DATE) PARTITION BY RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('2024-04-01'))",
      "CREATE EVENT grow ON SCHEDULE EVERY 1 DAY DO ALTER TABLE evented ADD PARTITION (PARTITION b VALUES LESS THAN ('2024-05-01'))",
    )
    expect((await inspected('evented')).keptBy).toBe('the event sluice_partitions.grow of the server')
    expect(await maintenance.zone(SIGNAL)).toBe('UTC')
    await server.sql("SET GLOBAL time_zone = '+02:00'")
    expect(await maintenance.zone(SIGNAL)).toBeNull()
    await server.sql("SET GLOBAL time_zone = 'SYSTEM'")
  })

  test('are inspected quickly, even 2,000 of them', async () => {
    const all = Array.from({ length: 2000 }, (_, n) => `PARTITION p${n} VALUES LESS THAN (${739_342 + n})`)
    await server.sql(
      `CREATE TABLE sluice_partitions.many (at DATE) PARTITION BY RANGE (TO_DAYS(at)) (${all.join(', ')})`,
    )
    await inspected('many')
    const times: number[] = []
    for (let n = 0; n < 3; n++) {
      const at = performance.now()
      expect((await inspected('many')).partitions).toHaveLength(2000)
      times.push(performance.now() - at)
    }
    expect(Math.min(...times)).toBeLessThan(5000)
  })

  test('that other sessions lock are waited for no longer than the run may take, which is reported', async () => {
    await other.query(
      "CREATE TABLE locked (at DATE) PARTITION BY RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('2024-04-01'))",
    )
    await other.query('LOCK TABLES locked WRITE')
    try {
      for (const tables of [['locked'], ['lock*']]) {
        const ran = await perform({
          kind: 'partition-ensure',
          from: server.url('sluice_partitions'),
          tables,
          calendar: {},
          ahead: 1,
          patienceMs: 100,
          budgetMs: 500,
          dryRun: true,
        })
        expect(ran.finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_BUSY' } })
      }
    } finally {
      await other.query('UNLOCK TABLES')
    }
  })

  test('a stop ends the wait for a transaction that holds the table, and what was created until then is reported', async () => {
    await other.query(
      "CREATE TABLE held (at DATE) PARTITION BY RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('2024-04-01'))",
    )
    const table = await maintenance.inspect({ name: 'held' }, false, SIGNAL)
    if (table === null) throw new Error('not looked at')
    await other.query('BEGIN')
    await other.query('SELECT * FROM held')
    const stop = new AbortController()
    const asked = performance.now()
    setTimeout(() => stop.abort(), 300)
    const { made } = await maintenance.make({
      table,
      partitions: [{ name: { name: 'b' }, from: '2024-04-01', to: '2024-05-01' }],
      lockTimeoutMs: 100,
      retryLimitMs: 60_000,
      signal: SIGNAL,
      stop: stop.signal,
    })
    await other.query('ROLLBACK')
    expect([made, performance.now() - asked < 10_000]).toEqual([[], true])
  })

  test('need rights, and missing ones are reported', async () => {
    await server.sql(
      "CREATE TABLE sluice_partitions.guarded (at DATE) PARTITION BY RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('2024-04-01'))",
      "CREATE USER reader IDENTIFIED BY 'r'",
      'GRANT SELECT ON sluice_partitions.* TO reader',
    )
    await using theirs = await openMysqlCopy(server.url('sluice_partitions', 'reader', 'r'))
    const store2 = theirs.offers.maintenance
    const table = await store2?.inspect({ name: 'guarded' }, false, SIGNAL)
    if (store2 === undefined || table == null) throw new Error('not looked at')
    const error = await refused(
      store2.make({
        table,
        partitions: [{ name: { name: 'b' }, from: '2024-04-01', to: '2024-05-01' }],
        lockTimeoutMs: 100,
        retryLimitMs: 2000,
        signal: SIGNAL,
      }),
    )
    expect(error).toMatchObject({ code: 'TARGET_DENIED', reason: expect.stringContaining('ALTER command denied') })
    await server.sql("CREATE USER changer IDENTIFIED BY 'c'", 'GRANT ALTER ON sluice_partitions.guarded TO changer')
    const ensured = await perform({
      kind: 'partition-ensure',
      from: server.url('sluice_partitions', 'changer', 'c'),
      tables: ['guar*'],
      calendar: {},
      ahead: 1,
      patienceMs: 100,
      budgetMs: 2000,
      dryRun: false,
    })
    expect(ensured.finished).toMatchObject({
      exitCode: 3,
      error: { code: 'SOURCE_DENIED', reason: expect.stringMatching(/no right SELECT.*at/) },
    })
  })
})
