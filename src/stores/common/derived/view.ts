/** View of a source whose rows get derived columns, and may become several rows. */
import { conversionOf } from '../../../model/copy/codec.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import { keyPart, rowKeyOf, type RowKey } from '../../../model/copy/row-key.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Digest, Row, WriteTimes } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { forwarded, presentMembers } from '../optional-members.ts'
import type { BatchSize, Extent, RowBatch, RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import { rowPlan } from './rows.ts'
import type { Derivation } from './derivation.ts'

const BATCH: BatchSize = { rows: 5000, bytes: 8 * 1024 * 1024 }

/**
 * The wrapped view, without optional members that the source's view lacks or that derived rows do not allow.
 * @param bases source tables, by name
 * @param spelled true if the source treats different spellings of a number as different values
 */
export function derivedSource(
  view: SourceView,
  options: Derivation,
  bases: ReadonlyMap<string, TableSpec>,
  spelled: boolean,
): SourceView {
  const derived = new DerivedView(view, options, bases, spelled)
  return Object.assign(
    derived,
    presentMembers<SourceView>({
      // An importer of the snapshot would see the tables without derived columns.
      exported: null,
      isValid: forwarded(view, 'isValid'),
      counts: derived.countsBelow(),
      clockApartMs: forwarded(view, 'clockApartMs'),
      // The source's server prints only its own columns.
      frames: null,
      csv: null,
    }),
  )
}

/** View whose ranges are ranges of the source table, so their bounds do not contain the derived columns. */
class DerivedView implements SourceView {
  readonly #view: SourceView
  readonly request: Derivation
  readonly #bases: ReadonlyMap<string, TableSpec>
  readonly #spelled: boolean

  constructor(view: SourceView, options: Derivation, bases: ReadonlyMap<string, TableSpec>, spelled: boolean) {
    this.#view = view
    this.request = options
    this.#bases = bases
    this.#spelled = spelled
  }

  get point(): SourceView['point'] {
    return this.#view.point
  }

  /** Counts rows of the source table, not the entries that they are split into. */
  extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent> {
    return this.#view.extent(this.#base(table), where, exact)
  }

  cut(table: TableSpec, within: Range, where: string | null, rows: number, signal: AbortSignal): AsyncIterable<Range> {
    return this.#view.cut(this.#base(table), within, where, rows, signal)
  }

  last(table: TableSpec, range: Range, where: string | null, signal: AbortSignal): Promise<readonly string[] | null> {
    return this.#view.last(this.#base(table), range, where, signal)
  }

  async *read(request: RowRequest, size: BatchSize, signal: AbortSignal): AsyncGenerator<RowBatch> {
    const base = this.#base(request.table)
    const plan = rowPlan(request.columns, base, this.request, this.#spelled, request.table.key)
    const { onRefused } = request
    const below: RowRequest = {
      ...request,
      table: base,
      columns: plan.columns,
      range: this.#rangeBelow(request, base),
      ...(onRefused === undefined ? {} : { onRefused: (row, error) => onRefused(plan.textsOf(row), error) }),
    }
    const isWanted = this.#filter(request)
    const refused = (row: Row, error: SluiceError): void => {
      if (onRefused === undefined) throw error
      if (isWanted(row)) onRefused(textsOf(row), error)
    }
    for await (const batch of this.#view.read(below, size, signal)) {
      const rows: Row[] = []
      const stamps: WriteTimes[] = []
      for (const [at, row] of batch.rows.entries()) {
        let made: readonly Row[]
        try {
          made = plan.rowsOf(row, refused).filter(isWanted)
        } catch (error) {
          if (onRefused === undefined || !(error instanceof SluiceError) || error.code !== 'VALUE_REFUSED') throw error
          onRefused(plan.textsOf(textsOf(row)), error)
          continue
        }
        const stamp = batch.stamps?.[at]
        for (const one of made) {
          rows.push(one)
          if (stamp !== undefined) stamps.push(plan.stampOf(stamp))
        }
      }
      yield* parted(rows, stamps, batch, size)
    }
  }

  async digest(request: RowRequest, signal: AbortSignal): Promise<Digest> {
    const sum = new RowChecksum()
    for await (const { rows } of this.read(request, BATCH, signal)) for (const row of rows) sum.add(row)
    return sum.digest()
  }

  /** Null if rows are split into entries: their number is known only after reading the maps. */
  countsBelow(): NonNullable<SourceView['counts']> | null {
    const { explodeMap } = this.request
    const below = this.#view
    if (explodeMap !== undefined || below.counts === undefined) return null
    return async ({ table, ranges, where }, signal) => {
      const base = this.#base(table)
      const request = { table: base, ranges, where }
      return (await below.counts?.(request, signal)) ?? []
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#view[Symbol.asyncDispose]()
  }

  /**
   * The source table. Its key is the copy's row key without derived columns. A table with a token ring keeps its own
   * key, because tokens are hashes of that key.
   */
  #base(table: TableSpec): TableSpec {
    const base = this.#bases.get(tableText(table.table))
    if (base === undefined) return table
    return base.ring === undefined ? { ...base, key: keyBelow(table) } : base
  }

  #rangeBelow({ range, table, columns }: RowRequest, base: TableSpec): Range {
    if (range.by !== 'keys') return range
    const positions = base.key.map((name) => table.key.indexOf(name))
    const back = base.key.map((name) => {
      const found = columns.find((column) => column.name === name)
      return found?.codec === undefined ? null : conversionOf(found.codec, found.as, false).back
    })
    const keys = range.keys.map((key): RowKey =>
      positions.map((at, part) => {
        const text = key[at] ?? null
        return text === null ? null : (back[part]?.(text) ?? text)
      }),
    )
    return { by: 'keys', keys: [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()] }
  }

  /** For rows requested by key: keeps only the requested entries of a map. */
  #filter({ range, table, columns }: RowRequest): (row: Row) => boolean {
    const entry = table.columns.find(({ made }) => made === 'key')
    if (range.by !== 'keys' || entry === undefined || !table.key.includes(entry.name)) return () => true
    const keys = new Set(range.keys.map((key) => JSON.stringify(key)))
    const positions = table.key.map((name) => columns.findIndex((column: ReadColumn) => column.name === name))
    if (positions.includes(-1)) return () => true
    // A recorded row of an unreadable map requests all entries: it has no entry key (in older versions: an empty text).
    const part = table.key.indexOf(entry.name)
    return (row) => {
      const texts = rowKeyOf(row, positions)
      return [texts[part] ?? null, null, ''].some((one) => keys.has(JSON.stringify(texts.with(part, one))))
    }
  }
}

function keyBelow(table: TableSpec): readonly string[] {
  const made = new Set(table.columns.filter((column) => column.made !== undefined).map(({ name }) => name))
  return table.key.filter((name) => !made.has(name))
}

function textsOf(row: Row): readonly (string | null)[] {
  return row.map(keyPart)
}

/** Splits into batches of at most the requested rows. Without rows, one empty batch reports the rows and bytes read. */
function* parted(
  rows: readonly Row[],
  stamps: readonly WriteTimes[],
  { rows: read, bytes }: RowBatch,
  { rows: most }: BatchSize,
): Generator<RowBatch> {
  const pieces = Math.max(1, Math.ceil(rows.length / most))
  for (let piece = 0; piece < pieces; piece++) {
    const from = piece * most
    yield {
      rows: pieces === 1 ? rows : rows.slice(from, from + most),
      bytes: bytes / pieces,
      sourceRows: piece === 0 ? read.length : 0,
      ...(stamps.length === 0 ? {} : { stamps: pieces === 1 ? stamps : stamps.slice(from, from + most) }),
    }
  }
}
