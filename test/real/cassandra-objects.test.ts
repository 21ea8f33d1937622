/** Properties of a Cassandra table between two keyspaces: options, clustering order, secondary indexes. */
import { beforeEach, afterEach, describe, expect, test } from 'vitest'
import { openCassandraCopy } from '../../src/stores/cassandra/copy/index.ts'
import { indexesOf, PLAIN } from '../../src/stores/cassandra/copy/index-list.ts'
import { settingsFor, settingsOf, settingTexts } from '../../src/stores/cassandra/copy/table-settings.ts'
import { dependencyLines } from '../../src/model/copy/dependencies.ts'
import { isBefore } from '../../src/stores/cassandra/copy/types.ts'
import { perform } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { copyBetween, failures } from './cassandra-target-kit.ts'

const NEVER = new AbortController().signal

describe.skipIf(!CASSANDRA_AVAILABLE)(`properties of a table ${CASSANDRA_MISSING}`, () => {
  let source: TestKeyspace
  let target: TestKeyspace
  beforeEach(async () => {
    source = await newKeyspace()
    target = await newKeyspace()
  }, 120_000)
  afterEach(async () => {
    await source[Symbol.asyncDispose]()
    await target[Symbol.asyncDispose]()
  })

  test('options and clustering order are copied to a table that is created', async () => {
    await source.cql(
      `CREATE TABLE t (a int, b int, c text, "D" int, PRIMARY KEY (a, b, "D")) WITH CLUSTERING ORDER BY (b DESC, "D" ASC)
         AND comment = 'it''s ours' AND gc_grace_seconds = 1234 AND bloom_filter_fp_chance = 0.05
         AND compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': '77'}
         AND speculative_retry = '5ms' AND caching = {'keys': 'NONE', 'rows_per_partition': '10'}`,
      'INSERT INTO t (a, b, "D", c) VALUES (1, 1, 1, \'x\')',
      'INSERT INTO t (a, b, "D", c) VALUES (1, 2, 1, \'y\')',
    )
    const ran = await perform(copyBetween(source.url, target.url, ['t']))
    expect(ran.finished.exitCode, failures(ran)).toBe(0)
    const name = (keyspace: TestKeyspace) => ({ schema: keyspace.name, name: 't' })
    const there = await settingsOf(target.link, name(target))
    expect(there).toEqual(await settingsOf(source.link, name(source)))
    expect(there).toMatchObject({
      comment: "'it''s ours'",
      compaction: expect.stringContaining("'sstable_size_in_mb': '77'") as string,
    })
    const rows = await target.rows('SELECT b FROM t WHERE a = 1')
    expect(rows.map((row) => row.get('b') as number)).toEqual([2, 1])
  })

  test('a plan names what it cannot copy: TTLs of collections, and of tables with a default TTL', async () => {
    await source.cql(
      'CREATE TABLE t (id int PRIMARY KEY, m map<text, int>, s set<int>)',
      'CREATE TABLE u (id int PRIMARY KEY, m map<text, int>, v text)',
      'CREATE TABLE k (id int PRIMARY KEY)',
      'CREATE TABLE c (id int PRIMARY KEY, n counter)',
      'CREATE TABLE d (id int PRIMARY KEY, v text)',
      "INSERT INTO t (id, m) VALUES (1, {'a': 1}) USING TTL 100000",
      "INSERT INTO d (id, v) VALUES (1, 'before')",
      'ALTER TABLE d WITH default_time_to_live = 86400',
    )
    const ran = await perform(copyBetween(source.url, target.url, ['*']))
    expect(ran.finished.exitCode, failures(ran)).toBe(0)
    const plan = ran.events.find((event) => event.type === 'plan.ready')
    const lines = plan?.type === 'plan.ready' ? (plan.copies ?? []) : []
    // Each is named once: as left behind, not in a note.
    expect(lines.flatMap(({ notes = [] }) => notes)).toEqual([])
    const left = (name: string): readonly string[] =>
      dependencyLines(lines.find(({ table }) => table.endsWith(`.${name}`))?.leftBehind ?? [])
    expect(left('k')).toEqual([
      expect.stringMatching(
        /^left behind: 1 write time and time to live .*k\): the table has only key columns: rows never/,
      ),
    ])
    expect(left('c')).toEqual([])
    const end = ran.events.find((event) => event.type === 'table.finished' && event.table.endsWith('.k'))
    expect(end?.type === 'table.finished' ? dependencyLines(end.leftBehind ?? []) : []).toEqual(left('k'))
    expect(dependencyLines(ran.finished.leftBehind ?? [])).toContainEqual(
      expect.stringContaining('the table has only key columns'),
    )
    // The row was written before its table had a default TTL: it never expires.
    expect((await target.rows('SELECT ttl(v) FROM d'))[0]?.values()).toEqual([null])
    if (!isBefore(target.link.release, 5, 0)) {
      expect([left('t'), left('u'), left('d')]).toEqual([[], [], []])
      const [row] = await target.rows('SELECT ttl(m) AS lives FROM t')
      const lives = row?.get('lives') as readonly number[] | undefined
      expect(lives?.[0]).toBeGreaterThan(90_000)
      return
    }
    expect(left('t')).toEqual([
      expect.stringMatching(
        /2 write times and times to live \(m, s\): the server does not report the TTL of these columns: rows never expire/,
      ),
    ])
    expect(left('u')).toEqual([
      expect.stringMatching(
        /time to live \(m\): the server does not report them for these columns: the target gets the times of other columns/,
      ),
    ])
    // With this release, the target would expire a row that never expires in the source.
    expect(left('d')).toEqual([
      'left behind: 1 option of the table (default_time_to_live): it is not set in the target',
    ])
    const forced = await perform(copyBetween(target.url, source.url, ['d'], { dryRun: true, onExisting: 'upsert' }))
    expect(JSON.stringify(forced.events)).toContain('the target removes rows without a time to live 86400 s after')
  })

  test('a table is created without an option that the server refuses, and the option is named', async () => {
    await using store = await openCassandraCopy(target.url)
    await source.cql('CREATE TABLE t (a int PRIMARY KEY, b int)')
    const [table] = await store.tables(`${source.name}.t`, NEVER)
    if (table === undefined) throw new Error('no table')
    const { kept = {} } = store.offers.tableOptions?.fitted(table.settings ?? {}) ?? {}
    const settings = { ...kept, compaction: "{'class': 'NoSuchStrategy'}", gc_grace_seconds: '77' }
    const made = { ...table, table: { schema: target.name, name: 't' }, settings }
    const maker = store.target()
    await maker.create(made, NEVER)
    expect(maker.refusedSettings?.(made.table)).toEqual([expect.stringMatching(/^compaction = .*NoSuchStrategy/)])
    expect(await settingsOf(target.link, made.table)).toMatchObject({ gc_grace_seconds: '77' })
  })

  test('indexes of one table that are requested at once are all created, although old servers lose concurrent changes', async () => {
    const columns = Array.from({ length: 6 }, (_, i) => `c${i}`)
    const shape = `id int PRIMARY KEY, ${columns.map((name) => `${name} text`).join(', ')}`
    await target.cql(`CREATE TABLE t (${shape})`)
    await using store = await openCassandraCopy(target.url)
    const [table] = await store.tables('t', NEVER)
    if (table === undefined) throw new Error('no table')
    const own = { kind: 'index', own: '', unique: false, method: PLAIN, include: [] } as const
    const built = columns.map(async (column) => {
      const index = { ...own, name: `by_${column}`, columns: [column], parts: [{ column }] }
      await store.objects().build(index, table, false, NEVER)
    })
    await Promise.all(built)
    expect((await indexesOf(target.link, table)).map(({ name }) => name)).toEqual(columns.map((name) => `by_${name}`))
  })

  test('secondary indexes are created, also those of map keys; the same command finds them already there', async () => {
    const shape = 'id int PRIMARY KEY, plain text, "Odd ""name" int, m map<text, int>, l list<int>'
    await source.cql(
      `CREATE TABLE t (${shape})`,
      'CREATE INDEX by_plain ON t (plain)',
      'CREATE INDEX by_odd ON t ("Odd ""name")',
      'CREATE INDEX by_key ON t (keys(m))',
      'CREATE INDEX by_item ON t (l)',
      'INSERT INTO t (id, plain, "Odd ""name", m, l) VALUES (1, \'a\', 7, {\'k\': 1}, [3])',
    )
    const operation = copyBetween(source.url, target.url, ['t'], { with: ['indexes'] })
    const ran = await perform(operation)
    expect(ran.finished.exitCode, failures(ran)).toBe(0)
    const spec = { table: { schema: target.name, name: 't' }, columns: ran.events.length > 0 ? await columns() : [] }
    const made = await indexesOf(target.link, spec as never)
    expect(made.map(({ name }) => name)).toEqual(['by_item', 'by_key', 'by_odd', 'by_plain'])
    for (const where of ["plain = 'a'", '"Odd ""name" = 7', "m CONTAINS KEY 'k'", 'l CONTAINS 3'])
      expect((await target.rows(`SELECT id FROM t WHERE ${where}`)).length, where).toBe(1)
    const again = await perform({ ...operation, dryRun: true })
    const plan = again.events.find(({ type }) => type === 'plan.ready')
    expect(JSON.stringify(plan).match(/"status":"there"/g)?.length).toBe(4)
    // An index name of another keyspace blocks nothing; a column with another name does, and is reported.
    await target.cql('CREATE TABLE u (id int PRIMARY KEY, other text)')
    const renamed = await perform(
      copyBetween(source.url, target.url, ['t'], {
        with: ['indexes'],
        toTable: 'u',
        columns: ['id', 'plain'],
        rename: { plain: 'other' },
        dryRun: true,
      }),
    )
    expect(JSON.stringify(renamed.events.find(({ type }) => type === 'plan.ready'))).toContain(
      'another name in the target',
    )

    async function columns(): Promise<readonly { readonly name: string }[]> {
      await using store = await openCassandraCopy(target.url)
      const [table] = await store.tables('t', NEVER)
      return table?.columns ?? []
    }
  })
})

describe('options for other releases', () => {
  const OF_3 = {
    caching: "{'keys': 'ALL'}",
    compression: "{'chunk_length_in_kb': '16', 'class': 'org.apache.cassandra.io.compress.LZ4Compressor'}",
    read_repair_chance: '0.2',
    dclocal_read_repair_chance: '0.1',
    cdc: 'true',
    speculative_retry: "'99p'",
  }
  test('are kept if a release supports them, and named if they have an effect', () => {
    expect(settingsFor(OF_3, '5.0.4', false).left).toEqual(['read_repair_chance'])
    expect(settingsFor(OF_3, '2.1.0', false).left).toEqual(['cdc'])
    expect(Object.keys(settingsFor({ ...OF_3, default_time_to_live: '5' }, '3.4', true).kept)).toEqual([
      'default_time_to_live',
    ])
    expect(settingTexts(settingsFor(OF_3, '2.1.0', false).kept, '2.1.0')).toContain(
      "compression = {'chunk_length_kb': '16', 'sstable_compression': 'org.apache.cassandra.io.compress.LZ4Compressor'}",
    )
    expect(settingTexts({ compression: "{'enabled': 'false'}", speculative_retry: "'99p'" }, '2.1.0')).toEqual([
      "compression = {'sstable_compression': ''}",
      "speculative_retry = '99PERCENTILE'",
    ])
  })
})
