/**
 * Writes a chunk. Written rows are not rolled back. Writing them again changes nothing, because they get the write
 * times and TTLs of the source.
 */
import { shownValue } from '../../../model/copy/bytes-text.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import type { Digest, Row, WriteTimes } from '../../../model/copy/rows.ts'
import type { BatchStep, Closing, LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ChunkRequest, ChunkWriter, DigestRequest } from '../../../model/copy/target-port.ts'
import { refuseMerging } from '../../common/merging-key.ts'
import type { CassandraLink } from '../connect.ts'
import { ONE } from '../consistency.ts'
import { askingCassandra, cassandraError } from '../errors.ts'
import { cassandraFailure } from '../failure.ts'
import { BATCH_ROWS, batchesOf } from './batches.ts'
import { KeyReader, readLevelFor, type CassandraRowKey } from './by-keys.ts'
import { closeCassandraChunk } from './closing.ts'
import { CollectionWrites } from './collection-writes.ts'
import { Counters, type CounterRow } from './counters.ts'
import { ExistingRows } from './existing.ts'
import type { RequestFlow } from './flow.ts'
import { cassandraDigestOfKeys, digestOfTokens, holdsAny, keyOfBound, type CassandraRead } from './proof.ts'
import { RowWrites, type Collections, type Encoded, type Write } from './row-writes.ts'
import type { SameTable } from './same-table.ts'
import { Sender } from './sender.ts'
import type { CassandraShape } from './shape.ts'
import { ChunkWriteTimes } from './write-times.ts'
import { CassandraStatements } from './statements.ts'
import type { WriteOptions } from './write-options.ts'

export type WriterParts = {
  readonly link: CassandraLink
  readonly flow: RequestFlow
  readonly ledger: () => Promise<LedgerDatabase>
  readonly options: WriteOptions
  /** Milliseconds since 1970: write time of rows whose own write time is unknown. */
  readonly now: number
  readonly same: SameTable
}

export class CassandraChunkWriter implements ChunkWriter {
  readonly session = ''
  readonly #parts: WriterParts
  readonly #shape: CassandraShape
  readonly #request: ChunkRequest
  readonly #statements: CassandraStatements
  readonly #rows: RowWrites
  readonly #sender: Sender
  readonly #reader: KeyReader
  readonly #existing: ExistingRows
  readonly #collecting: CollectionWrites
  readonly #counters: Counters
  /** True if the range of the source has the same rows in this table. */
  readonly #byTokens: boolean
  /** Keys of the written rows, if the source's ranges do not apply to this table. */
  readonly #writtenKeys: Map<string, CassandraRowKey> | null
  /** The partition whose static columns were last written, with their values. */
  #statics: string | null = null

  /** @throws SluiceError TABLE_REFUSED, UNSUPPORTED_TYPE */
  constructor(parts: WriterParts, shape: CassandraShape, request: ChunkRequest) {
    const { link, options, now } = parts
    const { columns, onExisting, range, signal, table } = request
    this.#parts = parts
    this.#shape = shape
    this.#request = request
    this.#statements = new CassandraStatements(shape)
    const names = columns.map(({ name }) => name)
    const micros = BigInt(Math.trunc(now)) * 1000n
    const stamping = new ChunkWriteTimes(names, options, micros)
    this.#rows = new RowWrites(shape, columns, this.#statements, stamping, onExisting === 'upsert')
    const fallBackToOne = options.fallBackToOne === true
    this.#sender = new Sender(link, { fallBackToOne, onWeak: (rows, why) => this.reportWeak(rows, why) }, signal)
    this.#reader = new KeyReader(link, shape, this.#statements, fallBackToOne, signal)
    this.#existing = new ExistingRows(link, this.#rows, this.#reader, shape, options, signal)
    this.#collecting = new CollectionWrites(this.#rows, this.#reader, shape, columns, link.release)
    this.#counters = new Counters(link, shape, this.#statements, this.#reader, signal)
    const alike = request.sortsAlike !== false && table.ring?.partitioner === link.partitioner
    this.#byTokens = range.by === 'all' || range.by === 'block' || (alike && range.by === 'key')
    this.#writtenKeys = this.#byTokens ? null : new Map()
  }

  get seesRange(): boolean {
    return this.#byTokens
  }

  /**
   * True if the target has rows in the range. False also if the source's range does not apply to this table: rows of
   * other chunks could not be distinguished from older rows. Then the table is checked before its first chunk.
   */
  async hasRows(): Promise<boolean> {
    if (!this.#byTokens) return false
    return this.#atReadLevel((place) => holdsAny(place, this.#request))
  }

  async write(rows: readonly Row[], _step?: BatchStep, stamps?: readonly WriteTimes[]): Promise<number> {
    this.#refuseMerging()
    const encoded = rows.map((row, at) => this.#rows.encode(row, stamps?.[at]))
    try {
      const count = await this.#write(encoded)
      if (this.#writtenKeys !== null) for (const row of encoded) this.#writtenKeys.set(...this.#keyOf(row))
      return count
    } catch (error) {
      // It is unknown which rows were written.
      this.#statics = null
      this.#collecting.setUncertain()
      throw cassandraError(error, this.#parts.link.settings, 'write')
    }
  }

  async digest({ scheme, only, columns = this.#request.columns }: DigestRequest): Promise<Digest> {
    if (scheme === 'echo') throw new Error('Cassandra prints no rows as they are')
    const request = { ...this.#request, columns }
    const { range } = request
    const countOnly = scheme === 'count'
    const { link, flow } = this.#parts
    if (this.#byTokens) {
      return this.#atReadLevel((place) => digestOfTokens(place, request, only ?? null, countOnly))
    }
    const given = this.#writtenKeys ?? new Map<string, CassandraRowKey>()
    const named =
      range.by === 'keys' && given.size === 0
        ? range.keys.map((bound) => keyOfBound(this.#request, this.#shape, bound))
        : given.values()
    return await askingCassandra(link, 'read', () =>
      cassandraDigestOfKeys(this.#reader, request, this.#shape, named, flow, countOnly),
    )
  }

  async commit(closing: Closing): Promise<'committed' | 'fenced'> {
    const { same, link, ledger } = this.#parts
    await askingCassandra(link, 'read', () => same.check(this.#request.table.table))
    return closeCassandraChunk(await ledger(), closing)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Written rows are not rolled back.
  }

  async #write(rows: readonly Encoded[]): Promise<number> {
    if (this.#shape.counters) return this.#count(rows)
    if (this.#request.onExisting === 'append') return this.#append(rows)
    return this.#put(rows)
  }

  /**
   * Writes all rows, and overwrites existing ones. @returns number of rows that had not expired when they were written
   */
  async #put(rows: readonly Encoded[]): Promise<number> {
    const { flow, options } = this.#parts
    const { signal } = this.#request
    const collections = await this.#collecting.of(rows, flow, signal, this.#byTokens, () => this.hasRows())
    const of = (row: Encoded, statics: boolean): readonly Write[] =>
      this.#rows.writes(row, statics, collections?.get(row) ?? NOTHING)
    const items = rows.map((row) => {
      const isNew = this.#isNewPartition(row)
      return { row, writes: of(row, isNew), partition: (): string => this.#rows.partitionText(row) }
    })
    const sendings = batchesOf(items, options.batchRows ?? BATCH_ROWS)
    await flow.each(sendings, signal, (sending) => this.#sender.send(sending, (row) => of(row, true)))
    const now = Math.floor(Date.now() / 1000)
    return items.filter(({ row, writes }) => !isExpired(row, writes, now)).length
  }

  async #append(rows: readonly Encoded[]): Promise<number> {
    const { flow } = this.#parts
    const { signal } = this.#request
    let written = 0
    const rest: Encoded[] = []
    await flow.each(rows, signal, async (row) => {
      const outcome = await this.#existing.add(row)
      if (outcome === 'written') written++
      else if (outcome === 'absent') rest.push(row)
    })
    for (const row of rest) await this.#existing.keepStatics(row)
    return written + (await this.#put(rest.map((row) => this.#existing.withoutKept(row))))
  }

  async #count(rows: readonly Encoded[]): Promise<number> {
    const { columns, onExisting, signal } = this.#request
    const counted = rows.map((row) => {
      const [, key] = this.#keyOf(row)
      const shared = { values: this.#rows.key({ ...row, staticOnly: true }), staticOnly: true }
      const all = this.#counters.rowsOf(columns, row.row, key, shared)
      return this.#isNewPartition(row) ? all : all.filter((one) => !one.key.staticOnly)
    })
    let written = 0
    await this.#parts.flow.each(counted, signal, async (some: readonly CounterRow[]) => {
      if (onExisting === 'append') {
        for (const one of some) if (await this.#counters.holds(one)) return
      }
      for (const one of some) await this.#counters.setToSource(one)
      written++
    })
    return written
  }

  /**
   * True if static values have to be written with this row. Every row of a partition has them, so consecutive rows
   * write them only once.
   */
  #isNewPartition(row: Encoded): boolean {
    if (!this.#rows.hasStatics) return false
    const text = `${this.#rows.partitionText(row)}\0${this.#rows.staticsText(row)}`
    if (text === this.#statics) return false
    this.#statics = text
    return true
  }

  #keyOf(row: Encoded): readonly [string, CassandraRowKey] {
    const values = this.#rows.key(row)
    const text = values.map((value) => `${value?.length ?? 'N'}:${value?.toString('latin1') ?? ''}`).join('')
    return [text, { values, staticOnly: row.staticOnly }]
  }

  #refuseMerging(): void {
    const { range, table } = this.#request
    const byKey = range.by === 'key' || range.by === 'keys' || range.by === 'nullKey'
    refuseMerging(table, [...this.#shape.partition, ...this.#shape.clustering], byKey ? table.key : [])
  }

  reportWeak(rows: readonly Encoded[], why: string): void {
    const { onWeakWrite } = this.#parts.options
    if (onWeakWrite === undefined) return
    const { columns, table } = this.#request
    for (const row of rows) {
      const names = this.#rows.keyNames(row)
      const key = names.map((name) => row.row[columns.findIndex((column) => column.name === name)] ?? '')
      const texts = key.map((cell) => shownValue(cell))
      onWeakWrite(tableText(table.table), texts, why)
    }
  }

  /** Reads at the level of the writes, or at ONE if the writes may fall back to it. */
  async #atReadLevel<T>(read: (place: CassandraRead) => Promise<T>): Promise<T> {
    const { link, options } = this.#parts
    const at = (level: number): Promise<T> => read({ link, level, shape: this.#shape })
    try {
      return await at(readLevelFor(link.writeLevel))
    } catch (error) {
      const { kind } = cassandraFailure(error)
      const isShort = kind === 'unavailable' || kind === 'read-timeout'
      if (isShort && options.fallBackToOne === true) return at(ONE)
      throw cassandraError(error, link.settings, 'read')
    }
  }
}

const NOTHING: Collections = new Map()

/** True if a row has expired. It expires with its first write, which has the longest TTL. */
function isExpired({ staticOnly }: Encoded, writes: readonly Write[], now: number): boolean {
  const some = staticOnly ? writes : writes.slice(0, 1)
  return some.length > 0 && some.every(({ lifetimes }) => lifetimes !== undefined && lifetimes.until <= now)
}
