import { describe, expect, test } from 'vitest'
import { commitHistory } from '../../src/delta/history.ts'
import { readCrc } from '../../src/delta/crc.ts'
import { featureNames } from '../../src/delta/features.ts'
import { readHint } from '../../src/delta/last-checkpoint.ts'
import { commitName } from '../../src/delta/log-path.ts'
import { probeTable } from '../../src/delta/probe.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { countingLogStore } from '../../src/delta/counting.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import {
  METADATA,
  NEVER,
  PROTOCOL,
  add,
  checkpointSql,
  codeOf,
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

const T = Date.UTC(2026, 0, 1)

/** A table whose commits have the given file times, and in-commit times from `from` on. */
function timedTable(
  times: readonly number[],
  inCommit: { readonly from: number; readonly at: readonly number[] } | null = null,
): Promise<DeltaTable> {
  const folder = temporaryFolder()
  const configuration =
    inCommit === null
      ? {}
      : {
          'delta.enableInCommitTimestamps': 'true',
          ...(inCommit.from === 0
            ? {}
            : {
                'delta.inCommitTimestampEnablementVersion': String(inCommit.from),
                'delta.inCommitTimestampEnablementTimestamp': String(inCommit.at[0]),
              }),
        }
  const protocol = {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: [],
    writerFeatures: ['inCommitTimestamp'],
  }
  times.forEach((time, version) => {
    const own =
      inCommit !== null && version >= inCommit.from ? { inCommitTimestamp: inCommit.at[version - inCommit.from] } : {}
    const info = { commitInfo: { ...own, operation: 'WRITE', engineInfo: 'test' } }
    const head = version === 0 ? [{ protocol }, { metaData: { ...METADATA.metaData, configuration } }] : []
    put(folder, `_delta_log/${commitName(version)}`, lines([info, ...head, add(`f${version}`, 10)]), time)
  })
  return DeltaTable.open(openLocalLog(folder), parquet, NEVER)
}

async function versionOrCode(work: Promise<number>): Promise<number | string> {
  const code = await codeOf(work)
  return code === 'no error' ? work : code
}

describe('time travel', () => {
  test.each([
    [T - 1, 'VERSION_NOT_FOUND'],
    [T, 0],
    [T + 999, 0],
    [T + 1000, 1],
    [T + 1001, 2],
    [T + 5000, 3],
    [T + 99999, 3],
  ])('file times are made monotonic: %i', async (at, expected) => {
    // The second and third file are older than the first two: a copied log.
    const table = await timedTable([T, T + 1000, T + 500, T + 5000])
    expect(await versionOrCode(table.snapshot({ timestamp: at }).then(({ version }) => version))).toBe(expected)
  })

  test.each([
    [T + 99, 'VERSION_NOT_FOUND'],
    [T + 100, 0],
    [T + 250, 1],
    [T + 99999, 2],
  ])('in-commit times are used if the whole history has them: %i', async (at, expected) => {
    const table = await timedTable([T + 9000, T + 1, T + 2], { from: 0, at: [T + 100, T + 200, T + 300] })
    expect(await versionOrCode(table.versionAt(at))).toBe(expected)
  })

  test.each([
    [T, 0],
    [T + 150, 1],
    [T + 199, 1],
    [T + 200, 2],
    [T + 300, 3],
  ])('in-commit times are used from version 2 on: %i', async (at, expected) => {
    const table = await timedTable([T, T + 100, T + 9000, T + 9001], { from: 2, at: [T + 200, T + 300] })
    expect(await table.versionAt(at)).toBe(expected)
  })

  test('the error names the time at which the log begins', async () => {
    const table = await timedTable([T])
    await expect(table.snapshot({ timestamp: T - 1 })).rejects.toThrow(/the log begins at 2026-01-01T00:00:00\.000Z/)
  })
})

describe('history and changes', () => {
  test('commits are listed from the newest, with their operation', async () => {
    const table = await timedTable([T, T - 5, T + 7], { from: 2, at: [T + 77] })
    const found = []
    for await (const commit of table.history({ signal: NEVER, limit: 2 })) found.push(commit)
    expect(found).toMatchObject([
      {
        version: 2,
        time: T + 77,
        inCommitTime: true,
        operation: 'WRITE',
        engine: 'test',
        adds: 1,
        removes: 0,
        addedBytes: 10n,
        checkpoint: false,
      },
      { version: 1, time: T + 1, inCommitTime: false },
    ])
  })

  test('changes between two versions are in the order of the log', async () => {
    const txn = { txn: { appId: 'a', version: 1 } }
    const cdc = { cdc: { path: '_change_data/x', partitionValues: {}, size: 1, dataChange: false } }
    const log = commitsLog([
      [PROTOCOL, METADATA],
      [add('a')],
      [remove('a'), add('b'), txn],
      [cdc, { commitInfo: {} }, METADATA],
    ])
    const table = await DeltaTable.open(log, noParquet, NEVER)
    const changes = async (from: number, to: number): Promise<string[]> => {
      const found: string[] = []
      for await (const one of table.changes(from, to, NEVER)) found.push(`${one.version}:${one.line} ${one.change}`)
      return found
    }
    expect(await changes(1, 3)).toEqual(['2:1 removed', '2:2 added', '2:3 txn', '3:1 cdc', '3:3 metadata'])
    expect(await changes(-1, 0)).toEqual(['0:1 protocol', '0:2 metadata'])
    expect(await changes(2, 2)).toEqual([])
    expect(await codeOf(changes(2, 4))).toBe('VERSION_NOT_FOUND')
    expect(await codeOf(changes(3, 2))).toBe('VERSION_NOT_FOUND')
  })

  test('a missing commit is named', async () => {
    const folder = temporaryFolder()
    for (const version of [4, 5]) put(folder, `_delta_log/${commitName(version)}`, lines([add('x')]))
    await putParquet(folder, '_delta_log/00000000000000000003.checkpoint.parquet', checkpointSql(1))
    const table = await DeltaTable.open(openLocalLog(folder), parquet, NEVER)
    const drain = async (): Promise<void> => {
      for await (const _ of table.changes(0, 5, NEVER)) void _
    }
    await expect(drain()).rejects.toMatchObject({
      code: 'LOG_GAP',
      message: 'commits 1 to 3 are missing between version 0 and version 5',
    })
  })
})

describe('hints and checksums', () => {
  test.each([
    ['{"version":7,"size":3,"parts":2,"numOfAddFiles":1}', { version: 7, size: 3, parts: 2, numOfAddFiles: 1 }],
    ['{"version":7,"size_in_bytes":5,"num_of_add_files":4}', { version: 7, sizeInBytes: 5, numOfAddFiles: 4 }],
    ['{"version":7,"size":1e99,"v2Checkpoint":{}}', { version: 7, size: null }],
    ['', null],
    ['{"version":-1}', null],
    ['{"size":1}', null],
    ['[7]', null],
    ['not json', null],
  ])('the hint %s is parsed', async (text, expected) => {
    const hint = await readHint(memoryLog({ '_delta_log/_last_checkpoint': text }), NEVER)
    expect({ hint }).toMatchObject({ hint: expected })
  })

  test('a valid checksum is parsed, and an invalid one is null', async () => {
    const crc = {
      tableSizeBytes: 10,
      numFiles: 1,
      numMetadata: 1,
      numProtocol: 1,
      ...PROTOCOL,
      metadata: METADATA.metaData,
      setTransactions: [{ appId: 'a', version: 3 }],
      domainMetadata: [],
    }
    const read = (text: string) => readCrc(memoryLog({ '_delta_log/00000000000000000002.crc': text }), 2, NEVER)
    expect(await read(JSON.stringify(crc))).toMatchObject({
      version: 2,
      numFiles: 1,
      tableSizeBytes: 10,
      metadata: { id: 'id' },
      protocol: { minReaderVersion: 1 },
      txns: [{ appId: 'a', version: '3' }],
      domains: [],
    })
    expect(await read('{"tableSizeBytes":10')).toBeNull()
    expect(await read('{"tableSizeBytes":"10","numFiles":1}')).toBeNull()
    expect(await read('{"tableSizeBytes":10,"numFiles":1,"setTransactions":[{"appId":1}]}')).toMatchObject({
      txns: null,
      protocol: null,
    })
    expect(await readHint(memoryLog({}), NEVER)).toBeNull()
    expect(await readCrc(memoryLog({}), 2, NEVER)).toBeNull()
  })
})

test('features are those of the protocol, or for old protocols those in use', () => {
  const names = (protocol: object, metadata: object = {}) =>
    featureNames({ minReaderVersion: 1, minWriterVersion: 2, ...protocol }, { ...METADATA.metaData, ...metadata })
  expect(names({})).toEqual([])
  expect(names({}, { configuration: { 'delta.appendOnly': 'true' } })).toEqual(['appendOnly'])
  expect(
    names(
      { minWriterVersion: 5 },
      { configuration: { 'delta.columnMapping.mode': 'name', 'delta.constraints.x': 'a > 1' } },
    ),
  ).toEqual(['checkConstraints', 'columnMapping'])
  expect(
    names({ minWriterVersion: 7, minReaderVersion: 3, readerFeatures: ['b'], writerFeatures: ['a', 'b'] }),
  ).toEqual(['a', 'b'])
})

describe('probing', () => {
  test('a table with only commits needs no Parquet', async () => {
    const log = commitsLog([
      [PROTOCOL, METADATA, add('a', 5, { stats: '{"numRecords":3}' })],
      [add('b', 6, { stats: '{"numRecords":4}' })],
    ])
    expect(await probeTable(log, noParquet, NEVER)).toMatchObject({
      version: 1,
      historyFrom: 0,
      refusal: null,
      files: 2,
      bytes: 11n,
      rows: 7n,
      countedBy: 'commits',
      features: [],
      partitionColumns: [],
    })
  })

  test('the result contains the reason why a table cannot be read', async () => {
    const gap = await probeTable(commitsLog([[PROTOCOL, METADATA]]), noParquet, NEVER)
    expect(gap.refusal).toBeNull()
    const files = {
      [`_delta_log/${commitName(0)}`]: lines([PROTOCOL, METADATA]),
      [`_delta_log/${commitName(2)}`]: lines([add('a')]),
    }
    expect(await probeTable(memoryLog(files), noParquet, NEVER)).toMatchObject({
      version: 2,
      historyFrom: null,
      refusal: { code: 'LOG_GAP' },
      files: null,
    })
    const refused = commitsLog([[{ protocol: { minReaderVersion: 9, minWriterVersion: 9 } }, METADATA]])
    expect(await probeTable(refused, noParquet, NEVER)).toMatchObject({
      refusal: { code: 'PROTOCOL_VERSION' },
      protocol: { minReaderVersion: 9 },
    })
    expect(await codeOf(probeTable(memoryLog({}), noParquet, NEVER))).toBe('NO_LOG')
  })

  test('a checkpoint is opened only if neither commits nor a checksum have the counts', async () => {
    const folder = temporaryFolder()
    put(folder, `_delta_log/${commitName(5)}`, lines([PROTOCOL, METADATA, add('f0', 0)]), T)
    await putParquet(folder, '_delta_log/00000000000000000004.checkpoint.parquet', checkpointSql(5))
    const store = openLocalLog(folder)
    expect(await probeTable(store, parquet, NEVER)).toMatchObject({
      version: 5,
      historyFrom: 4,
      files: 5,
      bytes: 10n,
      countedBy: 'checkpoint',
      lastCommit: T,
    })
    put(folder, '_delta_log/00000000000000000005.crc', '{"tableSizeBytes":123,"numFiles":7}')
    expect(await probeTable(store, noParquet, NEVER)).toMatchObject({
      files: 7,
      bytes: 123n,
      rows: null,
      countedBy: 'crc',
    })
  })
})

test('a counting store counts its calls', async () => {
  const store = countingLogStore(commitsLog([[PROTOCOL, METADATA], [add('a')]]))
  const table = await DeltaTable.open(store, noParquet, NEVER)
  await (await table.snapshot()).counts(NEVER)
  expect(store.counts).toMatchObject({ lists: 1, opened: 4 })
  expect(store.counts.bytes).toBeGreaterThan(300)
})

test('of two commitInfo in a commit the first one counts, as in the catalog', async () => {
  const name = commitName(0)
  const infos = ['WRITE', 'DELETE'].map((operation, i) => ({ commitInfo: { operation, inCommitTimestamp: T + i } }))
  const store = memoryLog({ [`_delta_log/${name}`]: lines([...infos, PROTOCOL, METADATA]) })
  const commits = [{ name, version: 0, size: 1, modified: T + 9 }]
  const source = { store, commits, rule: { fromVersion: 0, fromTime: T }, checkpointed: new Set<number>() }
  for await (const one of commitHistory(source, { signal: NEVER }))
    expect(one).toMatchObject({ operation: 'WRITE', time: T, inCommitTime: true })
})
