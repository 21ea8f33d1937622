/**
 * `sluice index` from the command to the last row: what it builds, what interrupts it, and that frequent statements use
 * indexes.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import { countsAt } from '../../src/catalog/query/counts.ts'
import { filesOfPartitions, fileLifetimesOf, catalogPartitions } from '../../src/catalog/query/files.ts'
import { commitsUpTo } from '../../src/catalog/query/history.ts'
import { prunedFiles, pruningAt } from '../../src/catalog/query/pruned.ts'
import { stateAt } from '../../src/catalog/query/state.ts'
import { extendRanges } from '../../src/catalog/ranges/build.ts'
import { candidateFiles } from '../../src/catalog/ranges/candidates.ts'
import { rangeColumns } from '../../src/catalog/ranges/columns.ts'
import { addRangeColumns } from '../../src/catalog/ranges/manage.ts'
import { deleteTable } from '../../src/catalog/rollback.ts'
import { FilePages } from '../../src/engine/lake/queries/files-page.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import type { SqlDatabase, SqlReader, SqlRow } from '../../src/model/run/sql-port.ts'
import { BACKEND, catalogUrl, openAt } from '../support/backend.ts'
import {
  add,
  importInto,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { perform } from './operation-kit.ts'

type Kind = 'long' | 'string' | 'date' | 'timestamp_ntz' | 'integer' | 'decimal(38,0)'
type Named = { readonly name: string; readonly type: Kind; readonly physical?: string }

const MAPPED: Line = {
  protocol: {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['columnMapping', 'timestampNtz', 'typeWidening'],
    writerFeatures: ['columnMapping', 'timestampNtz', 'typeWidening'],
  },
}

function metadata(columns: readonly Named[]): Line {
  return {
    metaData: {
      id: 'ranges',
      format: { provider: 'parquet', options: {} },
      schemaString: JSON.stringify({
        type: 'struct',
        fields: [
          ...columns.map(({ name, type, physical = name }, i) => ({
            name,
            type,
            nullable: true,
            metadata: { 'delta.columnMapping.id': i + 1, 'delta.columnMapping.physicalName': physical },
          })),
          {
            name: 'part',
            type: 'long',
            nullable: true,
            metadata: { 'delta.columnMapping.id': 99, 'delta.columnMapping.physicalName': 'part' },
          },
        ],
      }),
      partitionColumns: ['part'],
      configuration: { 'delta.columnMapping.mode': 'name' },
    },
  }
}

/** A file whose column has the bounds `low` and `high`. */
function file(path: string, values: Readonly<Record<string, readonly [unknown, unknown]>>, part = 1): Line {
  const side = (at: 0 | 1): Line =>
    Object.fromEntries(Object.entries(values).map(([name, bounds]) => [name, bounds[at]]))
  const nullCount = Object.fromEntries(Object.keys(values).map((name) => [name, 0]))
  return add(path, {
    partitionValues: { part: String(part) },
    stats: JSON.stringify({ numRecords: 2, minValues: side(0), maxValues: side(1), nullCount }),
  })
}

async function paths(database: SqlDatabase, version: number, where: string): Promise<readonly string[]> {
  const pruning = await pruningAt(database, 't', version, where)
  const found: string[] = []
  for await (const page of prunedFiles(database, 't', version, pruning)) found.push(...page.map(({ path }) => path))
  return found.toSorted()
}

/** Whether ranges are used, and how many files they leave. */
async function left(database: SqlDatabase, version: number, where: string): Promise<number | null> {
  const { bound } = await pruningAt(database, 't', version, where)
  return (await candidateFiles(database, 't', bound, Infinity))?.numbers.length ?? null
}

const count = async (database: SqlDatabase, relation: string): Promise<unknown> =>
  (await database.all(`SELECT count(*) FROM ${relation} WHERE table_id = 't'`))[0]?.[0]

const ID: Named = { name: 'id', type: 'long' }
const want = (name: string, kind: 'number' | 'string' | 'date' = 'number', physical = name) => ({
  name,
  physicalPath: [physical],
  kind,
})
const many = (n: number, from = 0): readonly Line[] =>
  Array.from({ length: n }, (_, i) => file(`f${from + i}`, { id: [(from + i) * 10, (from + i) * 10 + 9] }, i % 50))

describe(`ranges in ${BACKEND}`, () => {
  test('leave a few of many files, and stay right when files are added and removed', async () => {
    using folder = temporaryFolder()
    writeLog(folder.path, [[MAPPED, metadata([ID]), ...many(3_000)]])
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await importInto(database, folder.path)
    expect(await extendRanges(database, 't')).toBe(0)
    await addRangeColumns(database, 't', [want('id')], 1)
    expect(await extendRanges(database, 't')).toBe(3_000)
    expect(await left(database, 0, 'id = 12345')).toBe(1)
    expect(await paths(database, 0, 'id = 12345')).toEqual(['f1234'])
    expect(await left(database, 0, 'id BETWEEN 100 AND 129 AND part = 11')).toBe(3)
    expect(await paths(database, 0, 'id BETWEEN 100 AND 129 AND part = 11')).toEqual(['f11'])
    expect(await left(database, 0, 'id IS NULL')).toBe(0)
    expect(await left(database, 0, 'id = NULL')).toBe(0)
    expect(await left(database, 0, 'part = 3')).toBeNull()
    expect(await left(database, 0, 'id = 5 OR part = 3')).toBeNull()
    writeLog(
      folder.path,
      [[remove('f1234'), file('new', { id: [12_340, 12_349] }), file('late', { id: [0, 5] })], [remove('new')]],
      1,
    )
    await importInto(database, folder.path)
    const asked = async (): Promise<unknown> =>
      Promise.all([0, 1, 2].map(async (version) => paths(database, version, 'id = 12345')))
    const right = [['f1234'], ['new'], []]
    expect(await asked()).toEqual(right)
    // The import updated them when it ended.
    expect(await extendRanges(database, 't')).toBe(0)
    expect(await count(database, 'delta_file_ranges')).toBe(3_002)
    expect(await count(database, 'delta_range_zones')).toBe(3)
    await database.write((transaction) => deleteTable(transaction, 't'))
    for (const relation of ['delta_range_columns', 'delta_range_zones', 'delta_file_ranges']) {
      expect(await count(database, relation)).toBe(0)
    }
  })

  test('do not apply to a file that gets the number of a removed one', async () => {
    using folder = temporaryFolder()
    writeLog(folder.path, [[MAPPED, metadata([ID]), ...many(2_500)], [file('gone', { id: [1, 2] })], [remove('gone')]])
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await importInto(database, folder.path)
    await addRangeColumns(database, 't', [want('id')], 1)
    await extendRanges(database, 't')
    // As prune does with files of no kept version.
    await database.write((transaction) =>
      transaction.run("DELETE FROM delta_files WHERE table_id = 't' AND path = 'gone'"),
    )
    writeLog(folder.path, [[file('heir', { id: [777_777, 777_778] })]], 3)
    await importInto(database, folder.path)
    expect(await paths(database, 3, 'id = 777777')).toEqual(['heir'])
    await extendRanges(database, 't')
    expect(await paths(database, 3, 'id = 777777')).toEqual(['heir'])
    expect(await left(database, 3, 'id = 777777')).toBe(1)
  })

  test('follow a renamed column, and do not apply to a new column with an old name', async () => {
    using folder = temporaryFolder()
    const first: Named = { name: 'id', type: 'long', physical: 'col-1' }
    const files = Array.from({ length: 2_500 }, (_, i) => file(`f${i}`, { 'col-1': [i, i] }))
    writeLog(folder.path, [
      [MAPPED, metadata([first]), ...files],
      [
        metadata([
          { ...first, name: 'old' },
          { name: 'id', type: 'long', physical: 'col-2' },
        ]),
        file('both', { 'col-1': [-1, -1], 'col-2': [7, 7] }),
      ],
    ])
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await importInto(database, folder.path)
    await addRangeColumns(database, 't', [want('id', 'number', 'col-1')], 1)
    await extendRanges(database, 't')
    expect(await left(database, 0, 'id = 7')).toBe(1)
    expect(await left(database, 1, 'old = 7')).toBe(1)
    expect(await left(database, 1, 'id = 7')).toBeNull()
    expect(await paths(database, 1, 'id = 7')).toHaveLength(2_501)
    expect((await rangeColumns(database, 't')).map(({ name }) => name)).toEqual(['old'])
  })

  test('survive a widening, and are built again if the column becomes another kind of value', async () => {
    using folder = temporaryFolder()
    const days = Array.from({ length: 2_500 }, (_, i) =>
      file(`f${i}`, { day: [`20${10 + (i % 80)}-01-01`, `20${10 + (i % 80)}-12-31`], n: [i, i] }),
    )
    writeLog(folder.path, [
      [
        MAPPED,
        metadata([
          { name: 'day', type: 'date' },
          { name: 'n', type: 'integer' },
        ]),
        ...days,
      ],
      [
        metadata([
          { name: 'day', type: 'timestamp_ntz' },
          { name: 'n', type: 'long' },
        ]),
      ],
      [
        metadata([
          { name: 'day', type: 'timestamp_ntz' },
          { name: 'n', type: 'string' },
        ]),
        file('text', { n: ['a', 'z'] }),
      ],
    ])
    await using database = await openCatalog(join(folder.path, 'c.db'))
    const to = async (version: number): Promise<void> => {
      await database.write((transaction) => transaction.run('UPDATE delta_tables SET current_version = ?', [version]))
    }
    await importInto(database, folder.path)
    await to(0)
    await addRangeColumns(database, 't', [want('day', 'date'), want('n')], 1)
    await extendRanges(database, 't')
    await to(2)
    const noon = "day = '2020-06-01 12:00:00'"
    expect(await left(database, 1, noon)).toBe(33)
    expect(await paths(database, 1, noon)).toHaveLength(32)
    // Text is no number, so that file may hold any value.
    expect(await left(database, 1, 'n = 5')).toBe(2)
    expect(await left(database, 2, "n = 'b'")).toBeNull()
    await extendRanges(database, 't')
    expect((await rangeColumns(database, 't')).map(({ kind }) => kind)).toEqual(['timestamp_ntz', 'string'])
    expect(await paths(database, 2, "n = 'b'")).toContain('text')
    expect(await left(database, 1, noon)).toBe(33)
  })

  test('leave files whose bounds a writer clamped to 64 bits', async () => {
    using folder = temporaryFolder()
    const [least, most] = ['-9223372036854775808', '9223372036854775807']
    const files = [file('below', { n: [least, '1'] }), file('above', { n: ['1', most] }), file('inside', { n: [1, 2] })]
    writeLog(folder.path, [[MAPPED, metadata([{ name: 'n', type: 'decimal(38,0)' }]), ...files]])
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await importInto(database, folder.path)
    await addRangeColumns(database, 't', [want('n')], 1)
    await extendRanges(database, 't')
    for (const [where, path] of [
      ['n = 12345678901234567890123456789012345678', 'above'],
      ['n > 20000000000000000000', 'above'],
      ['n = -12345678901234567890123456789012345678', 'below'],
      ['n < -20000000000000000000', 'below'],
    ] as const) {
      expect(await paths(database, 0, where)).toEqual([path])
      expect(await left(database, 0, where)).toBe(1)
    }
  })

  test('resume where a stopped build ended, and two builders do not block each other', async () => {
    using folder = temporaryFolder()
    writeLog(folder.path, [[MAPPED, metadata([ID]), ...many(20_000)]])
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await importInto(database, folder.path)
    await addRangeColumns(database, 't', [want('id')], 1)
    const interrupter = new Interrupter()
    const stopped = extendRanges(database, 't', {
      signal: interrupter.stop,
      onProgress: () => interrupter.requestStop(),
    })
    await expect(stopped).rejects.toMatchObject({ code: 'STOPPED' })
    const [half] = await rangeColumns(database, 't')
    expect(half?.builtTo).toBe(16_383)
    expect(await paths(database, 0, 'id = 199995')).toEqual(['f19999'])
    await Promise.all([extendRanges(database, 't'), extendRanges(database, 't')])
    expect(await count(database, 'delta_file_ranges')).toBe(20_000)
    expect(await left(database, 0, 'id = 199995')).toBe(1)
  })
})

test(`a catalog in ${BACKEND} that is older than ranges works without them, and the next write upgrades it`, async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [[MAPPED, metadata([ID]), ...many(2_100)]])
  const catalogFile = join(folder.path, 'c.db')
  {
    await using database = await openCatalog(catalogFile)
    await importInto(database, folder.path)
    const views = ['delta_history', 'delta_partition_stats', 'delta_small_files', 'delta_table_growth']
    const tables = ['delta_range_columns', 'delta_range_zones', 'delta_file_ranges']
    await database.write(async (transaction) => {
      for (const view of views) await transaction.script(`DROP VIEW ${view}`)
      for (const table of tables) await transaction.script(`DROP TABLE ${table}`)
      await transaction.run('DELETE FROM catalog_migrations WHERE version >= 2')
      await transaction.script('DROP TABLE catalog_fsck')
    })
  }
  {
    await using database = await openAt(catalogFile, 'read')
    expect(await paths(database, 0, 'id = 12345')).toEqual(['f1234'])
  }
  await using database = await openCatalog(catalogFile)
  await addRangeColumns(database, 't', [want('id')], 1)
  expect(await extendRanges(database, 't')).toBe(2_100)
  expect(await paths(database, 0, 'id = 12345')).toEqual(['f1234'])
  expect(await database.all("SELECT count(*) FROM delta_history WHERE table_id = 't'")).toEqual([[1]])
})

/** A reader that records its queries. */
function noting(reader: SqlReader): { readonly reader: SqlReader; readonly asked: (readonly [string, SqlRow])[] } {
  const asked: (readonly [string, SqlRow])[] = []
  const note = <T>(sql: string, parameters: SqlRow, answer: T): T => {
    asked.push([sql, parameters])
    return answer
  }
  return {
    asked,
    reader: {
      dialect: reader.dialect,
      all: (sql, parameters = []) => note(sql, parameters, reader.all(sql, parameters)),
      pages: (sql, parameters, pageRows) => note(sql, parameters, reader.pages(sql, parameters, pageRows)),
    },
  }
}

/** Relations that grow with a table; the others have a few rows, which no planner looks up by an index. */
const LARGE = /delta_(?:files|commits|file_ranges)\b/

/** Steps of a plan that read a large relation without an index; empty if there are none. */
async function scansOf(database: SqlDatabase, sql: string, parameters: SqlRow): Promise<readonly string[]> {
  if (BACKEND === 'sqlite') {
    const plan = (await database.all(`EXPLAIN QUERY PLAN ${sql}`, parameters)).map((row) => String(row[3]))
    return plan.filter((line) => line.startsWith('SCAN') && !/USING (?:COVERING )?INDEX|CONSTANT ROW/.test(line))
  }
  if (BACKEND === 'postgresql') {
    const plan = (await database.all(`EXPLAIN ${sql}`, parameters)).map(([line]) => String(line))
    return plan.filter((line) => /Seq Scan on/.test(line) && LARGE.test(line))
  }
  const rows = await database.all(`EXPLAIN ${sql}`, parameters)
  // MySQL has two columns more than MariaDB.
  const key = (row: SqlRow): unknown => row[row.length === 12 ? 6 : 5]
  return rows.filter((row) => row[2] !== null && key(row) === null && !/^<|^NULL$/.test(String(row[2]))).map(String)
}

test.skipIf(BACKEND === 'duckdb')(
  `frequent statements use indexes in ${BACKEND} (DuckDB has none: it skips row groups by their minima and maxima)`,
  async () => {
    using folder = temporaryFolder()
    const commits = Array.from({ length: 1_500 }, (_, version) => [
      ...(version === 0 ? [MAPPED, metadata([ID])] : [remove(`v${version}-0`)]),
      ...Array.from({ length: 12 }, (_file, i) =>
        file(`v${version + 1}-${i}`, { id: [version * 100 + i, version * 100 + i] }, (version * 12 + i) % 300),
      ),
    ])
    writeLog(folder.path, commits)
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await importInto(database, folder.path)
    await addRangeColumns(database, 't', [want('id')], 1)
    await extendRanges(database, 't')
    await importInto(database, folder.path)
    const { reader, asked } = noting(database)
    const drain = async (pages: AsyncIterable<readonly unknown[]>): Promise<void> => {
      for await (const page of pages) expect(page).not.toHaveLength(0)
    }
    // All partitions of the only table are read at once, preferably in one query.
    const [partition] = await catalogPartitions(database, 't')
    await drain(filesOfPartitions(reader, 't', 1_499, [partition?.no ?? 0]))
    await fileLifetimesOf(reader, { tableId: 't', location: `file://${folder.path}` }, 'v7-3', null)
    await countsAt(reader, 't', 700)
    await stateAt(reader, 't', 700)
    await commitsUpTo(reader, 't', 900, 20)
    const pruning = await pruningAt(reader, 't', 1_499, 'id = 70003')
    await drain(prunedFiles(reader, 't', 1_499, pruning))
    expect(asked.length).toBeGreaterThan(10)
    expect(asked.some(([sql]) => sql.includes('delta_file_ranges'))).toBe(true)
    for (const [sql, parameters] of asked) expect(await scansOf(database, sql, parameters), sql).toEqual([])
  },
  120_000,
)

describe(`sluice index in ${BACKEND}`, () => {
  test('builds, reports and drops ranges, and refuses by name columns that cannot have them', async () => {
    using folder = temporaryFolder()
    const lake = join(folder.path, 'table')
    const nested: Line = {
      metaData: {
        id: 'nested',
        format: { provider: 'parquet', options: {} },
        schemaString:
          '{"type":"struct","fields":[{"name":"part","type":"long","nullable":true,"metadata":{}},{"name":"a","type":{"type":"struct","fields":[{"name":"b","type":"double","nullable":true,"metadata":{}}]},"nullable":true,"metadata":{}},{"name":"bytes","type":"binary","nullable":true,"metadata":{}}]}',
        partitionColumns: ['part'],
        configuration: {},
      },
    }
    const files = Array.from({ length: 2_500 }, (_, i) =>
      add(`f${i}`, {
        partitionValues: { part: '1' },
        stats: `{"numRecords":1,"minValues":{"a":{"b":${i}.5}},"maxValues":{"a":{"b":${i}.5}},"nullCount":{"a":{"b":0}}}`,
      }),
    )
    writeLog(lake, [[PROTOCOL, nested, ...files]])
    const catalogFile = join(folder.path, 'c.db')
    {
      await using database = await openCatalog(catalogFile)
      await importInto(database, lake)
    }
    const catalog = catalogUrl(catalogFile)
    const index = async (columns: readonly string[], drop = false) =>
      perform({ kind: 'index', table: lake, columns, catalog, drop })
    const built = await index(['a.b'])
    expect(built.finished).toMatchObject({ status: 'ok', totals: { columns: '1', files: '2500' } })
    expect(built.notes).toContain('columns with ranges: a.b')
    expect((await index(['A.B'])).notes).toContain('up to date: a.b')
    for (const [columns, message] of [
      [['part'], 'part is a partition column, which needs no ranges'],
      [['bytes'], 'bytes is binary, which has no ranges'],
      [['a'], 'a is struct<b: double>, which has no ranges'],
    ] as const) {
      expect((await index(columns)).finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG', message } })
    }
    expect((await index(['nothing'])).finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_PREDICATE' } })
    const where = 'a.b = 77.5'
    const asked = await perform({ kind: 'files', table: lake, catalog, asOf: {}, where })
    expect(asked.events.flatMap((event) => (event.type === 'file' ? [event.path] : []))).toEqual(['f77'])
    {
      await using database = await openAt(catalogFile, 'read')
      expect(await left(database, 0, where)).toBe(1)
      const table = await readableTable(database, { tableId: 't' })
      const located = { from: 'catalog', database, table, importId: 'x', path: lake } as const
      const query = { where: `part = 1 AND ${where}`, sort: 'path', descending: false, from: 0, count: 10 } as const
      const page = await new FilePages().page(located, query, new AbortController().signal)
      expect(page.rows.map(({ path }) => path)).toEqual(['f77'])
      expect(page.funnel).toMatchObject({
        all: { files: 2_500, bytes: 250_000 },
        partition: { files: 2_500, bytes: 250_000 },
        stats: { files: 1, bytes: 100 },
      })
    }
    expect((await index(['a.b'], true)).notes).toContain('ranges dropped: a.b')
    expect((await index(['a.b'], true)).finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    await using database = await openAt(catalogFile, 'read')
    expect(await left(database, 0, where)).toBeNull()
    expect(await count(database, 'delta_file_ranges')).toBe(0)
  }, 60_000)
})
