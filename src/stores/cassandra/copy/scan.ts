/** Reads the rows of a range in canonical form, with write times if requested. */
import { bytesOfText } from '../../../model/copy/bytes-text.ts'
import { tableText, type ColumnType } from '../../../model/copy/column-type.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { RING_TOKENS, tokensOfRange } from '../../../model/copy/ring.ts'
import type { Cell, Row, WriteTimes } from '../../../model/copy/rows.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { MistypedRows } from '../../common/as-stored.ts'
import type { BatchSize, RowBatch, RowRequest } from '../../../model/copy/source-port.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraError } from '../errors.ts'
import { timeFilterOf, type TimeFilter } from '../archive/time.ts'
import { cassandraDecoder } from './decode.ts'
import { cassandraEncoder } from './encode.ts'
import { keyLimitError } from './key-limits.ts'
import { driverText } from './key-text.ts'
import { Pages, type DriverRow } from './pages.ts'
import { wholeSecond, type DriverPage } from './seams.ts'
import { PageSize } from './page-size.ts'
import type { Parameters } from './row-writes.ts'
import { byKey, type CqlQuery } from './select.ts'
import { nameInRow } from './selected.ts'
import { mayBeStaticOnlyKey } from './shared-only.ts'
import { RowDecoder } from './row-decoder.ts'

/** Maximum number of rows that are read by key at the same time. */
const LOOKUPS = 64

/**
 * @param mistyped as in `RowDecoder.row`
 * @throws SluiceError VALUE_REFUSED for an unreadable row, if the request has no `onRefused`; errors of the driver
 */
export async function* cassandraScan(
  link: CassandraLink,
  request: RowRequest,
  size: BatchSize,
  pageRows: number | undefined,
  signal: AbortSignal,
  mistyped: MistypedRows = new WeakSet<Row>(),
): AsyncGenerator<RowBatch> {
  const { table, range } = request
  const { ring } = table
  if (ring === undefined) throw new Error('a table of Cassandra lies on a ring')
  const judge = timeFilterOf(table, request.where)
  const where = judge === null ? request.where : null
  const decoder = await RowDecoder.of(link, request, judge === null ? [] : [judge.column.name])
  const isWanted = judge === null ? null : wantedBy(judge, decoder)
  const rowBytes = table.rows > 0n && table.bytes > 0n ? Number(table.bytes / table.rows) + 1 : null
  const pages = new PageSize(rowBytes, pageRows)
  if (range.by === 'keys') {
    const found = readByKeys(link, { ...request, where }, decoder, range.keys, signal)
    yield* grouped(picked(found, isWanted), decoder, request, size, pages, mistyped)
    return
  }
  if (range.by !== 'key' && range.by !== 'all') return
  const tokens =
    range.by === 'all' ? RING_TOKENS[ring.partitioner] : tokensOfRange(range, RING_TOKENS[ring.partitioner])
  const unread: (() => void)[] = []
  const unreadable = (partition: readonly unknown[] | bigint, thrown: unknown): void => {
    const error = unreadableError(link, request, partition, thrown)
    if (request.onRefused === undefined) throw error
    const { onRefused } = request
    unread.push(() => onRefused(decoder.shownPartition(partition), error))
  }
  const careful = request.onRefused !== undefined
  const { what, shared } = decoder
  const reader = new Pages({ link, table, ring, what, shared, where, size: pages, careful, unreadable }, signal)
  yield* grouped(picked(reader.ofTokens(tokens), isWanted), decoder, request, size, pages, mistyped)
  for (const report of unread) report()
}

function wantedBy({ column, holds }: TimeFilter, decoder: RowDecoder): (found: DriverRow) => boolean {
  const { type, as } = decoder.typeOf(column.name)
  const decode = cassandraDecoder(type, as)
  return (found) => {
    const value: unknown = found[nameInRow(column.name)]
    const cell = value == null ? null : decode(value)
    return typeof cell === 'string' && holds(cell)
  }
}

/** Keeps the rows that `isWanted` accepts; without it, all rows. */
async function* picked(
  pages: AsyncIterable<DriverPage>,
  isWanted: ((found: DriverRow) => boolean) | null,
): AsyncGenerator<DriverPage> {
  if (isWanted === null) yield* pages
  else for await (const { rows, readMs } of pages) yield { rows: rows.filter(isWanted), readMs }
}

/** Regroups pages into batches of the requested size: joins small pages, and splits pages of wide rows. */
async function* grouped(
  pages: AsyncIterable<DriverPage>,
  decoder: RowDecoder,
  { onRefused, stamps: stamped }: RowRequest,
  size: BatchSize,
  pageSize: PageSize,
  mistyped: MistypedRows,
): AsyncGenerator<RowBatch> {
  let rows: Row[] = []
  let stamps: WriteTimes[] = []
  let bytes = 0
  const batch = (): RowBatch => {
    const full = { rows, bytes, ...(stamped === true ? { stamps } : {}) }
    rows = []
    stamps = []
    bytes = 0
    return full
  }
  for await (const { rows: found, readMs } of pages) {
    let pageBytes = 0
    for (const one of found) {
      try {
        const row = decoder.row(one, mistyped)
        const rowBytes = bytesOf(row)
        if (rows.length >= size.rows || (rows.length > 0 && bytes + rowBytes > size.bytes)) yield batch()
        rows.push(row)
        if (stamped === true) stamps.push(decoder.stamp(one, readMs))
        bytes += rowBytes
        pageBytes += rowBytes
      } catch (thrown) {
        const error = asSluiceError(thrown)
        if (onRefused === undefined || error.code !== 'VALUE_REFUSED') throw thrown
        onRefused(decoder.shown(one), error)
      }
    }
    pageSize.note(found.length, pageBytes)
  }
  if (rows.length > 0) yield batch()
}

/** Reads rows by their keys, several at a time; keys without a row are left out. */
async function* readByKeys(
  link: CassandraLink,
  { table, where, columns: asked }: RowRequest,
  decoder: RowDecoder,
  keys: readonly RowKey[],
  signal: AbortSignal,
): AsyncGenerator<DriverPage> {
  const typeOf = (name: string): ColumnType =>
    asked.find((column) => column.name === name)?.as ?? decoder.typeOf(name).as
  const parts = table.key.map((name) => {
    const as = typeOf(name)
    const encode = cassandraEncoder(decoder.typeOf(name).type, as)
    return (text: string): Buffer | null => encode(cellOf(text, as.kind))
  })
  const columns = table.ring?.columns ?? 0
  const spellsEmpty = table.key.slice(columns).every((name) => typeOf(name).kind === 'text')
  const ask = async ({ cql, parameters }: CqlQuery): Promise<readonly DriverRow[]> =>
    (await link.client.execute(cql, [...parameters], { prepare: true, consistency: link.readLevel })).rows
  const rowsOf = async (key: RowKey): Promise<readonly DriverRow[]> => {
    const encoded = (from: number, to: number): Parameters | null => {
      const values = storableValues(() => parts.slice(from, to).map((part, i) => part(key[from + i] ?? '')))
      return values === null || keyLimitError(from === 0 ? 'partition' : 'clustering', values) !== null ? null : values
    }
    const partition = encoded(0, columns)
    if (partition === null) return []
    const mayShare = decoder.mayShareOnly && mayBeStaticOnlyKey(key, columns)
    // A key with NULL belongs to a partition with static values only. Older versions of sluice recorded such a key with
    // empty texts instead of NULL.
    if (!mayShare && key.includes(null)) return []
    if (!mayShare || (spellsEmpty && !key.includes(null))) {
      const rest = encoded(columns, parts.length)
      const found = rest === null ? [] : await ask(byKey(table, decoder.what, [...partition, ...rest], where))
      if (found.length > 0 || !mayShare) return found
    }
    const [first] = await ask(byKey(table, decoder.what, partition, where, true))
    return first !== undefined && decoder.isSharedOnly(first) ? [first] : []
  }
  for (let at = 0; at < keys.length; at += LOOKUPS) {
    signal.throwIfAborted()
    const readMs = wholeSecond(Date.now())
    const found = await Promise.all(keys.slice(at, at + LOOKUPS).map(rowsOf))
    const rows = found.flat()
    if (rows.length > 0) yield { rows, readMs }
  }
}

/** The encoded values; null if the cluster cannot store them, so that no row has them. */
function storableValues(encode: () => Parameters): Parameters | null {
  try {
    return encode()
  } catch (error) {
    if (error instanceof SluiceError && /^(?:VALUE|ROW)_REFUSED$/.test(error.code)) return null
    throw error
  }
}

/** The cell of a key value, from its text in a range's bound. */
function cellOf(text: string, kind: string): Cell {
  if (kind === 'bytes') return bytesOfText(text)
  return kind === 'float' ? Number(text) : text
}

function unreadableError(
  link: CassandraLink,
  { table, onRefused }: RowRequest,
  partition: readonly unknown[] | bigint,
  thrown: unknown,
): SluiceError {
  const cause = cassandraError(thrown, link.settings, 'read')
  const name = tableText(table.table)
  return new SluiceError(
    'VALUE_REFUSED',
    typeof partition === 'bigint'
      ? `a partition at ${onRefused === undefined ? 'or after ' : ''}the token ${partition} cannot be read, and its key is unknown`
      : `rows of the partition (${partition.map(driverText).join(', ')}) cannot be read`,
    {
      where: name,
      reason: cause.reason ?? cause.message,
      hint: 'too many deleted rows can cause this: compact the table, or raise the timeouts and tombstone_failure_threshold; then run sluice quarantine retry',
      kind: 'source',
      cause: thrown,
    },
  )
}

function bytesOf(row: Row): number {
  let sum = 0
  for (const cell of row) {
    if (cell === null) continue
    sum += typeof cell === 'string' ? cell.length : typeof cell === 'number' ? 8 : cell.byteLength
  }
  return sum
}
