/**
 * One window of the ring: whole partitions from a token on, some hundred rows. After the end of its piece it continues
 * at the beginning of the piece.
 */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { RING_TOKENS, type TokenRange } from '../../../model/copy/ring.ts'
import type { FullPartition } from '../../../model/copy/ring-distribution.ts'
import type { CassandraLink } from '../connect.ts'
import { driverText } from './key-text.ts'
import { cassandraTableName } from './names.ts'
import { selectedCqlColumn } from './selected.ts'
import { quotedName } from '../../../shared/sql-text.ts'

/** A window ends with the partition in which it reaches this number of rows. */
const WINDOW_ROWS = 250
const WINDOW_BYTES = 4 * 1024 * 1024
/** Rows of one partition after which counting stops; the partition is then reported with `more`. */
const PARTITION_ROWS = 5000
const PAGE_ROWS = 100

export type RingWindow = {
  readonly rows: number
  readonly partitions: number
  readonly bytes: number
  /** Tokens that the window spans. */
  readonly tokens: bigint
  /** True if the piece was read completely. */
  readonly whole: boolean
  /** Number of rows that were read. */
  readonly seen: number
  readonly fullest: FullPartition | null
}

export type ReadRingPart = (piece: TokenRange, start: bigint) => Promise<RingWindow>

type Partition = { -readonly [K in keyof FullPartition]: FullPartition[K] }

/** Result of reading from a token on: complete partitions, and the last token up to which all of them were read. */
type ReadRange = {
  readonly partitions: readonly Partition[]
  /** Null if the end of the range was reached. */
  readonly until: bigint | null
  readonly seen: number
}

/** Returns a function that reads windows of one table. */
export function windowReader(link: CassandraLink, table: TableSpec, signal: AbortSignal): ReadRingPart {
  const { ring } = table
  if (ring === undefined) throw new Error('a table without a ring has no windows')
  const whole = RING_TOKENS[ring.partitioner]
  const keyColumns = table.key.slice(0, ring.columns)
  const hash = `${ring.partitioner === 'ycql' ? 'partition_hash' : 'token'}(${keyColumns.map(quotedName).join(', ')})`
  const keyAt = keyColumns.map((name) => table.columns.findIndex((column) => column.name === name))
  const columns = table.columns.map(({ name }) => selectedCqlColumn(name)).join(', ')

  const query = ({ low, high }: TokenRange): readonly [string, readonly unknown[]] => {
    const type = ring.partitioner === 'ycql' ? Number : (token: bigint): bigint => token
    // Leave the outermost bounds open: in a condition, the smallest token would also mean the end of the ring.
    const bounds = [
      ...(low > whole.low ? [[`${hash} >= ?`, type(low)] as const] : []),
      ...(high < whole.high ? [[`${hash} <= ?`, type(high)] as const] : []),
    ]
    const where = bounds.length === 0 ? '' : ` WHERE ${bounds.map(([text]) => text).join(' AND ')}`
    return [
      `SELECT ${hash} AS sluice_token, ${columns} FROM ${cassandraTableName(table.table)}${where}`,
      bounds.map(([, value]) => value),
    ]
  }

  async function* rowsOf(range: TokenRange): AsyncGenerator<readonly unknown[]> {
    const [text, parameters] = query(range)
    let pageState: string | undefined
    do {
      signal.throwIfAborted()
      const page = await link.client.execute(text, parameters, {
        prepare: true,
        consistency: link.readLevel,
        fetchSize: PAGE_ROWS,
        autoPage: false,
        ...(pageState === undefined ? {} : { pageState }),
      })
      for (const row of page.rows) yield row.values() as unknown[]
      pageState = page.pageState ?? undefined
    } while (pageState !== undefined)
  }

  const stretch = async (range: TokenRange, rowsLeft: number): Promise<ReadRange> => {
    const partitions: Partition[] = []
    let [rows, bytes] = [0, 0]
    for await (const [token, ...values] of rowsOf(range)) {
      const at = BigInt(String(token))
      const last = partitions.at(-1)
      const enough = rows >= rowsLeft || bytes >= WINDOW_BYTES
      if (last !== undefined && last.token === at) {
        last.rows++
        last.bytes += bytesOf(values)
      } else {
        if (enough && last !== undefined) return { partitions, until: at - 1n, seen: rows }
        const key = keyAt.map((index) => driverText(values[index]))
        partitions.push({ token: at, key, rows: 1, bytes: bytesOf(values), more: false })
      }
      rows++
      bytes += bytesOf(values)
      const open = partitions.at(-1)
      if (open !== undefined && enough && open.rows >= PARTITION_ROWS) {
        open.more = true
        const next = await tokenBehind(open.token, range.high)
        return { partitions, until: next === null ? null : next - 1n, seen: rows }
      }
    }
    return { partitions, until: null, seen: rows }
  }

  const tokenBehind = async (token: bigint, high: bigint): Promise<bigint | null> => {
    if (token >= high) return null
    for await (const [next] of rowsOf({ low: token + 1n, high })) return BigInt(String(next))
    return null
  }

  return async (piece, start) => {
    const first = await stretch({ low: start, high: piece.high }, WINDOW_ROWS)
    const left = WINDOW_ROWS - first.seen
    if (first.until !== null || start === piece.low)
      return windowOf(first.partitions, (first.until ?? piece.high) - start + 1n, first.until === null, first.seen)
    if (left <= 0) {
      // The piece may contain only a few large partitions. It was read completely if no row lies before the start.
      const isWhole = (await tokenBehind(piece.low - 1n, start - 1n)) === null
      return windowOf(first.partitions, piece.high - start + 1n, isWhole, first.seen)
    }
    const second = await stretch({ low: piece.low, high: start - 1n }, left)
    const tokens = piece.high - start + 1n + ((second.until ?? start - 1n) - piece.low + 1n)
    const all = [...first.partitions, ...second.partitions]
    return windowOf(all, tokens, second.until === null, first.seen + second.seen)
  }
}

function windowOf(partitions: readonly Partition[], tokens: bigint, whole: boolean, seen: number): RingWindow {
  let [rows, bytes] = [0, 0]
  let fullest: FullPartition | null = null
  for (const one of partitions) {
    rows += one.rows
    bytes += one.bytes
    if (one.rows > (fullest?.rows ?? 0)) fullest = one
  }
  return {
    rows,
    partitions: partitions.length,
    bytes,
    tokens,
    // The contents of a partition that was not read to its end are unknown.
    whole: whole && !partitions.some(({ more }) => more),
    seen,
    fullest,
  }
}

/** Approximate bytes of values, as the protocol carries them. */
function bytesOf(values: readonly unknown[]): number {
  let sum = 0
  for (const value of values) sum += valueBytes(value)
  return sum
}

function valueBytes(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return Buffer.byteLength(value)
    case 'number':
    case 'bigint':
      return 8
    case 'boolean':
      return 1
    case 'object':
      return value === null ? 0 : objectBytes(value)
    default:
      return 0
  }
}

function objectBytes(value: object): number {
  if (value instanceof Uint8Array) return value.byteLength
  if (value instanceof Date) return 8
  if (value instanceof Map) return bytesOf([...value.keys()]) + bytesOf([...value.values()])
  if (value instanceof Set || Array.isArray(value)) return bytesOf([...value])
  // UUIDs, decimals, addresses: the driver's classes hold their bytes.
  if ('buffer' in value && value.buffer instanceof Uint8Array) return value.buffer.byteLength
  return bytesOf(Object.values(value))
}
