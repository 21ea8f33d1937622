import { mkdirSync, readFileSync, readdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ActionLine, AddAction } from '../../src/delta/actions.ts'
import { proveCheckpoint, readCheckpoint } from '../../src/delta/checkpoint.ts'
import type { CheckpointOptions } from '../../src/delta/checkpoint.ts'
import { listLog } from '../../src/delta/listing.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { duckdbParquetRows } from '../../src/stores/duckdb/parquet-rows.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import {
  METADATA,
  NEVER,
  PROTOCOL,
  add,
  checkpointSql,
  codeOf,
  collect,
  lines,
  parquet,
  put,
  putParquet,
  temporaryFolder,
} from './delta-fixtures.ts'

const V5 = '_delta_log/00000000000000000005'
const CLASSIC = `${V5}.checkpoint.parquet`
const UUID = '80a083e8-7026-4e79-81be-64bd76c43a11'

async function read(folder: string, options: Partial<CheckpointOptions> = {}): Promise<ActionLine[]> {
  const store = openLocalLog(folder)
  const checkpoint = (await listLog(store, { signal: NEVER })).checkpoints.at(-1)
  if (checkpoint === undefined) throw new Error('no checkpoint')
  return collect(readCheckpoint(store, parquet, checkpoint, { signal: NEVER, ...options }))
}

function addsOf(found: readonly ActionLine[]): AddAction[] {
  return found.flatMap(({ action }) => (action.kind === 'add' ? [action.add] : []))
}

async function statsOf(struct: string): Promise<string | null | undefined> {
  const folder = temporaryFolder()
  const sql = `SELECT {path: 'x', size: 1, modificationTime: 1, stats_parsed: ${struct}} AS "add"`
  await putParquet(folder, CLASSIC, sql)
  return addsOf(await read(folder))[0]?.stats
}

describe('Parquet checkpoints', () => {
  test('rows are read as lines, in order, with a stable order of keys', async () => {
    const folder = temporaryFolder()
    await putParquet(folder, CLASSIC, checkpointSql(3))
    const found = await read(folder)
    expect(found.map(({ line, action }) => [line, action.kind])).toEqual([
      [1, 'protocol'],
      [2, 'metaData'],
      [3, 'add'],
      [4, 'add'],
      [5, 'add'],
    ])
    expect(found[0]?.raw).toBe('{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}')
    expect(found[3]?.raw).toBe(
      '{"add":{"path":"f1","partitionValues":{"p":"1"},"size":1,"modificationTime":1,"dataChange":false,' +
        '"stats":"{\\"numRecords\\":1,\\"x\\":\\"c4ca4238a0b923820dcc509a6f75849b\\"}"}}',
    )
    // A partition value of null is a value; an absent one is not.
    expect(found[2]?.raw).toContain('"partitionValues":{"p":null}')
  })

  test('kinds and fields limit what is read', async () => {
    const folder = temporaryFolder()
    await putParquet(folder, CLASSIC, checkpointSql(3))
    expect((await read(folder, { kinds: new Set(['protocol', 'metaData']) })).length).toBe(2)
    const identity = await read(folder, { kinds: new Set(['add']), fields: 'identity' })
    expect(identity.map(({ raw }) => raw)).toEqual(
      ['f0', 'f1', 'f2'].map((path, i) => `{"add":{"path":"${path}","size":${i}}}`),
    )
    const counts = await read(folder, { kinds: new Set(['add']), fields: 'counts' })
    expect(addsOf(counts).map(({ stats }) => stats)).toEqual([0, 1, 2].map((n) => `{"numRecords":${n}}`))
  })

  test('any text is read unchanged', async () => {
    const folder = temporaryFolder()
    await putParquet(
      folder,
      CLASSIC,
      checkpointSql(1, `'é"''\\' || chr(10) || chr(9) || chr(1) || chr(0) || '😀 ' || chr(8232)`),
    )
    expect(addsOf(await read(folder))[0]?.path).toBe('é"\'\\\n\t\u0001\u0000😀 \u2028')
  })

  test.each(["it's", 'a[b]c', 'what?*', 'q"uote', 'sp ace', 'per%20cent', 'ünï', '{a,b}', 'back\\slash'])(
    'a folder called %s is read',
    async (name) => {
      const folder = join(temporaryFolder(), name)
      mkdirSync(folder)
      await putParquet(temporaryFolder(), CLASSIC, checkpointSql(2)).then((file) =>
        put(folder, CLASSIC, readFileSync(file)),
      )
      expect(addsOf(await read(folder)).length).toBe(2)
    },
  )

  test('unknown columns are ignored, and columns may be missing', async () => {
    const folder = temporaryFolder()
    await putParquet(
      folder,
      CLASSIC,
      `SELECT {path: 'x', size: 1::INTEGER, modificationTime: 1, extra: 7} AS "add", {a: 1} AS mystery, 5 AS plain`,
    )
    expect((await read(folder)).map(({ raw }) => raw)).toEqual(['{"add":{"path":"x","size":1,"modificationTime":1}}'])
  })

  test('a file without a row has no actions', async () => {
    const folder = temporaryFolder()
    await putParquet(folder, CLASSIC, `${checkpointSql(1)} WHERE i > 99`)
    expect(await read(folder)).toEqual([])
  })

  test('the last row may be of a kind that is not read', async () => {
    const folder = temporaryFolder()
    await putParquet(folder, CLASSIC, `${checkpointSql(5)} ORDER BY i DESC`)
    expect((await read(folder, { kinds: new Set(['add']) })).length).toBe(5)
    expect((await read(folder, { kinds: new Set(['txn']) })).length).toBe(0)
  })

  test('a path of null is an error, and the row is not skipped', async () => {
    const folder = temporaryFolder()
    await putParquet(folder, CLASSIC, checkpointSql(3, "CASE WHEN i = 1 THEN NULL ELSE 'f' || i END"))
    expect(await codeOf(read(folder))).toBe('BAD_CHECKPOINT')
    expect(await codeOf(read(folder, { kinds: new Set(['add']), fields: 'identity' }))).toBe('BAD_CHECKPOINT')
  })

  test('txn versions keep all their digits', async () => {
    const folder = temporaryFolder()
    await putParquet(folder, CLASSIC, `SELECT {appId: 'a', version: 9223372036854775807} AS txn`)
    expect((await read(folder))[0]?.action).toMatchObject({ txn: { version: '9223372036854775807' } })
  })
})

describe('statistics are built from stats_parsed', () => {
  test.each([
    ['9223372036854775807::BIGINT', '9223372036854775807'],
    ['1.50::DECIMAL(10,2)', '1.50'],
    ['(-0.05)::DECIMAL(10,2)', '-0.05'],
    ["'12345678901234567890123456789012345.678'::DECIMAL(38,3)", '12345678901234567890123456789012345.678'],
    ['1.5::DOUBLE', '1.5'],
    ["'nan'::DOUBLE", '"NaN"'],
    ["'-inf'::FLOAT", '"-Infinity"'],
    ["'inf'::DOUBLE", '"Infinity"'],
    ['true', 'true'],
    ["DATE '2024-02-29'", '"2024-02-29"'],
    ["TIMESTAMPTZ '2024-01-01 00:00:00+00'", '"2024-01-01T00:00:00.000Z"'],
    ["TIMESTAMPTZ '2024-01-01 02:00:00.120+02'", '"2024-01-01T00:00:00.120Z"'],
    ["TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'", '"1969-12-31T23:59:59.999999Z"'],
    ["TIMESTAMP '2024-01-01 12:34:56.789'", '"2024-01-01T12:34:56.789"'],
    [`'a"b'`, '"a\\"b"'],
    [`'\\x00\\xFF'::BLOB`, '"AP8="'],
    ['{"in": 1, nothing: NULL::INTEGER}', '{"in":1}'],
    ['[1, 2]', '[1,2]'],
  ])('%s', async (value, json) => {
    expect(await statsOf(`{numRecords: 3, minValues: {"c": ${value}, gone: NULL::DATE}, tightBounds: true}`)).toBe(
      `{"numRecords":3,"minValues":{"c":${json}},"tightBounds":true}`,
    )
  })

  test('the stats text takes precedence, and empty statistics are null', async () => {
    const folder = temporaryFolder()
    await putParquet(
      folder,
      CLASSIC,
      `SELECT {path: 'f' || i, size: 1, modificationTime: 1, stats: CASE WHEN i = 0 THEN '{"numRecords": 7}' END,
        stats_parsed: CASE WHEN i < 2 THEN {numRecords: 9} END} AS "add" FROM range(3) t(i)`,
    )
    expect(addsOf(await read(folder)).map(({ stats }) => stats)).toEqual([
      '{"numRecords": 7}',
      '{"numRecords":9}',
      undefined,
    ])
    const counts = addsOf(await read(folder, { kinds: new Set(['add']), fields: 'counts' }))
    expect(counts.map(({ stats }) => stats)).toEqual(['{"numRecords":7}', '{"numRecords":9}', undefined])
  })

  test('statistics that are not JSON are passed unchanged', async () => {
    const folder = temporaryFolder()
    await putParquet(folder, CLASSIC, `SELECT {path: 'f', size: 1, modificationTime: 1, stats: '{oops'} AS "add"`)
    expect(addsOf(await read(folder))[0]?.stats).toBe('{oops')
    expect(addsOf(await read(folder, { kinds: new Set(['add']), fields: 'counts' }))[0]?.stats).toBeUndefined()
  })
})

describe('other forms', () => {
  test('parts are read in order', async () => {
    const folder = temporaryFolder()
    await putParquet(folder, `${V5}.checkpoint.0000000002.0000000002.parquet`, checkpointSql(1, "'second'"))
    await putParquet(folder, `${V5}.checkpoint.0000000001.0000000002.parquet`, checkpointSql(1, "'first'"))
    const found = await read(folder)
    expect(addsOf(found).map(({ path }) => path)).toEqual(['first', 'second'])
    expect(found.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6])
  })

  async function withSidecar(path: string, more: readonly object[] = []): Promise<string> {
    const folder = temporaryFolder()
    const manifest = { checkpointMetadata: { version: 5 } }
    const sidecar = { sidecar: { path, sizeInBytes: 1, modificationTime: 1 } }
    put(folder, `${V5}.checkpoint.${UUID}.json`, lines([manifest, sidecar, PROTOCOL, METADATA, ...more]))
    await putParquet(folder, '_delta_log/_sidecars/a b.parquet', `SELECT "add" FROM (${checkpointSql(4)})`)
    return folder
  }

  test.each(['a%20b.parquet', '_delta_log/_sidecars/a%20b.parquet'])(
    'a V2 checkpoint in JSON is read with the sidecar %s',
    async (path) => {
      const found = await read(await withSidecar(path))
      expect(found.map(({ action }) => action.kind)).toEqual([
        'checkpointMetadata',
        'sidecar',
        'protocol',
        'metaData',
        'add',
        'add',
        'add',
        'add',
      ])
      const kinds = new Set(['add', 'protocol'] as const)
      expect((await read(await withSidecar(path), { kinds })).map(({ line }) => line)).toEqual([1, 2, 3, 4, 5])
    },
  )

  test('protocol and metadata of a V2 checkpoint need no sidecar', async () => {
    const folder = await withSidecar('missing.parquet')
    expect((await read(folder, { kinds: new Set(['protocol', 'metaData']) })).length).toBe(2)
    await expect(read(folder)).rejects.toMatchObject({ code: 'BAD_CHECKPOINT', message: /missing\.parquet is missing/ })
  })

  test.each(['../../secret.parquet', '/etc/passwd', 's3://elsewhere/x.parquet', '..%2F..%2Fsecret.parquet'])(
    'a sidecar at %s is not opened',
    async (path) => {
      await expect(read(await withSidecar(path))).rejects.toMatchObject({
        code: 'BAD_CHECKPOINT',
        message: /is not in _delta_log\/_sidecars/,
      })
    },
  )

  test('V2 content in Parquet under a classic name is read', async () => {
    const folder = await withSidecar('a%20b.parquet')
    renameSync(join(folder, `${V5}.checkpoint.${UUID}.json`), join(folder, 'gone'))
    await putParquet(
      folder,
      CLASSIC,
      `SELECT {version: 5} AS "checkpointMetadata", NULL::STRUCT(path VARCHAR, sizeInBytes BIGINT, modificationTime BIGINT) AS sidecar
       UNION ALL SELECT NULL, {path: 'a%20b.parquet', sizeInBytes: 1, modificationTime: 1}`,
    )
    expect(addsOf(await read(folder)).length).toBe(4)
  })

  test('a V2 checkpoint without its manifest row, or of another version, is refused', async () => {
    const folder = temporaryFolder()
    put(folder, `${V5}.checkpoint.${UUID}.json`, lines([PROTOCOL, METADATA]))
    await expect(read(folder)).rejects.toMatchObject({ code: 'BAD_CHECKPOINT', message: /0 checkpointMetadata rows/ })
    put(folder, `${V5}.checkpoint.${UUID}.json`, lines([{ checkpointMetadata: { version: 6 } }]))
    await expect(read(folder)).rejects.toMatchObject({ message: /its checkpointMetadata has version 6/ })
    put(folder, `${V5}.checkpoint.${UUID}.json`, `${lines([{ checkpointMetadata: { version: 5 } }])}{"add":{"pa`)
    await expect(read(folder)).rejects.toMatchObject({
      code: 'BAD_CHECKPOINT',
      where: expect.stringMatching(/json:2$/) as unknown,
    })
  })
})

/** Parquet whose content does not compress, so that the file is read through a FIFO. */
async function largeCheckpoint(): Promise<string> {
  const folder = temporaryFolder()
  await putParquet(
    folder,
    CLASSIC,
    checkpointSql(150_000, 'md5(i::VARCHAR) || md5((i + 1)::VARCHAR)'),
    ', COMPRESSION uncompressed',
  )
  return folder
}

/** Folders of this process; those of a killed program are removed by the next one (archive-spool.test.ts). */
function leftovers(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('sluice-archive-') && name.includes(`-${process.pid}-`))
}

describe('large checkpoints', () => {
  test('are read completely, and several at once', { timeout: 60_000 }, async () => {
    const folder = await largeCheckpoint()
    const kinds = new Set(['add'] as const)
    const found = await Promise.all([1, 2, 3, 4, 5, 6].map(() => read(folder, { kinds, fields: 'identity' })))
    expect(found.map((one) => one.length)).toEqual([1, 2, 3, 4, 5, 6].map(() => 150_000))
    expect(found[5]?.at(-1)?.line).toBe(150_000)
    expect(leftovers()).toEqual([])
  })

  test('a reader may stop early, or be aborted, and nothing hangs', { timeout: 60_000 }, async () => {
    const folder = await largeCheckpoint()
    const store = openLocalLog(folder)
    const checkpoint = (await listLog(store, { signal: NEVER })).checkpoints[0]
    if (checkpoint === undefined) throw new Error('no checkpoint')
    for (let round = 0; round < 4; round++) {
      for await (const block of readCheckpoint(store, parquet, checkpoint, { signal: NEVER })) {
        expect(block.length).toBeGreaterThan(0)
        expect(leftovers()).not.toEqual([])
        break
      }
    }
    const abort = new AbortController()
    const aborted = async (): Promise<void> => {
      for await (const _ of readCheckpoint(store, parquet, checkpoint, { signal: abort.signal })) {
        void _
        abort.abort()
      }
    }
    await expect(aborted()).rejects.toMatchObject({ code: 'ABORTED' })
    expect(leftovers()).toEqual([])
    expect((await read(folder, { kinds: new Set(['add']), fields: 'identity' })).length).toBe(150_000)
  })

  test('the error of a consumer reaches the caller', async () => {
    const folder = await largeCheckpoint()
    const store = openLocalLog(folder)
    const [checkpoint] = (await listLog(store, { signal: NEVER })).checkpoints
    const consume = async (): Promise<void> => {
      if (checkpoint === undefined) return
      for await (const _ of readCheckpoint(store, parquet, checkpoint, { signal: NEVER }))
        throw new Error(`mine ${_.length > 0}`)
    }
    await expect(consume()).rejects.toThrow('mine true')
  })
})

describe('damaged files', () => {
  const outcome = async (work: Promise<readonly ActionLine[]>): Promise<string> => {
    try {
      return `${(await work).length} rows`
    } catch (error) {
      return error instanceof SluiceError ? error.code : `crash ${String(error)}`
    }
  }

  test('files cut short or overwritten are refused', async () => {
    const folder = temporaryFolder()
    const file = await putParquet(folder, CLASSIC, checkpointSql(100))
    const whole = readFileSync(file)
    for (const size of [0, 3, 8, whole.length >> 1, whole.length - 1]) {
      truncateSync(file, size)
      expect([size, await outcome(read(folder))]).toEqual([size, 'BAD_CHECKPOINT'])
      writeFileSync(file, whole)
    }
    writeFileSync(file, '{"not":"parquet"}')
    expect(await outcome(read(folder))).toBe('BAD_CHECKPOINT')
  })

  test('flipped bytes give an error, or every row', { timeout: 120_000 }, async () => {
    const folder = temporaryFolder()
    const file = await putParquet(folder, CLASSIC, checkpointSql(2000), ', COMPRESSION snappy, ROW_GROUP_SIZE 2048')
    const whole = readFileSync(file)
    const seen = new Map<string, number>()
    for (let i = 0; i < 60; i++) {
      const bytes = Buffer.from(whole)
      // Spread over pages and footer; the same positions on every run.
      const at = i < 40 ? Math.floor((i / 40) * whole.length) : whole.length - 1 - (i - 40) * 37
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (i % 8))
      writeFileSync(file, bytes)
      const result = await outcome(read(folder))
      expect(['BAD_CHECKPOINT', '2002 rows']).toContain(result)
      seen.set(result, (seen.get(result) ?? 0) + 1)
    }
    expect(seen.get('BAD_CHECKPOINT')).toBeGreaterThan(10)
  })

  test(
    'a large file with a broken page in its middle is refused, and not read in part',
    { timeout: 60_000 },
    async () => {
      const folder = temporaryFolder()
      const file = await putParquet(folder, CLASSIC, checkpointSql(200_000), ', COMPRESSION zstd')
      const bytes = readFileSync(file)
      bytes.fill(0xa5, bytes.length >> 1, (bytes.length >> 1) + 64)
      writeFileSync(file, bytes)
      expect(await outcome(read(folder))).toBe('BAD_CHECKPOINT')
      const store = openLocalLog(folder)
      const [checkpoint] = (await listLog(store, { signal: NEVER })).checkpoints
      if (checkpoint === undefined) throw new Error('no checkpoint')
      expect(
        await codeOf(proveCheckpoint(store, parquet, checkpoint, { signal: NEVER, kinds: new Set(['add']) })),
      ).toBe('BAD_CHECKPOINT')
      expect(leftovers()).toEqual([])
    },
  )

  test('a missing file has another error code than a damaged one', async () => {
    const rows = duckdbParquetRows()
    expect(await codeOf(rows.facts(join(temporaryFolder(), 'none.parquet'), NEVER))).toBe('SOURCE_GONE')
  })

  test('an invalid size in a V2 checkpoint is refused', async () => {
    const folder = temporaryFolder()
    put(folder, `${V5}.checkpoint.${UUID}.json`, lines([{ checkpointMetadata: { version: 5 } }, add('x', -5)]))
    expect(await outcome(read(folder))).toBe('BAD_CHECKPOINT')
  })
})
