/**
 * Rows of a stream: keys that change, values that are not sent, truncation, partitions, and tables that have changed.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Change } from '../../src/model/copy/change.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { FollowedTable } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import {
  startRecord,
  followed,
  open,
  rowsOnly,
  startLogical,
  take,
  types,
  type LogicalServer,
} from './replication-kit.ts'

describe.skipIf(!POSTGRES_OWN)('rows of a stream (needs a server of its own)', () => {
  let live: LogicalServer
  let store: CopyStore

  beforeAll(async () => {
    live = await startLogical()
    store = await openPostgresCopy(live.url)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await live.sql.close()
    await live.server[Symbol.asyncDispose]()
  })

  /** Changes of one transaction on existing tables. */
  async function reported(
    create: string,
    names: readonly string[],
    work: string,
    more: { publish?: string; follow?: Partial<FollowedTable>; before?: string } = {},
  ): Promise<readonly Change[]> {
    await live.sql.run(create)
    const tables = await Promise.all(names.map((name) => followed(store, `public.${name}`, more.follow)))
    if (more.before !== undefined) await live.sql.run(more.before)
    const at = await startRecord(live.sql, names.join(', '), more.publish)
    await live.sql.run(`BEGIN; ${work}; COMMIT`)
    await using stream = await open(live.url, at, tables)
    return rowsOnly(await take(stream, 1))
  }

  test('a changed key is sent with the old key; an unchanged key is not', async () => {
    expect(
      await reported(
        'CREATE TABLE keys (id int PRIMARY KEY, v text)',
        ['keys'],
        "INSERT INTO keys VALUES (1, 'a'); UPDATE keys SET v = 'b'; UPDATE keys SET id = 2; DELETE FROM keys",
      ),
    ).toEqual([
      { type: 'insert', table: 0, row: ['1', 'a'] },
      { type: 'update', table: 0, key: null, row: ['1', 'b'] },
      { type: 'update', table: 0, key: ['1'], row: ['2', 'b'] },
      { type: 'delete', table: 0, key: ['2'] },
    ])
  })

  test('with REPLICA IDENTITY FULL the key is that of the primary key', async () => {
    expect(
      await reported(
        'CREATE TABLE wholes (v text, id int PRIMARY KEY); ALTER TABLE wholes REPLICA IDENTITY FULL',
        ['wholes'],
        "INSERT INTO wholes VALUES ('a', 1); UPDATE wholes SET v = NULL; UPDATE wholes SET id = 2, v = 'c'; DELETE FROM wholes",
      ),
    ).toEqual([
      { type: 'insert', table: 0, row: ['a', '1'] },
      { type: 'update', table: 0, key: null, row: [null, '1'] },
      { type: 'update', table: 0, key: ['1'], row: ['c', '2'] },
      { type: 'delete', table: 0, key: ['2'] },
    ])
  })

  test('rows of a table without a key are identified by all columns, including NULL', async () => {
    expect(
      await reported(
        'CREATE TABLE keyless (a int, b text); ALTER TABLE keyless REPLICA IDENTITY FULL',
        ['keyless'],
        "INSERT INTO keyless VALUES (1, NULL); UPDATE keyless SET b = 'b'; DELETE FROM keyless",
        { follow: { identity: ['a', 'b'] } },
      ),
    ).toEqual([
      { type: 'insert', table: 0, row: ['1', null] },
      { type: 'update', table: 0, key: ['1', null], row: ['1', 'b'] },
      { type: 'delete', table: 0, key: ['1', 'b'] },
    ])
  })

  test('a replica identity by an index has its columns, and an equal value in another spelling is the same key', async () => {
    expect(
      await reported(
        `CREATE TABLE indexed (id int PRIMARY KEY, a numeric NOT NULL, b bytea NOT NULL, v text); CREATE UNIQUE INDEX by_both ON indexed (a, b);
         ALTER TABLE indexed REPLICA IDENTITY USING INDEX by_both`,
        ['indexed'],
        String.raw`INSERT INTO indexed VALUES (1, 1.0, '\x01'); UPDATE indexed SET a = 1.00; UPDATE indexed SET id = 7; UPDATE indexed SET b = '\x02'; DELETE FROM indexed`,
        { follow: { identity: ['b', 'a'] } },
      ),
    ).toEqual([
      { type: 'insert', table: 0, row: ['1', '1', Buffer.from([1]), null] },
      { type: 'update', table: 0, key: null, row: ['1', '1', Buffer.from([1]), null] },
      { type: 'update', table: 0, key: null, row: ['7', '1', Buffer.from([1]), null] },
      { type: 'update', table: 0, key: [Buffer.from([1]), '1'], row: ['7', '1', Buffer.from([2]), null] },
      { type: 'delete', table: 0, key: [Buffer.from([2]), '1'] },
    ])
  })

  test('an unchanged out-of-line value is undefined, unless the old row or the key has it', async () => {
    const long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i)"
    const [[text] = []] = await live.sql.rows(`SELECT ${long}`)
    const create = (name: string): string =>
      `CREATE TABLE ${name} (id text PRIMARY KEY, big text, v int); ALTER TABLE ${name} ALTER big SET STORAGE EXTERNAL, ALTER id SET STORAGE EXTERNAL`
    const rows = (name: string): string => `INSERT INTO ${name} VALUES ('1', ${long}, 1)`
    const plain = await reported(create('toast'), ['toast'], `${rows('toast')}; UPDATE toast SET v = 2`)
    expect(plain[1]).toEqual({ type: 'update', table: 0, key: null, row: ['1', undefined, '2'] })
    const whole = await reported(
      `${create('toast_full')}; ALTER TABLE toast_full REPLICA IDENTITY FULL`,
      ['toast_full'],
      `${rows('toast_full')}; UPDATE toast_full SET v = 2`,
    )
    expect(whole[1]).toEqual({ type: 'update', table: 0, key: null, row: ['1', text, '2'] })
    const key = await reported(
      create('toast_key'),
      ['toast_key'],
      `INSERT INTO toast_key VALUES (left(${long}, 2600), 'x', 1); UPDATE toast_key SET v = 2; UPDATE toast_key SET id = 'short'`,
    )
    const id = String(text).slice(0, 2600)
    expect(key[1]).toEqual({ type: 'update', table: 0, key: null, row: [id, 'x', '2'] })
    expect(key[2]).toEqual({ type: 'update', table: 0, key: [id], row: ['short', 'x', '2'] })
  })

  test('TRUNCATE names the tables that are followed', async () => {
    expect(
      await reported(
        'CREATE TABLE t1 (id int PRIMARY KEY); CREATE TABLE t2 (id int PRIMARY KEY REFERENCES t1); CREATE TABLE t3 (id int PRIMARY KEY REFERENCES t1)',
        ['t1', 't2'],
        'INSERT INTO t1 VALUES (1); TRUNCATE t1 CASCADE; INSERT INTO t1 VALUES (2)',
      ),
    ).toEqual([
      { type: 'insert', table: 0, row: ['1'] },
      { type: 'truncate', tables: [0, 1] },
      { type: 'insert', table: 0, row: ['2'] },
    ])
  })

  test('rows of partitions have the name of their root, and its column order', async () => {
    expect(
      await reported(
        `CREATE TABLE events (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
         CREATE TABLE events_2 (v text, gone int, day date NOT NULL, id int NOT NULL); ALTER TABLE events_2 DROP COLUMN gone;
         ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')`,
        ['events'],
        `INSERT INTO events VALUES (1, '2024-01-05', 'a'), (2, '2024-02-05', 'b'); UPDATE events_2 SET v = 'c';
         UPDATE events SET day = '2024-02-07' WHERE id = 1; TRUNCATE events`,
        { publish: 'WITH (publish_via_partition_root)' },
      ),
    ).toEqual([
      { type: 'insert', table: 0, row: ['1', '2024-01-05', 'a'] },
      { type: 'insert', table: 0, row: ['2', '2024-02-05', 'b'] },
      { type: 'update', table: 0, key: null, row: ['2', '2024-02-05', 'c'] },
      { type: 'delete', table: 0, key: ['1', '2024-01-05'] },
      { type: 'insert', table: 0, row: ['1', '2024-02-07', 'a'] },
      { type: 'truncate', tables: [0] },
    ])
  })

  test.each([
    ['added', 'ADD COLUMN more int DEFAULT 7', 'the column more was added, dropped or renamed'],
    ['dropped', 'DROP COLUMN v', 'the column v was dropped'],
    ['renamed', 'RENAME COLUMN v TO w', 'the column w was added, dropped or renamed'],
    ['retyped', 'ALTER COLUMN v TYPE text', 'the column v is text, and was character varying(10)'],
    ['widened', 'ALTER COLUMN v TYPE varchar(20)', 'the column v is character varying(20)'],
    ['moved', 'RENAME TO moved_away', 'the table was renamed to public.moved_away'],
    ['rekeyed', 'REPLICA IDENTITY USING INDEX rekeyed_k', 'its replica identity is k, and was id'],
    ['unkeyed', 'DROP CONSTRAINT unkeyed_pkey', 'its replica identity is nothing, and was id'],
  ])('a table that was %s is reported as reshaped once, and its rows no longer', async (name, alter, reason) => {
    const insert = (table: string): string =>
      `INSERT INTO ${table} (id, k) SELECT coalesce(max(id), 0) + 1, coalesce(max(id), 0) + 1 FROM ${table}`
    await live.sql
      .run(`CREATE TABLE ${name} (id int PRIMARY KEY, k int NOT NULL, v varchar(10)); CREATE UNIQUE INDEX ${name}_k ON ${name} (k);
      CREATE TABLE ${name}_other (id int PRIMARY KEY)`)
    const tables = [await followed(store, `public.${name}_other`), await followed(store, `public.${name}`)]
    const at = await startRecord(live.sql, `${name}_other, ${name}`)
    const now = name === 'moved' ? 'moved_away' : name
    await live.sql.run(`${insert(name)}; ALTER TABLE ${name} ${alter}`)
    await live.sql.run(`${insert(now)}; ${insert(now)}; INSERT INTO ${name}_other VALUES (1)`)
    const wanted = [
      { type: 'insert', table: 1, row: ['1', '1', null] },
      { type: 'reshaped', table: 1, reason: expect.stringContaining(reason) as string },
      { type: 'insert', table: 0, row: ['1'] },
    ]
    await using stream = await open(live.url, at, tables)
    expect(rowsOnly(await take(stream, 2))).toEqual(wanted)
    await stream[Symbol.asyncDispose]()
    // After the change a new connection reads the names of types and tables again.
    await using again = await open(live.url, at, tables)
    expect(rowsOnly(await take(again, 2))).toEqual(wanted)
  })

  test('a column that the user left out does not halt the stream', async () => {
    await live.sql.run('CREATE TABLE fewer (id int PRIMARY KEY, unwanted text, v text)')
    const table = await followed(store, 'public.fewer')
    const columns = table.columns.filter(({ name }) => name !== 'unwanted').toReversed()
    const at = await startRecord(live.sql, 'fewer')
    await live.sql.run("INSERT INTO fewer VALUES (1, 'x', 'y')")
    await using stream = await open(live.url, at, [{ ...table, columns }])
    expect(rowsOnly(await take(stream, 1))).toEqual([{ type: 'insert', table: 0, row: ['y', '1'] }])
  })

  test('a partition with another replica identity is reported as reshaped when an old row lacks the key', async () => {
    expect(
      types(
        await reported(
          `CREATE TABLE roots (id int NOT NULL, k int NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE leaf PARTITION OF roots DEFAULT;
           CREATE UNIQUE INDEX leaf_k ON leaf (k); ALTER TABLE leaf REPLICA IDENTITY USING INDEX leaf_k`,
          ['roots'],
          'INSERT INTO roots VALUES (1, 1); DELETE FROM roots; INSERT INTO roots VALUES (2, 2)',
          { publish: 'WITH (publish_via_partition_root)' },
        ),
      ),
    ).toEqual(['reshaped'])
  })

  test.each([
    ['by another index', '', 'REPLICA IDENTITY USING INDEX NAME_1_k', 'is k, and was id'],
    ['shorter than that of its root', 'REPLICA IDENTITY FULL', 'REPLICA IDENTITY DEFAULT', 'is not FULL'],
    ['longer than that of its root', '', 'REPLICA IDENTITY FULL', null],
  ])('a partition with a replica identity %s for a while', async (what, of, alter, reason) => {
    const name = `whiled_${what.split(' ')[0]}`
    const [before, while_] = [`ALTER TABLE ${name}_1 ${of || 'REPLICA IDENTITY DEFAULT'}`, alter.replace('NAME', name)]
    await live.sql.run(`CREATE TABLE ${name} (id int PRIMARY KEY, k int NOT NULL) PARTITION BY RANGE (id);
      CREATE TABLE ${name}_1 PARTITION OF ${name} FOR VALUES FROM (0) TO (10); CREATE UNIQUE INDEX ${name}_1_k ON ${name}_1 (k);
      CREATE TABLE ${name}_2 PARTITION OF ${name} DEFAULT`)
    if (of !== '') await live.sql.run(`ALTER TABLE ${name} ${of}; ALTER TABLE ${name}_2 ${of}; ${before}`)
    await live.sql.run(`INSERT INTO ${name} VALUES (1, 1), (11, 11)`)
    const table = await followed(store, `public.${name}`)
    const at = await startRecord(live.sql, name, 'WITH (publish_via_partition_root)')
    await live.sql.run(`UPDATE ${name} SET k = 12 WHERE id = 11; ALTER TABLE ${name}_1 ${while_}`)
    await live.sql.run(`UPDATE ${name} SET id = 2 WHERE id = 1; ${before}`)
    const [between] = await live.sql.rows('SELECT pg_current_wal_lsn()')
    await live.sql.run(`UPDATE ${name} SET k = 13 WHERE id = 11`)
    const last = { type: 'update', table: 0, key: null, row: ['11', '13'] }
    await using stream = await open(live.url, at, [table])
    expect(rowsOnly(await take(stream, 3))).toEqual([
      { type: 'update', table: 0, key: null, row: ['11', '12'] },
      ...(reason === null
        ? [{ type: 'update', table: 0, key: ['1'], row: ['2', '1'] }, last]
        : [{ type: 'reshaped', table: 0, reason: `partition public.${name}_1: its replica identity ${reason}` }]),
    ])
    await stream[Symbol.asyncDispose]()
    // After a resync, what was before it does not matter any more.
    const since = { [`public.${name}`]: String(between?.[0]) }
    await using again = await open(live.url, { ...at, since } as typeof at, [table])
    expect(rowsOnly(await take(again, 3))).toEqual([last])
  })

  test('the first row of a partition that was not noted comes after a report of it; of another table, without', async () => {
    await live.sql.run(`CREATE TABLE fresh (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE fresh_1 PARTITION OF fresh FOR VALUES FROM (0) TO (10);
      CREATE TABLE fresh_own (id int PRIMARY KEY)`)
    const table = await followed(store, 'public.fresh')
    const at = await startRecord(live.sql, 'fresh, fresh_own', 'WITH (publish_via_partition_root)')
    const oid = async (name: string): Promise<string> =>
      String((await live.sql.rows(`SELECT '${name}'::regclass::oid`))[0]?.[0])
    const nodes = [{ oid: await oid('fresh') }, { oid: await oid('fresh_1') }]
    const shapes = { 'public.fresh': JSON.stringify({ columns: [], types: {}, nodes }) }
    await live.sql.run('TRUNCATE fresh, fresh_own')
    await live.sql.run(
      `BEGIN; INSERT INTO fresh VALUES (1); INSERT INTO fresh_own VALUES (1); INSERT INTO fresh VALUES (2); COMMIT`,
    )
    await live.sql.run('CREATE TABLE fresh_9 PARTITION OF fresh DEFAULT')
    const id = await oid('fresh_9')
    await live.sql.run('INSERT INTO fresh VALUES (90), (3)')
    await live.sql.run('ALTER TABLE fresh_9 RENAME TO fresh_10; INSERT INTO fresh VALUES (91); DROP TABLE fresh_10')
    const insert = (key: string): Change => ({ type: 'insert', table: 0, row: [key, null] })
    const wanted: readonly Change[] = [
      { type: 'truncate', tables: [0] },
      insert('1'),
      insert('2'),
      { type: 'partition', table: 0, id, name: 'public.fresh_9' },
      insert('90'),
      insert('3'),
      insert('91'),
    ]
    await using stream = await open(live.url, { ...at, shapes } as typeof at, [table])
    expect(rowsOnly(await take(stream, 4))).toEqual(wanted)
    await stream[Symbol.asyncDispose]()
    // Rows as bytes are reported in the same order.
    await using framed = await open(live.url, { ...at, shapes } as typeof at, [table], at.start, {
      frames: 'pg-binary',
    })
    expect(types(rowsOnly(await take(framed, 4)))).toEqual(wanted.map((one) => one.type))
  })

  test('a table that was dropped and created again is reported as reshaped', async () => {
    await live.sql.run('CREATE TABLE anew (id int PRIMARY KEY)')
    const table = await followed(store, 'public.anew')
    const at = await startRecord(live.sql, 'anew')
    await live.sql.run('INSERT INTO anew VALUES (1)')
    await using stream = await open(live.url, at, [table])
    expect(rowsOnly(await take(stream, 1))).toEqual([{ type: 'insert', table: 0, row: ['1'] }])
    await live.sql.run(
      `DROP TABLE anew; CREATE TABLE anew (id int PRIMARY KEY); ALTER PUBLICATION ${at.publication} ADD TABLE anew; INSERT INTO anew VALUES (2)`,
    )
    expect(rowsOnly(await take(stream, 1))).toEqual([
      { type: 'reshaped', table: 0, reason: expect.stringContaining('recreated') as string },
    ])
  })
})
