/**
 * Keys that are stored in another spelling than the canonical one. SQLite does not check dates, times and UUIDs:
 * `2024-01-01T10:00` and `2024-01-01 10:00:00` are one time, but only the stored text finds the row by its key.
 */
import { normalizer } from '../../../model/copy/canonical.ts'
import { tableText, type Column, type ColumnType, type TableSpec } from '../../../model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import { keyPart, rowKeyOf, type RowKey } from '../../../model/copy/row-key.ts'
import type { CountRequest, SourceView } from '../../../model/copy/source-port.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { keyListParts } from '../key-parts.ts'
import { keyColumns } from '../key-ranges.ts'
import { quote } from './ddl.ts'

/** Maximum number of keys kept in memory: about 400 MB. */
const MOST_KEYS = 3_000_000
/** Comparisons per statement: D1 allows 100 parameters. */
const MOST_TERMS = 80
const BATCH = { rows: 5000, bytes: 8 * 1024 * 1024 }
const TEXT: ColumnType = { kind: 'text' }

/** Conditions for values that may have another spelling, by kind of type. D1 refuses patterns above 50 characters. */
const MAY_DIFFER: Partial<Record<ColumnType['kind'], (name: string) => string>> = {
  decimal: (name) => `typeof(${name}) = 'text'`,
  uuid: (name) => `length(${name}) <> 36 OR ${name} GLOB '*[^0-9a-f-]*' OR ${unlessAt(name, [9, 14, 19, 24], '----')}`,
  date: (name) => `length(${name}) <> 10 OR ${unlessAt(name, [5, 8], '--')}`,
  time: (name) => `${unlessAt(name, [3, 6], '::')} OR ${unlessFraction(name, 9)}`,
  timestamp: (name) => `${unlessAt(name, [5, 8, 11, 14, 17], '-- ::')} OR ${unlessFraction(name, 20)}`,
}

/** SQL that is true if a text does not have these characters at these positions, counted from 1. */
function unlessAt(name: string, places: readonly number[], characters: string): string {
  return `${places.map((at) => `substr(${name}, ${at}, 1)`).join(' || ')} <> '${characters}'`
}

/** SQL that is true unless the text from this position on is empty, or a fraction without trailing zeros. */
function unlessFraction(name: string, from: number): string {
  return `substr(${name}, ${from}) GLOB '*[^0-9.]*' OR substr(${name}, ${from}) GLOB '.*0' OR ${name} GLOB '*.'`
}

/** See `Spellings.condition` of `model/copy/source-port.ts`. */
export function otherSpelling({ name, type }: Column): string | null {
  return MAY_DIFFER[type.kind]?.(quote(name)) ?? null
}

type Reader = Pick<SourceView, 'read'> & {
  counts(request: CountRequest, signal: AbortSignal): Promise<readonly bigint[]>
}

/** Stored keys of one view that have another spelling than the canonical one. */
export class Spellings {
  readonly #reader: Reader
  readonly #tables = new Map<string, Promise<Stored>>()

  constructor(reader: Reader) {
    this.#reader = reader
  }

  /**
   * Returns the range. A list of keys is extended by the other stored spellings of these keys. If a key column has a
   * type with several spellings, and not all keys are found as given, all keys of the table are read, once per view.
   * @throws SluiceError UNSUPPORTED_KEY if more than `MOST_KEYS` keys have another spelling
   */
  async found(table: TableSpec, range: Range, signal: AbortSignal): Promise<Range> {
    const others = await this.others(table, range, signal)
    return range.by === 'keys' && others.length > 0 ? { by: 'keys', keys: [...range.keys, ...others] } : range
  }

  /** Stored spellings that `found` adds. @throws SluiceError as `found` */
  async others(table: TableSpec, range: Range, signal: AbortSignal): Promise<readonly RowKey[]> {
    if (range.by !== 'keys' || !keyColumns(table).some(isSpelled)) return []
    const name = JSON.stringify([table.table, table.key])
    if (!this.#tables.has(name) && (await this.#finds(table, range, signal))) return []
    const stored = this.#tables.get(name) ?? storedKeys(table, this.#reader, signal)
    this.#tables.set(name, stored)
    const known = await stored
    const canonical = canonicalOf(table)
    const requested = new Set(range.keys.map((key) => JSON.stringify(key)))
    const values = new Set(range.keys.map((key) => JSON.stringify(canonical(key))))
    const others = [...values].flatMap((value) => known.get(value) ?? [])
    return others.filter((key) => !requested.has(JSON.stringify(key)))
  }

  async #finds(table: TableSpec, range: Range & { readonly by: 'keys' }, signal: AbortSignal): Promise<boolean> {
    const different = new Set(range.keys.map((key) => JSON.stringify(key)))
    const ranges = keyListParts(range, table.key.length, MOST_TERMS)
    const rows = await this.#reader.counts({ table, ranges, where: null }, signal)
    return rows.reduce((sum, some) => sum + some, 0n) >= BigInt(different.size)
  }
}

/** Keys as stored, by their canonical form. */
type Stored = ReadonlyMap<string, readonly RowKey[]>

async function storedKeys(table: TableSpec, reader: Reader, signal: AbortSignal): Promise<Stored> {
  const columns = keyColumns(table).map((column) => {
    const type = isSpelled(column) ? TEXT : column.type
    return { name: column.name, as: type, column: { ...column, type } }
  })
  const where = keyColumns(table)
    .flatMap((column) => otherSpelling(column) ?? [])
    .map((condition) => `(${condition})`)
    .join(' OR ')
  const places = columns.map((_, at) => at)
  const canonical = canonicalOf(table)
  const stored = new Map<string, RowKey[]>()
  const request = { table, columns, range: EVERY_KEY, where, ordered: false, onRefused: () => undefined }
  for await (const { rows } of reader.read(request, BATCH, signal)) {
    for (const row of rows) {
      const key = rowKeyOf(row, places)
      const text = JSON.stringify(canonical(key))
      if (text === JSON.stringify(key)) continue
      stored.set(text, [...(stored.get(text) ?? []), key])
    }
    if (stored.size > MOST_KEYS) throw tooMany(table)
  }
  return stored
}

function isSpelled(column: Column): boolean {
  return otherSpelling(column) !== null
}

/** Converter of keys; a part that is not a value of its column's type is returned unchanged. */
function canonicalOf(table: TableSpec): (key: RowKey) => RowKey {
  const normalizers = keyColumns(table).map(({ type }) => normalizer(type))
  return (key) =>
    key.map((text, at) => {
      if (text === null) return null
      try {
        return keyPart(normalizers[at]?.(text) ?? text)
      } catch (thrown) {
        if (asSluiceError(thrown).code !== 'VALUE_REFUSED') throw thrown
        return text
      }
    })
}

function tooMany(table: TableSpec): SluiceError {
  return new SluiceError(
    'UNSUPPORTED_KEY',
    `more than ${MOST_KEYS} keys of ${tableText(table.table)} are not written in the usual form`,
    {
      where: tableText(table.table),
      reason: 'a row with such a key is found only by its stored text',
      hint: 'store times as 2024-01-31 10:00:00 and UUIDs in lower case, or name other unique columns with --key',
    },
  )
}
