import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { commitName } from '../../src/delta/log-path.ts'
import type { ActiveFile } from '../../src/delta/snapshot.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import {
  METADATA,
  NEVER,
  PROTOCOL,
  add,
  checkpointSql,
  codeOf,
  collect,
  commitsLog,
  lines,
  memoryLog,
  noParquet,
  parquet,
  put,
  putParquet,
  remove,
  temporaryFolder,
} from './delta-fixtures.ts'

const DV = { storageType: 'u', pathOrInlineDv: 'abc', offset: 0, sizeInBytes: 1, cardinality: 2 }
const HEAD = [PROTOCOL, METADATA]

function open(store: LogStore): Promise<DeltaTable> {
  return DeltaTable.open(store, noParquet, NEVER)
}

function shown(files: readonly ActiveFile[]): string[] {
  return files.map(({ path, dvId, add: file }) => `${path}${dvId === null ? '' : `+${dvId}`}:${file.size}`).toSorted()
}

async function active(store: LogStore, version?: number): Promise<string[]> {
  const snapshot = await (await open(store)).snapshot(version === undefined ? {} : { version })
  return shown(await collect(snapshot.files({ signal: NEVER })))
}

/** The same log without file sizes: every commit counts as too large for memory. */
function withoutSizes(store: LogStore): LogStore {
  return {
    ...store,
    async *list(folder, options) {
      for await (const { name } of store.list(folder, options)) yield { name }
    },
  }
}

describe.each([
  ['small commits', (store: LogStore) => store],
  ['large commits', withoutSizes],
])('active files of %s', (_, as) => {
  test.each([
    ['the later line wins: removed', [[...HEAD, add('a'), remove('a')]], []],
    ['the later line wins: added', [[...HEAD, remove('a'), add('a')]], ['a:1']],
    ['the later line wins: added twice', [[...HEAD, add('a', 1), add('a', 2)]], ['a:2']],
    ['the later commit wins', [[...HEAD, add('a', 1)], [add('a', 2)], [add('b', 3)]], ['a:2', 'b:3']],
    ['removed and brought back', [[...HEAD, add('a', 1)], [remove('a')], [add('a', 5)]], ['a:5']],
    ['a remove of nothing', [[...HEAD, remove('x'), add('a')]], ['a:1']],
    [
      'one file under several names',
      [
        [...HEAD, add('/memory/a'), add('b%20c'), add('x/../d')],
        [remove('file:/memory/a'), remove('b c'), remove('d')],
      ],
      [],
    ],
    ['an absolute place outside', [[...HEAD, add('/a/b'), add('s3://x/y')], [remove('file:///a/b')]], ['s3://x/y:1']],
    [
      'a new deletion vector, in any order',
      [
        [...HEAD, add('a', 1)],
        [add('a', 1, { deletionVector: DV }), remove('a')],
      ],
      ['a+uabc@0:1'],
    ],
    [
      'a file and its deletion vector are two keys',
      [[...HEAD, add('a', 1), add('a', 2, { deletionVector: DV })]],
      ['a+uabc@0:2', 'a:1'],
    ],
    [
      'plain and escaped lines in one commit',
      [[...HEAD, add('a', 1), add('%61', 2), remove('a'), add('%61', 7)]],
      ['a:7'],
    ],
    [
      'a partition column called path',
      [[...HEAD, add('a', 1, { partitionValues: { path: 'zzz' } })], [remove('zzz')]],
      ['a:1'],
    ],
  ])('%s', async (_name, commits, expected) => {
    expect(await active(as(commitsLog(commits)))).toEqual(expected)
  })
})

test('small, large and forward replay give the same files for any log', async () => {
  const action = fc.tuple(fc.constantFrom('a', 'b', '%61', './b', 'c'), fc.boolean(), fc.boolean(), fc.nat(9))
  const key = (path: string, dv: boolean): string =>
    `${path.replace('%61', 'a').replace('./', '')}${dv ? '+uabc@0' : ''}`
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(action, { maxLength: 6 }), { minLength: 1, maxLength: 4 }), async (commits) => {
      const expected = new Map<string, number>()
      for (const [path, isAdd, dv, size] of commits.flat()) {
        if (isAdd) expected.set(key(path, dv), size)
        else expected.delete(key(path, dv))
      }
      const log = commitsLog([
        HEAD,
        ...commits.map((one) =>
          one.map(([path, isAdd, dv, size]) => {
            const more = dv ? { deletionVector: DV } : {}
            return isAdd ? add(path, size, more) : remove(path, more)
          }),
        ),
      ])
      const wanted = [...expected].map(([file, size]) => `${file}:${size}`).toSorted()
      expect(await active(log)).toEqual(wanted)
      expect(await active(withoutSizes(log))).toEqual(wanted)
    }),
    { numRuns: 150 },
  )
})

describe('state', () => {
  test('the newest action of each kind counts, and removed domains are absent', async () => {
    const txn = (appId: string, version: number): object => ({ txn: { appId, version } })
    const domain = (name: string, removed: boolean): object => ({
      domainMetadata: { domain: name, configuration: '{}', removed },
    })
    const log = commitsLog([
      [...HEAD, txn('a', 9), domain('x', false), domain('y', false), add('f')],
      [txn('a', 3), txn('b', 1), domain('x', true)],
      [{ protocol: { minReaderVersion: 2, minWriterVersion: 5 } }, { domainMetadata: { domain: 'z', removed: true } }],
    ])
    const state = await (await (await open(log)).snapshot()).state(NEVER)
    expect([...state.txns].map(([app, { version }]) => [app, version])).toEqual([
      ['b', '1'],
      ['a', '3'],
    ])
    expect([...state.domains.keys()]).toEqual(['y'])
    expect(state.protocol.minReaderVersion).toBe(2)
    expect(state.metadata.id).toBe('id')
  })

  test('reading stops at the newest commit that has the requested action', async () => {
    const log = memoryLog({
      [`_delta_log/${commitName(0)}`]: 'this would not parse',
      [`_delta_log/${commitName(1)}`]: lines([...HEAD, add('a')]),
    })
    const snapshot = await (await open(log)).snapshot()
    expect((await snapshot.head(NEVER)).metadata.id).toBe('id')
    expect(await codeOf(snapshot.state(NEVER))).toBe('BAD_ACTION')
  })

  test.each([
    ['MISSING_PROTOCOL', [METADATA], /^no protocol action in versions 0 to 0$/],
    ['MISSING_METADATA', [PROTOCOL], /^no metadata action in versions 0 to 0$/],
  ])('%s', async (code, actions, message) => {
    await expect(open(commitsLog([actions])).then((table) => table.snapshot())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    })
  })

  test.each([
    [{ minReaderVersion: 4, minWriterVersion: 7 }, 'PROTOCOL_VERSION', /reader version \(4\)/],
    [
      { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ['deletionVectors', 'telepathy'] },
      'TABLE_FEATURE',
      /'telepathy'/,
    ],
    [
      { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ['catalogManaged'] },
      'TABLE_FEATURE',
      /commits of the table are in the catalog of another system \(table feature 'catalogManaged'\)/,
    ],
    [
      { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: [], writerFeatures: ['catalogOwned-preview'] },
      'TABLE_FEATURE',
      /catalogOwned-preview/,
    ],
  ])('%j is refused, and read with allowRefused', async (protocol, code, message) => {
    const table = await open(commitsLog([[{ protocol }, METADATA, add('a')]]))
    await expect(table.snapshot()).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
      where: 'memory',
    })
    const snapshot = await table.snapshot({}, { allowRefused: true })
    expect((await collect(snapshot.files({ signal: NEVER }))).length).toBe(1)
  })

  test('unknown writer features are accepted', async () => {
    const protocol = { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['levitation', 'appendOnly'] }
    expect(await active(commitsLog([[{ protocol }, METADATA, add('a')]]))).toEqual(['a:1'])
  })
})

test('counts subtract deleted rows, and rows are null if a file has no count', async () => {
  const some = add('a', 5, { stats: '{"numRecords":10}', deletionVector: DV })
  const more = add('b', 2 ** 53 - 1, { stats: '{"numRecords":1}' })
  const last = add('c', 2 ** 53 - 1)
  const counts = async (...files: object[]) =>
    (await (await open(commitsLog([[...HEAD, ...files]]))).snapshot()).counts(NEVER)
  expect(await counts(some, more)).toEqual({ files: 2, bytes: 9007199254740996n, rows: 9n })
  expect(await counts(some, more, last)).toEqual({ files: 3, bytes: 18014398509481987n, rows: null })
})

test('tombstones are files that were removed and not added again', async () => {
  const log = commitsLog([[...HEAD, add('a'), add('b')], [remove('a'), remove('b')], [add('b')]])
  const snapshot = await (await open(log)).snapshot()
  const found = await collect(snapshot.tombstones(NEVER))
  expect(found.map(({ path, removedVersion }) => [path, removedVersion])).toEqual([['a', 1]])
})

/** Commits `from` to `to`, each adding `f<version>`, and classic checkpoints with the same files. */
async function tableWith(options: {
  readonly commits: readonly [number, number]
  readonly checkpoints: readonly number[]
}): Promise<string> {
  const folder = temporaryFolder()
  const [from, to] = options.commits
  for (let version = from; version <= to; version++) {
    put(
      folder,
      `_delta_log/${commitName(version)}`,
      lines([...(version === 0 ? HEAD : []), add(`f${version}`, version)]),
    )
  }
  for (const version of options.checkpoints) {
    await putParquet(folder, checkpointName(version), checkpointSql(version + 1))
  }
  return folder
}

function checkpointName(version: number): string {
  return `_delta_log/${commitName(version).replace('.json', '.checkpoint.parquet')}`
}

function damage(folder: string, version: number, how: 'cut' | 'page'): void {
  const file = `${folder}/${checkpointName(version)}`
  const bytes = readFileSync(file)
  if (how === 'page') bytes.fill(0xff, 30, 60)
  writeFileSync(file, how === 'cut' ? bytes.subarray(0, bytes.length >> 1) : bytes)
}

async function localFiles(folder: string, version?: number): Promise<{ files: string[]; notes: readonly string[] }> {
  const table = await DeltaTable.open(openLocalLog(folder), parquet, NEVER)
  const snapshot = await table.snapshot(version === undefined ? {} : { version })
  return { files: shown(await collect(snapshot.files({ signal: NEVER }))), notes: table.notes }
}

const upTo = (n: number): string[] => Array.from({ length: n + 1 }, (_, i) => `f${i}:${i}`).toSorted()

describe('damaged checkpoints', () => {
  test('undamaged ones leave no note', async () => {
    const folder = await tableWith({ commits: [0, 9], checkpoints: [3, 6] })
    expect(await localFiles(folder)).toEqual({ files: upTo(9), notes: [] })
    expect((await localFiles(folder, 4)).files).toEqual(upTo(4))
  })

  test.each(['cut', 'page'] as const)(
    'a damaged newest one (%s) is replaced by an older one and more commits',
    async (how) => {
      const folder = await tableWith({ commits: [0, 9], checkpoints: [3, 6] })
      damage(folder, 6, how)
      expect(await localFiles(folder)).toEqual({
        files: upTo(9),
        notes: ['checkpoint 6 unreadable, using 3 and 6 commits'],
      })
    },
  )

  test('if all are damaged, the commits are read from the beginning', async () => {
    const folder = await tableWith({ commits: [0, 9], checkpoints: [3, 6] })
    damage(folder, 6, 'cut')
    damage(folder, 3, 'page')
    expect(await localFiles(folder)).toEqual({
      files: upTo(9),
      notes: [
        'checkpoint 6 unreadable, using 3 and 6 commits',
        'checkpoint 3 unreadable, using 10 commits from version 0',
      ],
    })
  })

  test('a damaged one without a replacement is an error that names it, never fewer files', async () => {
    const folder = await tableWith({ commits: [7, 9], checkpoints: [6] })
    expect((await localFiles(folder)).files).toEqual(upTo(9))
    damage(folder, 6, 'cut')
    await expect(localFiles(folder)).rejects.toMatchObject({
      code: 'BAD_CHECKPOINT',
      message: expect.stringMatching(/^checkpoint 6 cannot be read: /) as unknown,
    })
  })

  test('a large one is checked completely before its first row is returned', { timeout: 60_000 }, async () => {
    const folder = temporaryFolder()
    put(
      folder,
      `_delta_log/${commitName(0)}`,
      lines([...HEAD, ...Array.from({ length: 1000 }, (_, i) => add(`f${i}`, i))]),
    )
    const file = await putParquet(folder, checkpointName(0), checkpointSql(200_000), ', COMPRESSION uncompressed')
    const bytes = readFileSync(file)
    bytes.fill(0xff, bytes.length - (bytes.length >> 2), bytes.length - (bytes.length >> 2) + 4096)
    writeFileSync(file, bytes)
    const { files, notes } = await localFiles(folder)
    // Either the damage is found, and the commit replaces the checkpoint, or the bytes are valid values: then every row
    // is read.
    expect([[1000, 'checkpoint 0 unreadable, using 1 commit from version 0'], [200_000]]).toContainEqual([
      files.length,
      ...notes,
    ])
  })

  test('a multi-part one with a missing part is ignored, and noted', async () => {
    const folder = await tableWith({ commits: [0, 9], checkpoints: [3] })
    await putParquet(
      folder,
      '_delta_log/00000000000000000008.checkpoint.0000000001.0000000002.parquet',
      checkpointSql(9),
    )
    expect(await localFiles(folder)).toEqual({
      files: upTo(9),
      notes: ['checkpoint 8 ignored: 1 of its 2 parts exist'],
    })
  })

  test.each([
    ['missing', null],
    ['empty', ''],
    ['unparsable', '{"version":'],
    ['stale', '{"version":3,"size":1}'],
    ['pointing at nothing', '{"version":8,"size":1}'],
    ['from another world', '{"version":99}'],
  ])('a _last_checkpoint that is %s does no harm', async (_, hint) => {
    const folder = await tableWith({ commits: [0, 9], checkpoints: [3, 6] })
    if (hint !== null) put(folder, '_delta_log/_last_checkpoint', hint)
    expect(await localFiles(folder)).toEqual({ files: upTo(9), notes: [] })
  })
})
