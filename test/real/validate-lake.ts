/** A small log that uses every column of the catalog. The test writes it itself, so that each line is known. */
import { mkdtemp, mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SCHEMA = JSON.stringify({
  type: 'struct',
  fields: [
    { name: 'id', type: 'long', nullable: true, metadata: {} },
    { name: 'p', type: 'string', nullable: true, metadata: {} },
  ],
})

const stats = (records: number): string =>
  `{"numRecords":${records},"minValues":{"id":9223372036854775806,"d":1.10},"maxValues":{"id":9223372036854775807,"d":2.50},"nullCount":{"id":0}}`

type Add = Record<string, unknown>

export function addLine(path: string, more: Add = {}): string {
  const {
    partitionValues = { p: 'a' },
    size = 100,
    modificationTime = 1_700_000_000_000,
    dataChange = true,
    ...rest
  } = more
  return JSON.stringify({ add: { path, partitionValues, size, modificationTime, dataChange, ...rest } })
}

const metaData = (configuration: Record<string, string>): string =>
  JSON.stringify({
    metaData: {
      id: '5fba94ed-9794-4965-ba6e-6ee3c0d22af9',
      name: 'orders',
      description: 'all "orders"',
      format: { provider: 'parquet', options: { compression: 'zstd' } },
      schemaString: SCHEMA,
      partitionColumns: ['p'],
      configuration,
      createdTime: 1_700_000_000_001,
    },
  })

const info = (more: Record<string, unknown>): string =>
  JSON.stringify({ commitInfo: { timestamp: 1, operation: 'WRITE', engineInfo: 'test/1', ...more } })

const dv = (offset: number): Add => ({
  storageType: 'u',
  pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^',
  offset,
  sizeInBytes: 40,
  cardinality: 6,
})

const SURROGATE =
  '{"add":{"path":"lone.parquet","partitionValues":{"p":null},"size":7,"modificationTime":5,"dataChange":true,"stats":"{\\"minValues\\":{\\"p\\":\\"\\\\ud83d\\"}}"}}'

export const COMMITS: readonly string[][] = [
  [
    info({ operation: 'CREATE TABLE' }),
    '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors","domainMetadata","inCommitTimestamp","rowTracking"]}}',
    metaData({ 'delta.appendOnly': 'false' }),
    '{"txn":{"appId":"job \'1\'","version":9223372036854775807,"lastUpdated":1700000000002}}',
    '{"domainMetadata":{"domain":"delta.rowTracking","configuration":"{\\"rowIdHighWaterMark\\":9}","removed":false}}',
    addLine('p=a/1.parquet', { stats: stats(10), tags: { ZCUBE: 'x', none: null } }),
    addLine("p=b/it's \n 😀 %20 [x]*?.parquet", { partitionValues: { p: "b'\n😀" }, stats: stats(20) }),
    '{"unknownAction":{"x":1}}',
    '{"cdc":{"path":"_change_data/1.parquet","partitionValues":{"p":"a"},"size":3,"dataChange":false}}',
  ],
  [
    '',
    info({ operation: 'DELETE' }),
    '{"remove":{"path":"p=a/1.parquet","deletionTimestamp":1700000000003,"dataChange":true,"extendedFileMetadata":true,"partitionValues":{"p":"a"},"size":100}}',
    addLine('p=a/1.parquet', {
      stats: stats(10),
      deletionVector: dv(0),
      baseRowId: 5,
      defaultRowCommitVersion: 1,
      clusteringProvider: 'liquid',
    }),
    // Another order of fields than the catalog rebuilds, so the line itself is kept.
    '{"add":{"size":200,"path":"p=a/2.parquet","partitionValues":{"p":"a"},"modificationTime":3,"dataChange":false,"stats":null}}',
    '{"add":{"path":"p=a/twice.parquet","partitionValues":{"p":"a"},"size":1,"modificationTime":4,"dataChange":true}}',
    '{"add":{"path":"p=a/twice.parquet","partitionValues":{"p":"a"},"size":2,"modificationTime":4,"dataChange":true}}',
    SURROGATE,
  ],
  [
    info({ operation: 'SET TBLPROPERTIES', inCommitTimestamp: 1_800_000_000_000 }),
    metaData({ 'delta.enableInCommitTimestamps': 'true', 'delta.inCommitTimestampEnablementVersion': '2' }),
    '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors","inCommitTimestamp","domainMetadata","rowTracking","appendOnly"]}}',
    '{"domainMetadata":{"domain":"delta.rowTracking","configuration":"{\\"rowIdHighWaterMark\\":19}","removed":false}}',
    '{"domainMetadata":{"domain":"mine","configuration":"x","removed":false}}',
  ],
  [
    info({ inCommitTimestamp: 1_800_000_000_500, operation: 5 }),
    '{\n  "add": {\n    "path": "p=a/spread.parquet", "partitionValues": {"p": "a"},\n "size": 11, "modificationTime": 9, "dataChange": true\n  }\n}',
    '{"remove":{"path":"p=a/2.parquet","deletionTimestamp":4,"dataChange":true}}',
    addLine('./p=a/1.parquet', { stats: stats(10), deletionVector: dv(1), baseRowId: 5, defaultRowCommitVersion: 1 }),
    '{"domainMetadata":{"domain":"mine","configuration":"","removed":true}}',
    '{"txn":{"appId":"job \'1\'","version":3}}',
    info({ operation: 'second' }),
  ],
]

export type Lake = AsyncDisposable & { readonly folder: string }

/** Writes the commits; file times go backwards once, so that they must be adjusted. */
export async function makeLake(commits: readonly string[][] = COMMITS): Promise<Lake> {
  const place = await mkdtemp(join(tmpdir(), 'sluice-lake-'))
  const folder = join(place, "it's [a] 😀 table")
  await mkdir(join(folder, '_delta_log'), { recursive: true })
  for (const [version, lines] of commits.entries()) {
    const file = join(folder, '_delta_log', `${String(version).padStart(20, '0')}.json`)
    await writeFile(file, version === 2 ? lines.join('\r\n') : `${lines.join('\n')}\n`)
    const seconds = 1_700_000_100 + (version === 1 ? -5 : version)
    await utimes(file, seconds, seconds)
  }
  return { folder, [Symbol.asyncDispose]: () => rm(place, { recursive: true, force: true }) }
}
