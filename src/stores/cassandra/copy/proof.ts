/**
 * Digest of the target's rows, which proves them: by token ranges, or row by row if token ranges differ between source
 * and target.
 */
import { normalizer } from '../../../model/copy/canonical.ts'
import { keyTextOf } from '../../../model/copy/key-text.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import type { BatchSize, RowBatch, RowRequest } from '../../../model/copy/source-port.ts'
import type { ChunkRequest } from '../../../model/copy/target-port.ts'
import type { CassandraLink } from '../connect.ts'
import { CassandraKeyRowReader, type KeyReader, type CassandraRowKey } from './by-keys.ts'
import { cassandraEncoder } from './encode.ts'
import type { RequestFlow } from './flow.ts'
import { cassandraScan } from './scan.ts'
import type { CassandraShape } from './shape.ts'
import { hasStatics, mayBeStaticOnlyKey } from './shared-only.ts'

/** Limits of a batch: small enough for memory, and for a short wait for each page. */
const BATCH = { rows: 5000, bytes: 4 * 1024 * 1024 } as const
const KEYS_AT_ONCE = 10_000

/** The table that is read, and the level of the reads. */
export type CassandraRead = { readonly link: CassandraLink; readonly level: number; readonly shape: CassandraShape }

/** Rows of the target, read at a level that sees the writes. */
function rowsOf(
  { link, level }: CassandraRead,
  request: RowRequest,
  size: BatchSize,
  pageRows: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<RowBatch> {
  // Include static values of partitions without rows: they were written too.
  return cassandraScan({ ...link, readLevel: level }, { ...request, sharedOnly: true }, size, pageRows, signal)
}

/** Reads a token range, or all tokens if the range is no key range. */
function requestOf(
  { link, shape }: CassandraRead,
  table: ChunkRequest['table'],
  columns: ChunkRequest['columns'],
  range: Range,
): RowRequest {
  const tokens = range.by === 'key' ? range : EVERY_KEY
  return { table: ringTable(table, link, shape), columns, range: tokens, where: null, ordered: false }
}

/** True if a token range, or the whole table, has any row. */
export async function holdsAny(
  place: CassandraRead,
  { table, columns, range, signal }: ChunkRequest,
): Promise<boolean> {
  const key = columns.filter(({ name }) => place.shape.columns.get(name)?.part === 'partition')
  const first = { rows: 1, bytes: 1 }
  for await (const { rows } of rowsOf(place, requestOf(place, table, key, range), first, 1, signal))
    if (rows.length > 0) return true
  return false
}

/** @param only count only rows with these keys, in the form of `keyText` */
export async function digestOfTokens(
  place: CassandraRead,
  { table, columns, range, signal }: ChunkRequest,
  only: ReadonlySet<string> | null,
  countOnly: boolean,
): Promise<Digest> {
  const wanted = countOnly ? columns.filter(({ name }) => table.key.includes(name)) : columns
  const request = requestOf(place, table, wanted, range)
  const key = table.key.map((name) => wanted.findIndex((column) => column.name === name))
  const sum = new RowChecksum()
  let count = 0n
  for await (const { rows } of rowsOf(place, request, BATCH, undefined, signal)) {
    for (const row of rows) {
      if (only !== null && !only.has(keyTextOf(row, key))) continue
      if (countOnly) count++
      else sum.add(row)
    }
  }
  return countOnly ? { rows: count, sum: '' } : sum.digest()
}

/** Digest of the rows with these keys; many rows are read at the same time. */
export async function cassandraDigestOfKeys(
  reader: KeyReader,
  { columns, signal }: ChunkRequest,
  shape: CassandraShape,
  keys: Iterable<CassandraRowKey>,
  flow: RequestFlow,
  countOnly: boolean,
): Promise<Digest> {
  const wanted = countOnly ? columns.filter(({ name }) => shape.columns.get(name)?.part === 'partition') : columns
  const rows = new CassandraKeyRowReader(reader, shape, wanted)
  const sum = new RowChecksum()
  let count = 0n
  const read = (some: readonly CassandraRowKey[]): Promise<void> =>
    flow.each(some, signal, async (key) => {
      const row: Row | null = await rows.read(key)
      if (row === null) return
      if (countOnly) count++
      else sum.add(row)
    })
  let some: CassandraRowKey[] = []
  for (const key of keys) {
    some.push(key)
    if (some.length < KEYS_AT_ONCE) continue
    await read(some)
    some = []
  }
  await read(some)
  return countOnly ? { rows: count, sum: '' } : sum.digest()
}

/** A row's key from a bound of a range. */
export function keyOfBound(request: ChunkRequest, shape: CassandraShape, bound: RowKey): CassandraRowKey {
  if (hasStatics(shape) && mayBeStaticOnlyKey(bound, shape.partition.length) && !canBeRowKey(request, shape, bound))
    return { values: partitionOfBound(request, shape, bound), staticOnly: true }
  return { values: valuesOf(request, shape, bound, [...shape.partition, ...shape.clustering]), staticOnly: false }
}

/** As `keyOfBound`, only for the partition. */
export function partitionOfBound(
  request: ChunkRequest,
  shape: CassandraShape,
  bound: RowKey,
): CassandraRowKey['values'] {
  return valuesOf(request, shape, bound, shape.partition)
}

/**
 * True if the key of a row can equal this bound: it has no null, and all clustering columns are texts. Otherwise a
 * bound with only empty texts after the partition key is the key of a partition with static values only.
 */
export function canBeRowKey({ columns }: ChunkRequest, { clustering }: CassandraShape, bound: RowKey): boolean {
  if (bound.includes(null)) return false
  return clustering.every((name) => columns.find((column) => column.name === name)?.as.kind === 'text')
}

function valuesOf(
  { table, columns }: ChunkRequest,
  shape: CassandraShape,
  bound: RowKey,
  names: readonly string[],
): CassandraRowKey['values'] {
  return names.map((name) => {
    const at = table.key.indexOf(name)
    const column = columns.find((one) => one.name === name)
    const type = shape.columns.get(name)?.type
    const text = bound[at]
    if (column === undefined || type === undefined || text == null) return null
    return cassandraEncoder(type, column.as)(normalizer(column.as)(text))
  })
}

/** The table with its partition key in the cluster, which distributes the rows; the copy may use another key. */
function ringTable(table: ChunkRequest['table'], link: CassandraLink, shape: CassandraShape): ChunkRequest['table'] {
  return {
    ...table,
    table: shape.table,
    key: [...shape.partition, ...shape.clustering],
    ring: { partitioner: link.partitioner, columns: shape.partition.length },
  }
}
