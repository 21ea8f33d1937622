/** Rows of `delta_file_ranges` and `delta_range_zones` for a window of files. */
import type { StatsPieces } from '../../delta/stats.ts'
import type { SqlTransaction, SqlValue } from '../../model/run/sql-port.ts'
import { boundKeys } from './classes.ts'
import { ZONE_FILES, type RangeColumn } from './columns.ts'

export const RANGE_COLUMNS = [
  'table_id',
  'column_no',
  'zone_no',
  'file_no',
  'min_key',
  'max_key',
  'has_nulls',
  'has_values',
]
export const ZONE_COLUMNS = ['table_id', 'column_no', 'zone_no', 'min_key', 'max_key', 'has_nulls', 'has_values']
const LOAD_ROWS = 10_000

/** Bounds of a zone, from its files that may have values: a file with only nulls must not widen them. */
type Zone = {
  readonly columnNo: number
  readonly zoneNo: number
  low: Buffer | null
  high: Buffer | null
  hasNulls: number
  hasValues: number
}

export class RangeRows {
  /** Number of files added. */
  files = 0
  readonly #tableId: string
  readonly #columns: readonly RangeColumn[]
  readonly #rows: SqlValue[][] = []
  readonly #zones = new Map<string, Zone>()

  constructor(tableId: string, columns: readonly RangeColumn[]) {
    this.#tableId = tableId
    this.#columns = columns
  }

  /** @param stats null if missing or unreadable: the file may then contain any values */
  add(fileNo: number, stats: StatsPieces | null): void {
    this.files++
    const zoneNo = Math.floor(fileNo / ZONE_FILES)
    for (const [slot, { columnNo, kind }] of this.#columns.entries()) {
      const min = stats?.min[slot]
      const max = stats?.max[slot]
      // If min and max are missing, the values are unknown, also for a boolean.
      const { low, high } =
        min === undefined && max === undefined ? { low: null, high: null } : boundKeys(kind, min, max)
      const nulls = stats?.nulls[slot]
      // Counts of nulls are trusted under the same condition as in src/delta/pruning.ts.
      const hasNulls = stats?.tightBounds === true && nulls === '0' ? 0 : 1
      const hasValues = stats?.tightBounds === true && nulls !== undefined && nulls === stats.numRecords ? 0 : 1
      this.#rows.push([this.#tableId, columnNo, zoneNo, fileNo, low, high, hasNulls, hasValues])
      this.#widen(columnNo, zoneNo, { low, high, hasNulls, hasValues })
    }
  }

  async load(transaction: SqlTransaction): Promise<void> {
    for (let start = 0; start < this.#rows.length; start += LOAD_ROWS) {
      await transaction.load('delta_file_ranges', RANGE_COLUMNS, this.#rows.slice(start, start + LOAD_ROWS))
    }
    const zones = [...this.#zones.values()].map((zone): SqlValue[] => [
      this.#tableId,
      zone.columnNo,
      zone.zoneNo,
      zone.low,
      zone.high,
      zone.hasNulls,
      zone.hasValues,
    ])
    await transaction.load('delta_range_zones', ZONE_COLUMNS, zones)
  }

  #widen(columnNo: number, zoneNo: number, by: Omit<Zone, 'columnNo' | 'zoneNo'>): void {
    const key = `${columnNo} ${zoneNo}`
    const zone = this.#zones.get(key)
    if (zone === undefined) {
      this.#zones.set(key, { columnNo, zoneNo, ...by })
      return
    }
    zone.hasNulls = Math.max(zone.hasNulls, by.hasNulls)
    if (by.hasValues === 0) return
    zone.low = zone.hasValues === 0 ? by.low : outer(zone.low, by.low, -1)
    zone.high = zone.hasValues === 0 ? by.high : outer(zone.high, by.high, 1)
    zone.hasValues = 1
  }
}

function outer(a: Buffer | null, b: Buffer | null, sign: 1 | -1): Buffer | null {
  if (a === null || b === null) return null
  return Buffer.compare(a, b) * sign >= 0 ? a : b
}
