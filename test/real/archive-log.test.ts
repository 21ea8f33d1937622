/** The log of an archive: each Delta reader finds each publication once, despite concurrent publishers and failures. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { partitionFolder } from '../../src/archive/log/data-path.ts'
import { strays, type StrayRequest } from '../../src/archive/log/find-stray.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { schemaOf } from '../../src/delta/schema.ts'
import type { StoredTable } from '../../src/model/archive/stored-column.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { openLocalLogWriter } from '../../src/stores/local/log-writer.ts'
import { openDuckDb, sqlLiteral } from '../../src/stores/duckdb/instance.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { expectedTables, folderOf, HAVE_TABLES } from '../tables/shared-tables.ts'
import { column, dataFile, localTable, NEVER, publication, refusalOf, STORED, TABLE_ID } from './archive-log-kit.ts'
import { importOf, perform } from './operation-kit.ts'

let lake: Folder
let places = 0
const place = (): string => join(lake.path, `t${places++}`)
beforeAll(() => void (lake = temporaryFolder()))
afterAll(() => lake[Symbol.dispose]())

const logged = (folder: string): readonly string[] =>
  readdirSync(join(folder, '_delta_log'))
    .filter((name) => /^\d{20}\.json$/.test(name))
    .toSorted()
const actions = (folder: string, version: number): readonly Record<string, Record<string, unknown>>[] =>
  readFileSync(join(folder, '_delta_log', `${String(version).padStart(20, '0')}.json`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>)

const kindsOf = (commit: readonly object[]): readonly (string | undefined)[] =>
  commit.map((action) => Object.keys(action)[0])

describe('publishing', () => {
  test('a partition is one commit, and the first one creates the table', async () => {
    const { folder, table } = localTable(place())
    expect(await table.state(NEVER)).toBeNull()
    const q1 = await dataFile(folder, 'Q1-FY25', 'part-1-00000')
    expect(await table.publish(publication('Q1-FY25', [q1]), NEVER)).toEqual({ version: 0, outcome: 'published' })
    const first = actions(folder, 0)
    expect(kindsOf(first)).toEqual(['commitInfo', 'protocol', 'metaData', 'txn', 'txn', 'add'])
    expect(first[1]).toEqual({
      protocol: {
        minReaderVersion: 1,
        minWriterVersion: 7,
        writerFeatures: ['appendOnly', 'invariants', 'sluiceHead'],
      },
    })
    expect(first[0]?.['commitInfo']).toMatchObject({
      operation: 'WRITE',
      operationParameters: { mode: 'Append', partitionBy: '["quarter"]' },
      operationMetrics: { numFiles: '1', numOutputRows: '1', numOutputBytes: String(q1.bytes) },
      engineInfo: 'sluice/0.0.0-test',
      sluicePartition: 'Q1-FY25',
    })
    const { metaData } = first[2] as { metaData: { schemaString: string; configuration: Record<string, string> } }
    expect(JSON.parse(metaData.schemaString)).toEqual({
      type: 'struct',
      fields: [
        { name: 'id', type: 'long', nullable: false, metadata: { 'sluice.type': 'bigint' } },
        {
          name: 'note',
          type: 'string',
          nullable: true,
          metadata: { comment: 'what "they" said', 'sluice.type': 'text' },
        },
        { name: 'quarter', type: 'string', nullable: true, metadata: {} },
      ],
    })
    expect(metaData.configuration['delta.enableExpiredLogCleanup']).toBe('false')
    const { add } = first[5] as { add: Record<string, unknown> }
    expect(add['stats']).toBe(
      '{"numRecords":1,"minValues":{"id":9223372036854775807,"note":"n"},"maxValues":{"id":9223372036854775807,"note":"n"},"nullCount":{"id":0,"note":0}}',
    )
    expect(add['tags']).toEqual({ 'sluice.sha256': q1.sha256, 'sluice.sum': q1.digest.sum })

    const q2 = await dataFile(folder, 'Q2-FY25', 'part-1-00000')
    expect((await table.publish(publication('Q2-FY25', [q2]), NEVER)).version).toBe(1)
    expect(kindsOf(actions(folder, 1))).toEqual(['commitInfo', 'txn', 'txn', 'add'])
    const state = await table.state(NEVER)
    expect([...(state?.files.keys() ?? [])].toSorted()).toEqual(['Q1-FY25', 'Q2-FY25'])
    expect(state?.files.get('Q1-FY25')).toMatchObject([{ path: q1.name, size: q1.bytes, rows: 1n }])
    expect(readdirSync(join(folder, '_delta_log')).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test('a repeated publication is one commit, also after a checkpoint', async () => {
    const { folder, table, notes } = localTable(place())
    const file = await dataFile(folder, 'a', 'part-1-00000')
    await table.publish(publication('a', [file]), NEVER)
    expect(await table.publish(publication('a', [file]), NEVER)).toEqual({ version: 0, outcome: 'already' })
    for (let i = 1; i <= 11; i++) {
      const other = await dataFile(folder, `p${i}`, 'part-1-00000')
      await table.publish(publication(`p${i}`, [other]), NEVER)
    }
    expect(notes).toEqual([])
    expect((await table.state(NEVER))?.checkpoint).toBe(10)
    expect(await table.publish(publication('a', [file]), NEVER)).toEqual({ version: 0, outcome: 'already' })
    expect(logged(folder)).toHaveLength(12)
  })

  test('files of an older attempt are removed in the commit of the next one', async () => {
    const { folder, table } = localTable(place())
    const old = [await dataFile(folder, 'a', 'part-1-00000'), await dataFile(folder, 'a', 'part-1-00001')]
    await table.publish(publication('a', old, 1n), NEVER)
    const other = await dataFile(folder, 'b', 'part-1-00000')
    await table.publish(publication('b', [other]), NEVER)
    const fresh = await dataFile(folder, 'a', 'part-2-00000')
    expect(await table.publish(publication('a', [fresh, old[1] as (typeof old)[0]], 2n), NEVER)).toEqual({
      version: 2,
      outcome: 'published',
    })
    expect(actions(folder, 2).filter((action) => 'remove' in action)).toMatchObject([
      {
        remove: {
          path: old[0]?.name,
          dataChange: true,
          extendedFileMetadata: true,
          partitionValues: { quarter: 'a' },
          size: Number(old[0]?.bytes),
        },
      },
    ])
    const state = await table.state(NEVER)
    expect(
      state?.files
        .get('a')
        ?.map(({ path }) => path)
        .toSorted(),
    ).toEqual([old[1]?.name, fresh.name].toSorted())
    expect(state?.files.get('b')).toHaveLength(1)
    // The earlier attempt arrives too late.
    const late = await refusalOf(table.publish(publication('a', old, 1n), NEVER))
    expect(late.code).toBe('ARCHIVE_CONFLICT')
    const reference = await refusalOf(table.publish(publication('a', old, 2n), NEVER))
    expect(reference.code).toBe('ARCHIVE_CONFLICT')
    expect(logged(folder)).toHaveLength(3)
  })

  test('a retraction removes the files from the table once, and refuses late publishers', async () => {
    const { folder, table } = localTable(place())
    const file = await dataFile(folder, 'a', 'part-1-00000')
    const { tableId, partition, txn, info, known, claim } = publication('a', [file])
    const retraction = { tableId, partition, info, known, claim, txn: { ...txn, version: 2n } }
    expect((await refusalOf(table.retract(retraction, NEVER))).code).toBe('ARCHIVE_CONFLICT')
    await table.publish(publication('a', [file]), NEVER)
    expect(await table.retract(retraction, NEVER)).toEqual({ version: 1, outcome: 'published' })
    expect(await table.retract(retraction, NEVER)).toMatchObject({ outcome: 'already' })
    expect((await table.state(NEVER))?.files.size).toBe(0)
    expect((await refusalOf(table.publish(publication('a', [file]), NEVER))).code).toBe('ARCHIVE_CONFLICT')
    // Archived again later, from the same source.
    expect((await table.publish(publication('a', [file], 3n), NEVER)).version).toBe(2)
  })

  test('missing or truncated files are not published', async () => {
    const { folder, table } = localTable(place())
    const file = await dataFile(folder, 'a', 'part-1-00000')
    truncateSync(join(folder, file.name), Number(file.bytes) - 1)
    expect((await refusalOf(table.publish(publication('a', [file]), NEVER))).code).toBe('PARTITION_CHANGED')
    rmSync(join(folder, file.name))
    expect((await refusalOf(table.publish(publication('a', [file]), NEVER))).code).toBe('PARTITION_CHANGED')
    expect(existsSync(join(folder, '_delta_log'))).toBe(false)
  })

  test('a partition without rows is published, too, and only once', async () => {
    const { folder, table } = localTable(place())
    expect((await table.publish(publication('a', []), NEVER)).version).toBe(0)
    expect(await table.publish(publication('a', []), NEVER)).toMatchObject({ outcome: 'already' })
    expect(logged(folder)).toHaveLength(1)
  })
})

const HOSTILE = [
  'a/b',
  '%',
  ' ',
  '../x',
  '=',
  '..',
  '%2F',
  'Ünï 🙂',
  "it's",
  'a"b',
  'x:y',
  '#?&+',
  '\n',
  '{}[]',
  'q'.repeat(300),
]

describe('special values', () => {
  test('each value of a partition can be read again, from files within the table', async () => {
    const { folder, table } = localTable(place())
    for (const [i, value] of HOSTILE.entries()) {
      const file = await dataFile(folder, value, 'part-1-00000', BigInt(i))
      await table.publish(publication(value, [file]), NEVER)
      expect(file.name.split('/')).toHaveLength(2)
    }
    const state = await table.state(NEVER)
    expect([...(state?.files.keys() ?? [])].toSorted()).toEqual(HOSTILE.toSorted())
    expect(new Set(HOSTILE.map((value) => partitionFolder('quarter', value))).size).toBe(HOSTILE.length)
    // The paths in the log lead to the files, also after the checkpoint.
    const found = [...(state?.files.values() ?? [])].flat().map(({ path }) => join(folder, path))
    expect(found.filter((file) => !existsSync(file))).toEqual([])
    const names = found.filter((file) => !/[*?[\]]/.test(file))
    using db = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
    const rows = await (
      await db.connection.run(
        `SELECT count(DISTINCT id) FROM read_parquet([${names.map(sqlLiteral).join(', ')}], hive_partitioning = false)`,
      )
    ).getRows()
    expect(rows).toEqual([[BigInt(names.length)]])
  })

  test('an empty value is refused, because Delta reads it as NULL', async () => {
    const { table } = localTable(place())
    expect((await refusalOf(table.publish(publication('', []), NEVER))).code).toBe('VALUE_REFUSED')
    expect((await refusalOf(table.publish(publication('\ud800', []), NEVER))).code).toBe('VALUE_REFUSED')
  })
})

describe('features', () => {
  const mapped: StoredTable = {
    ...STORED,
    mapped: true,
    columns: [column('a b', 'long', { physical: 'col-1' }), column('A B', 'string', { physical: 'col-2' })],
  }
  const shapes: readonly (readonly [string, StoredTable, object])[] = [
    [
      'plain',
      STORED,
      { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['appendOnly', 'invariants', 'sluiceHead'] },
    ],
    [
      'mapped',
      mapped,
      {
        minReaderVersion: 2,
        minWriterVersion: 7,
        writerFeatures: ['appendOnly', 'invariants', 'columnMapping', 'sluiceHead'],
      },
    ],
    [
      'wall clocks',
      { ...STORED, columns: [...STORED.columns, column('seen', 'timestamp_ntz')] },
      {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ['timestampNtz'],
        writerFeatures: ['timestampNtz', 'invariants', 'sluiceHead'],
      },
    ],
    [
      'both',
      { ...mapped, columns: [...mapped.columns, column('seen', 'timestamp_ntz', { physical: 'col-3' })] },
      {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ['columnMapping', 'timestampNtz'],
        writerFeatures: ['columnMapping', 'timestampNtz', 'invariants', 'sluiceHead'],
      },
    ],
  ]

  test.each(shapes)('%s: the oldest protocol that supports the required features', async (_, stored, protocol) => {
    const { folder, table } = localTable(place())
    for (const partition of ['a', 'b']) {
      const file = await dataFile(folder, partition, 'part-1-00000', 1n, stored)
      await table.publish(publication(partition, [file], 1n, { stored }), NEVER)
    }
    expect(actions(folder, 0)[1]).toEqual({ protocol })
    expect(actions(folder, 1).some((action) => 'metaData' in action)).toBe(false)
    const snapshot = await (await DeltaTable.open(openLocalLog(folder), parquetRows, NEVER)).snapshot()
    const head = await snapshot.head(NEVER)
    const { fields } = schemaOf(head.protocol, head.metadata)
    const columns = stored.columns.map(({ name, physical }) => [name, physical])
    const partition = ['quarter', 'quarter']
    expect(fields.map(({ name, physicalName }) => [name, physicalName])).toEqual(
      stored.mapped ? [partition, ...columns] : [...columns, partition],
    )
    if (stored.mapped) {
      expect(fields.map(({ id }) => id)).toEqual([fields.length, ...columns.map((_column, i) => i + 1)])
      expect(head.metadata.configuration?.['delta.columnMapping.maxColumnId']).toBe(String(fields.length))
    }
  })

  test('a table gets new columns of its source, and never changes the existing ones', async () => {
    const { folder, table } = localTable(place())
    await table.publish(publication('a', [await dataFile(folder, 'a', 'part-1-00000')]), NEVER)
    const [id, note] = STORED.columns as [StoredTable['columns'][0], StoredTable['columns'][0]]
    const grown = { ...STORED, columns: [id, note, column('seen', 'timestamp_ntz')] }
    const file = await dataFile(folder, 'b', 'part-1-00000', 1n, grown)
    await table.publish(publication('b', [file], 1n, { stored: grown }), NEVER)
    expect(kindsOf(actions(folder, 1))).toEqual(['commitInfo', 'protocol', 'metaData', 'txn', 'txn', 'add'])
    // A column that the source lacks now may be NULL from now on.
    const less = { ...STORED, columns: [note] }
    await table.publish(publication('c', [], 1n, { stored: less }), NEVER)
    const state = await table.state(NEVER)
    const fields = (JSON.parse(state?.schemaText ?? '') as { fields: { name: string; nullable: boolean }[] }).fields
    expect(fields.map(({ name, nullable }) => [name, nullable])).toEqual([
      ['id', true],
      ['note', true],
      ['seen', true],
      ['quarter', true],
    ])
    expect(state?.protocol.minWriterVersion).toBe(7)
    const other = { ...STORED, columns: [{ ...id, stored: 'string' as const }, note] }
    const failure = await refusalOf(table.publish(publication('d', [], 1n, { stored: other }), NEVER))
    expect(failure.code).toBe('ARCHIVE_CONFLICT')
    expect(failure.message).toContain('id is long')
    const twice = { ...STORED, columns: [id, { ...note, name: 'id' }] }
    expect((await refusalOf(table.publish(publication('d', [], 1n, { stored: twice }), NEVER))).code).toBe(
      'TABLE_REFUSED',
    )
  })
})

describe('tables of other programs', () => {
  test('a table with another id, other features or no partition column is not written', async () => {
    const { folder, table } = localTable(place())
    const file = await dataFile(folder, 'a', 'part-1-00000')
    await table.publish(publication('a', [file]), NEVER)
    const other = [
      publication('b', [], 1n, { tableId: 'another' }),
      publication('b', [], 1n, { stored: { ...STORED, partitionColumn: 'month' } }),
    ]
    for (const one of other) {
      expect((await refusalOf(table.publish(one, NEVER))).code).toBe('ARCHIVE_CONFLICT')
    }
    expect((await refusalOf(table.state(NEVER, { tableId: 'x' }))).code).toBe('ARCHIVE_CONFLICT')
    appendFileSync(
      join(folder, '_delta_log', '00000000000000000001.json'),
      `${JSON.stringify({ protocol: { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ['deletionVectors'], writerFeatures: ['deletionVectors'] } })}\n`,
    )
    const refused = await refusalOf(table.publish(publication('b', []), NEVER))
    expect([refused.code, refused.message]).toEqual(['TABLE_FEATURE', expect.stringContaining('deletionVectors')])
    expect(logged(folder)).toHaveLength(2)
  })

  test('a log without its first versions is not started again', async () => {
    const { folder, table } = localTable(place())
    await table.publish(publication('a', [await dataFile(folder, 'a', 'part-1-00000')]), NEVER)
    const log = join(folder, '_delta_log')
    rmSync(join(log, '00000000000000000000.json'))
    writeFileSync(join(log, '00000000000000000010.checkpoint.0000000001.0000000002.parquet'), '')
    expect((await refusalOf(table.publish(publication('b', []), NEVER))).code).toBe('ARCHIVE_CONFLICT')
  })
})

describe('two publishers', () => {
  test('each partition is published exactly once, with versions without a gap', async () => {
    const folder = place()
    const partitions = Array.from({ length: 20 }, (_, i) => `p${i}`)
    const files = new Map(
      await Promise.all(partitions.map(async (p) => [p, await dataFile(folder, p, 'part-1-00000')] as const)),
    )
    const tables = [localTable(folder), localTable(folder)]
    const ends = await Promise.all(
      tables.map(async ({ table }, i) => {
        const order = i === 0 ? partitions : partitions.toReversed()
        const outcomes: string[] = []
        for (const p of order) {
          const file = files.get(p)
          if (file !== undefined) outcomes.push((await table.publish(publication(p, [file]), NEVER)).outcome)
        }
        return outcomes
      }),
    )
    expect(ends.flat().filter((outcome) => outcome === 'published')).toHaveLength(20)
    expect(tables.flatMap(({ notes }) => notes)).toEqual([])
    expect(logged(folder).map((name) => Number(name.slice(0, 20)))).toEqual(partitions.map((_, i) => i))
    const state = await tables[0]?.table.state(NEVER)
    expect([...(state?.files.values() ?? [])].map((found) => found.length)).toEqual(partitions.map(() => 1))
  })
})

describe('all readers can read it', () => {
  test('each version can be read by our reader, the catalog and its validator, through checkpoints', async () => {
    const { folder, table } = localTable(place())
    const expected: (readonly string[])[] = []
    const active = new Map<string, string>()
    for (let i = 0; i < 22; i++) {
      const partition = `p ${i % 14}`
      const fence = BigInt(i + 1)
      if (i % 7 === 6) {
        const { tableId, txn, info, known, claim } = publication(partition, [], fence)
        await table.retract({ tableId, partition, txn, info, known, claim }, NEVER)
        active.delete(partition)
      } else {
        const file = await dataFile(folder, partition, `part-${i}-00000`, BigInt(i))
        await table.publish(publication(partition, [file], fence), NEVER)
        active.set(partition, file.name)
      }
      expected.push([...active.values()].toSorted())
    }
    const reader = await DeltaTable.open(openLocalLog(folder), parquetRows, NEVER)
    for (const [version, paths] of expected.entries()) {
      const found: string[] = []
      for await (const block of (await reader.snapshot({ version })).files({ signal: NEVER })) {
        found.push(...block.map(({ path }) => path))
      }
      expect(found.toSorted(), `version ${version}`).toEqual(paths)
    }
    expect(reader.notes).toEqual([])
    // The checkpoint alone has all the state: the commits before it are removed.
    const listing = await reader.listing()
    expect(listing.checkpoints.map(({ version }) => version)).toEqual([10, 20])
    const catalog = `sqlite:///${folder}.db`
    expect((await perform(importOf(folder, catalog))).finished.exitCode).toBe(0)
    const validated = await perform({ kind: 'validate', table: folder, catalog, verbose: false, samples: 5 })
    expect(validated.finished.exitCode).toBe(0)
    for (let version = 0; version <= 20; version++) {
      rmSync(join(folder, '_delta_log', `${String(version).padStart(20, '0')}.json`))
    }
    const state = await table.state(NEVER)
    expect(state?.checkpoint).toBe(20)
    expect(
      [...(state?.files.values() ?? [])]
        .flat()
        .map(({ path }) => path)
        .toSorted(),
    ).toEqual(expected.at(-1))
    expect(state?.tableId).toBe(TABLE_ID)
    expect(state?.txns.get(`sluice/${TABLE_ID}/p 0`)).toBe(15n)
  })
})

/** For each action in a log: paths of its members, and the types of their values. */
function shapesOf(lines: readonly string[]): Map<string, Set<string>> {
  const shapes = new Map<string, Set<string>>()
  const walk = (value: unknown, path: string): void => {
    const kind = value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value
    shapes.set(path, (shapes.get(path) ?? new Set()).add(kind))
    // Names below these members belong to the table.
    if (kind !== 'object' || /\.(?:partitionValues|tags|configuration|operationMetrics)$/.test(path)) return
    for (const [name, member] of Object.entries(value as object)) walk(member, `${path}.${name}`)
  }
  for (const line of lines) walk(JSON.parse(line), '')
  return shapes
}

function linesOf(log: string, most: number): readonly string[] {
  return readdirSync(log)
    .filter((name) => /^\d{20}\.json$/.test(name))
    .slice(0, most)
    .map((name) => join(log, name))
    .filter((file) => statSync(file).size < 1 << 20)
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .filter((line) => line.trim() !== '')
}

test.skipIf(!HAVE_TABLES)('actions have the members and types that other writers use', async () => {
  const { folder, table } = localTable(place())
  const stored = { ...STORED, columns: [...STORED.columns, column('seen', 'timestamp_ntz')] }
  await table.publish(publication('a', [await dataFile(folder, 'a', 'part-1-00000')], 1n, { stored }), NEVER)
  await table.publish(publication('a', [await dataFile(folder, 'a', 'part-2-00000')], 2n, { stored }), NEVER)
  const real = new Map<string, Set<string>>()
  const logs = expectedTables().filter(({ table: name }) => /delta-rs|kernel|spark|golden/.test(name))
  for (const { table: name } of logs) {
    const log = join(folderOf(name), '_delta_log')
    for (const [path, kinds] of existsSync(log) ? shapesOf(linesOf(log, 3)) : []) {
      real.set(path, new Set([...(real.get(path) ?? []), ...kinds]))
    }
  }
  const ours = shapesOf(linesOf(join(folder, '_delta_log'), 9))
  const unknown = [...ours].filter(([path, kinds]) => ![...kinds].every((kind) => real.get(path)?.has(kind) === true))
  expect(real.size).toBeGreaterThan(50)
  expect(unknown.map(([path]) => path)).toEqual(['.commitInfo.sluicePartition'])
})

describe('the folder of a table', () => {
  test('of two writers one creates the name, and no other file is left', async () => {
    const folder = place()
    const writer = openLocalLogWriter(folder)
    const names = ['a', 'b', 'c', 'd']
    const ends = await Promise.all(names.map((name) => writer.putIfAbsent('_delta_log/x', Buffer.from(name), NEVER)))
    expect(ends.filter((end) => end === 'written')).toHaveLength(1)
    expect(readFileSync(join(folder, '_delta_log/x'), 'utf8')).toBe(names[ends.indexOf('written')])
    expect(readdirSync(join(folder, '_delta_log'))).toEqual(['x'])
    expect(writer.root).toBe(openLocalLog(folder).root)
  })

  test('paths never leave the folder', async () => {
    const writer = openLocalLogWriter(place())
    for (const path of ['../x', '/x', 'a/../../x', 'a/./b', '', 'a\0b']) {
      const tried = [
        () => writer.put(path, Buffer.from(''), NEVER),
        () => writer.putIfAbsent(path, Buffer.from(''), NEVER),
        () => writer.upload(path, '/etc/hostname', NEVER),
        () => writer.remove(path, NEVER),
      ]
      for (const attempt of tried) expect((await refusalOf(attempt())).code, path).toBe('PATH_ESCAPES')
    }
  })

  test('a file that was written in its final place stays there', async () => {
    const folder = place()
    const writer = openLocalLogWriter(folder)
    const { name, bytes } = await dataFile(folder, 'a', 'part-1-00000')
    await writer.upload(name, join(folder, name), NEVER)
    const listed: unknown[] = []
    for await (const { path, size } of writer.listAll('quarter=a', NEVER)) listed.push([path, size])
    expect(listed).toEqual([[name, bytes]])
    for await (const _ of writer.listAll('nothing', NEVER)) throw new Error('something')
    await writer.remove(name, NEVER)
    await writer.remove(name, NEVER)
    expect(existsSync(join(folder, name))).toBe(false)
  })
})

describe('stray files', () => {
  test('are not those that the log names, also after a move to a file system that lists another name', async () => {
    const { folder, table } = localTable(place())
    const parts = { store: openLocalLog(folder), writer: openLocalLogWriter(folder), parquet: parquetRows }
    const notes: string[] = []
    const astray = async (): Promise<readonly string[]> => {
      const found: string[] = []
      const request = {
        ...parts,
        now: Date.now() + 1000,
        olderThanMs: 0,
        note: (text: string) => void notes.push(text),
      }
      for await (const { path } of strays(request, NEVER)) found.push(path)
      return found
    }
    await table.publish(publication('a', [await dataFile(folder, 'a', 'part-1-00000')]), NEVER)
    renameSync(join(folder, 'quarter=a'), join(folder, 'quarter=A'))
    expect(await astray()).toEqual([])
    expect(notes).toEqual([
      'quarter=A/part-1-00000.parquet stays: it may be the missing file quarter=a/part-1-00000.parquet, whose path differs in case or Unicode form only',
    ])
    // Both names lead to one folder.
    symlinkSync('quarter=A', join(folder, 'quarter=a'))
    expect(await astray()).toEqual([])
    expect(notes).toHaveLength(1)
  })

  test('are old files of sluice that no version names', async () => {
    const { folder, table } = localTable(place())
    const parts = { store: openLocalLog(folder), writer: openLocalLogWriter(folder), parquet: parquetRows }
    const astray = async (more: Partial<StrayRequest> = {}): Promise<readonly string[]> => {
      const found: string[] = []
      for await (const { path } of strays({ ...parts, now: Date.now(), olderThanMs: 60_000, ...more }, NEVER)) {
        found.push(path)
      }
      return found.toSorted()
    }
    const age = (path: string): void => utimesSync(join(folder, path), 1_700_000_000, 1_700_000_000)
    const old = await dataFile(folder, 'a', 'part-1-00000')
    age(old.name)
    // Without a log the meaning of the files is unknown.
    expect(await astray()).toEqual([])
    await table.publish(publication('a', [old]), NEVER)
    const fresh = await dataFile(folder, 'a', 'part-2-00000')
    age(fresh.name)
    await table.publish(publication('a', [fresh], 2n), NEVER)
    const made = ['quarter=a/part-3-00000.parquet', 'quarter=a b/part-3-00000.parquet.unfinished', '_delta_log/.tmp-1']
    const others = [
      'README.md',
      '_delta_log/_last_vacuum_info',
      'sub/_delta_log/0.json',
      'sub/x=1/y.parquet',
      '.hidden',
    ]
    const young = 'quarter=a/part-4-00000.parquet'
    for (const path of [...made, ...others, young]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), '')
      if (path !== young) age(path)
    }
    expect(await astray()).toEqual(made.toSorted())
    expect(await astray({ kept: new Set(made.slice(0, 1)) })).toEqual(made.slice(1).toSorted())
    // While files were listed, another process began to write, or published.
    expect(await astray({ awaited: async () => ['part-3-'] })).toEqual(['_delta_log/.tmp-1'])
    expect((await refusalOf(astray({ tableId: 'another' }))).code).toBe('ARCHIVE_CONFLICT')
    // Files of a version that only a checkpoint contains.
    for (let i = 0; i < 9; i++) await table.publish(publication(`p${i}`, []), NEVER)
    for (let i = 0; i < 10; i++) rmSync(join(folder, '_delta_log', `${String(i).padStart(20, '0')}.json`))
    expect(await astray()).toEqual(made.toSorted())
    appendFileSync(join(folder, '_delta_log', `${String(10).padStart(20, '0')}.json`), '{"add":')
    await expect(astray()).rejects.toThrow('JSON')
  })
})
