/**
 * A small correct table with every kind of object that `fsck` checks: two partitions, statistics, a deletion vector in
 * a file.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { encodeRoaring64 } from './roaring-encoder.ts'

const ROWS = 400
export const MODIFIED = Date.UTC(2026, 0, 2)
const VECTOR_UUID = '00000000-0000-0000-0000-000000000000'

const field = (name: string, type: unknown): unknown => ({ name, type, nullable: true, metadata: {} })
const SCHEMA = {
  type: 'struct',
  fields: [
    field('id', 'long'),
    field('name', 'string'),
    field('price', 'decimal(12,2)'),
    field('ratio', 'double'),
    field('at', 'timestamp'),
    field('day', 'date'),
    field('pair', { type: 'struct', fields: [field('left', 'integer'), field('flag', 'boolean')] }),
    field('tags', { type: 'array', elementType: 'string', containsNull: true }),
    field('part', 'integer'),
  ],
}

export type HealthyTable = {
  readonly folder: string
  /** Data files relative to the folder. */
  readonly files: readonly string[]
  readonly vector: string
}

/** @param folder is created */
export async function makeHealthyTable(folder: string): Promise<HealthyTable> {
  mkdirSync(join(folder, '_delta_log'), { recursive: true })
  using duck = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
  const files: string[] = []
  const adds: unknown[] = []
  for (const part of [0, 1, 2]) {
    const path = `part=${part}/file-${part}.parquet`
    mkdirSync(join(folder, `part=${part}`))
    await duck.connection.run(
      `COPY (SELECT i AS id, CASE WHEN i % 10 = 0 THEN NULL ELSE 'name ' || lpad(i::VARCHAR, 6, '0') || repeat('x', i % 60) END AS name,
         (i * 1.25)::DECIMAL(12,2) AS price, CASE WHEN i % 7 = 0 THEN 'nan'::DOUBLE ELSE i / 8.0 END AS ratio,
         make_timestamptz(1700000000000000 + i * 1000003) AS at, DATE '2024-01-01' + (i % 300)::INTEGER AS day,
         {'left': i::INTEGER % 100, 'flag': i % 2 = 0} AS pair, ['a', i::VARCHAR] AS tags
       FROM range(${part * 1000}, ${part * 1000 + ROWS}) t(i)) TO '${join(folder, path)}' (FORMAT parquet, COMPRESSION ${part === 2 ? 'zstd' : 'snappy'}, ROW_GROUP_SIZE 2048)`,
    )
    files.push(path)
    const from = part * 1000
    const last = from + ROWS - 1
    const at = (i: number): string => new Date(Math.floor((1_700_000_000_000_000 + i * 1_000_003) / 1000)).toISOString()
    const start = (i: number): string => `name ${String(i).padStart(6, '0')}${'x'.repeat(i % 60)}`.slice(0, 32)
    const ratios = Array.from({ length: ROWS }, (_, n) => from + n).filter((i) => i % 7 !== 0)
    const stats = {
      numRecords: ROWS,
      minValues: {
        id: from,
        name: start(from + 1),
        price: from * 1.25,
        ratio: (ratios[0] as number) / 8,
        at: at(from),
        day: '2024-01-01',
        pair: { left: 0 },
      },
      maxValues: {
        id: last,
        name: `${start(last)}\u007f`,
        price: last * 1.25,
        ratio: (ratios.at(-1) as number) / 8,
        at: at(last),
        day: '2024-10-26',
        pair: { left: 99 },
      },
      nullCount: { id: 0, name: ROWS / 10, price: 0, ratio: 0, at: 0, day: 0, pair: { left: 0, flag: 0 }, tags: 0 },
    }
    adds.push({
      path,
      partitionValues: { part: `${part}` },
      modificationTime: MODIFIED,
      dataChange: true,
      stats: JSON.stringify(stats),
    })
    utimesSync(join(folder, path), MODIFIED / 1000, MODIFIED / 1000)
  }
  const vector = `deletion_vector_${VECTOR_UUID}.bin`
  const data = writeVector(join(folder, vector), [3n, 5n, 399n])
  for (const [i, path] of files.entries()) {
    const add = adds[i] as Record<string, unknown>
    add['size'] = statSync(join(folder, path)).size
    if (i !== 1) continue
    add['deletionVector'] = {
      storageType: 'u',
      pathOrInlineDv: '00000000000000000000',
      offset: 1,
      sizeInBytes: data.length,
      cardinality: 3,
    }
  }
  const lines = [
    {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ['deletionVectors'],
        writerFeatures: ['deletionVectors'],
      },
    },
    {
      metaData: {
        id: 'healthy',
        format: { provider: 'parquet', options: {} },
        schemaString: JSON.stringify(SCHEMA),
        partitionColumns: ['part'],
        configuration: {},
      },
    },
    ...adds.map((add) => ({ add })),
  ]
  writeFileSync(logOf(folder), lines.map((line) => JSON.stringify(line)).join('\n') + '\n')
  return { folder, files, vector }
}

/** Writes a deletion vector file that hides these rows. */
export function writeVector(file: string, rows: readonly bigint[]): Buffer {
  const data = Buffer.concat([magic(), encodeRoaring64(rows)])
  writeFileSync(file, storedVector(data))
  return data
}

export function logOf(folder: string): string {
  return join(folder, '_delta_log', `${'0'.repeat(20)}.json`)
}

export type FalsifiedStats = {
  numRecords: number
  readonly minValues: Record<string, unknown>
  readonly maxValues: Record<string, unknown> & { readonly pair: Record<string, unknown> }
  readonly nullCount: Record<string, unknown>
}

/** Rewrites the statistics of a file in the log. */
export function falsify(folder: string, path: string, change: (stats: FalsifiedStats) => void): void {
  const lines = readFileSync(logOf(folder), 'utf8').trim().split('\n')
  const changed = lines.map((line) => {
    const action = JSON.parse(line) as { add?: { path: string; stats: string } }
    if (action.add?.path !== path) return line
    const stats = JSON.parse(action.add.stats) as FalsifiedStats
    change(stats)
    return JSON.stringify({ add: { ...action.add, stats: JSON.stringify(stats) } })
  })
  writeFileSync(logOf(folder), changed.join('\n') + '\n')
}

/** All objects of a folder, below any folder, as paths. */
export function objectsOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function magic(): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(1681511377)
  return bytes
}

/** Format version, then size, data and CRC-32. */
function storedVector(data: Buffer): Buffer {
  const stored = Buffer.alloc(1 + 4 + data.length + 4)
  stored[0] = 1
  stored.writeInt32BE(data.length, 1)
  data.copy(stored, 5)
  stored.writeUInt32BE(crc32(data), 5 + data.length)
  return stored
}
