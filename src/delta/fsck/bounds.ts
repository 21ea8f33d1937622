/**
 * Compares values of a file with the statistics of the log. A value is out of bounds if a condition on it would skip
 * the file. The code that skips files decides this, so times cut to milliseconds and NaN are tolerated. Two cases are
 * reported only because other readers skip the file: a text above its max, and a decimal beyond a bound that was
 * rounded to a double.
 */
import { parseTimestamp } from '../../model/lake/instant.ts'
import type { LiteralValue } from '../../model/lake/predicate.ts'
import { columnChecks } from '../values/checks.ts'
import { typeText, type LeafColumn } from '../schema.ts'
import { jsonStringText, statsReader } from '../stats.ts'
import { compareCodePoints } from '../values/domains.ts'
import { isStatsPiece } from '../values/typed.ts'

/** A statistic of the log that does not match the file. `found`: what the file has. */
export type WrongStatistic = {
  readonly column: string
  readonly log: string
  readonly found: string
  readonly detail: string
}

/** Facts about a column of one file. */
export type ColumnFacts = {
  /** Number of nulls. Null if it is unknown, or does not count the nulls of this column. */
  readonly nulls: number | null
  /** Values of rows that the statistics cover. */
  readonly values: readonly string[]
}

/** Statistics of one file, as JSON texts. */
export type StatsOfFile = {
  readonly numRecords: string | undefined
  readonly tightBounds: boolean
  /** Columns for which the log has a bound or a null count. */
  readonly columns: readonly {
    readonly column: LeafColumn
    readonly min: string | undefined
    readonly max: string | undefined
    readonly nulls: string | undefined
  }[]
}

/** A reader of statistics for the columns of one schema; it returns null for a text that is not statistics. */
export function statsOfFiles(columns: readonly LeafColumn[]): (stats: string) => StatsOfFile | null {
  const reader = statsReader(columns.map(({ physicalPath }) => physicalPath))
  return (stats) => {
    const pieces = reader.read(stats)
    if (pieces === null) return null
    const stated = columns.flatMap((column, i) => {
      const [min, max, nulls] = [pieces.min[i], pieces.max[i], pieces.nulls[i]]
      return min === undefined && max === undefined && nulls === undefined ? [] : [{ column, min, max, nulls }]
    })
    return { numRecords: pieces.numRecords, tightBounds: pieces.tightBounds, columns: stated }
  }
}

const COUNT = /^\d+$/

/**
 * Bounds and counts that are not JSON values of the column's type: readers that parse them fail, or ignore them.
 * @returns `log` is the text in the log, cut to 80 characters
 */
export function mistypedStatistics({
  column,
  min,
  max,
  nulls,
}: StatsOfFile['columns'][number]): readonly WrongStatistic[] {
  const name = column.physicalPath.join('.')
  const wrong: WrongStatistic[] = []
  const type = typeText(column.field.type)
  for (const [what, piece] of [
    ['minValues', min],
    ['maxValues', max],
  ] as const) {
    if (piece === undefined || isStatsPiece(piece, column.field.type)) continue
    const detail = `${what} of ${name} is ${shown(piece)}, which is not of type ${type}`
    wrong.push({ column: name, log: shown(piece), found: type, detail })
  }
  if (nulls !== undefined && !COUNT.test(nulls)) {
    const detail = `nullCount of ${name} is ${shown(nulls)}, which is not a count`
    wrong.push({ column: name, log: shown(nulls), found: 'count', detail })
  }
  return wrong
}

/** True if bounds of the column's type can be compared. */
export function hasBounds({ field }: LeafColumn): boolean {
  return typeof columnChecks(field) !== 'string'
}

/** Rows of a file, rows that no deletion vector hides, and whether null counts are exact. */
export type FileRowCounts = { readonly rows: number; readonly visible: number; readonly isTight: boolean }

/** Differences between the statistics of a column and the values of the file. */
export function wrongStatistics(
  { column, min, max, nulls }: StatsOfFile['columns'][number],
  facts: ColumnFacts,
  counts: FileRowCounts,
): readonly WrongStatistic[] {
  const name = column.physicalPath.join('.')
  const found: WrongStatistic[] = []
  const expected = nulls === undefined ? null : expectedNulls(Number(nulls), counts)
  if (expected !== null && facts.nulls !== null && expected !== facts.nulls) {
    const detail = `${facts.nulls} values of ${name} are null, and the log counts ${nulls}`
    found.push({ column: name, log: `nullCount ${nulls}`, found: `${facts.nulls}`, detail })
  }
  if (min === undefined && max === undefined) return found
  const outside = facts.values.find((value) => !mayHold(column, value, min, max))
  if (outside !== undefined) {
    const log = `${min ?? 'unbounded'} to ${max ?? 'unbounded'}`
    const order = isPlainText(column) ? ', by UTF-8 bytes' : ''
    const detail = `${name} holds ${shown(outside)}, outside of ${shown(log)}${order}`
    found.push({ column: name, log: shown(log), found: shown(outside), detail })
  }
  return found
}

/**
 * Expected number of nulls; null if unknown. Without tight bounds, a null count only shows whether the file has no
 * null, some nulls or only nulls (PROTOCOL.md, "Per-file Statistics"). In the second case the number is unknown.
 */
function expectedNulls(nulls: number, { rows, visible, isTight }: FileRowCounts): number | null {
  if (isTight || nulls === 0) return nulls
  return nulls >= rows ? visible : null
}

const SHOWN = 80

function shown(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}

/** True if `column = value` would read the file, or if this cannot be decided. */
function mayHold(column: LeafColumn, value: string, min: string | undefined, max: string | undefined): boolean {
  const checks = columnChecks(column.field, 'exact')
  if (typeof checks === 'string') return true
  if (isPlainText(column) && max !== undefined && !isBelow(value, max)) return false
  const literal = literalOf(column, value)
  return literal === null || (checks.compare('=', literal)?.stats(min, max) ?? true)
}

function isPlainText({ field }: LeafColumn): boolean {
  return field.type.kind === 'primitive' && field.type.name === 'string' && !('__COLLATIONS' in field.metadata)
}

const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * True if a text is at most its max in the order of code points, which is the order of UTF-8 bytes. A writer that
 * truncates a max must round it up: a prefix of the value is less than the value, and other readers skip the file.
 * Sluice does not skip it.
 */
function isBelow(value: string, max: string): boolean {
  const text = jsonStringText(max)
  // A lone surrogate in a bound was a whole character before it was written as JSON, so the order is unknown.
  return text === null || LONE_SURROGATE.test(text) || compareCodePoints(value, text) <= 0
}

function literalOf(column: LeafColumn, value: string): LiteralValue | null {
  const { type } = column.field
  const name = type.kind === 'primitive' ? type.name : type.kind
  switch (name) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
    case 'decimal':
    case 'float':
    case 'double':
      return { kind: 'number', text: value }
    case 'timestamp':
    case 'timestamp_ntz': {
      const instant = parseTimestamp(value)
      // Cut digits below the microsecond, as the statistics do.
      return instant === null ? null : { kind: 'string', text: microsText(instant.micros, name === 'timestamp') }
    }
    default:
      return { kind: 'string', text: value }
  }
}

function microsText(micros: bigint, isInstant: boolean): string {
  const ms = micros / 1000n - (micros % 1000n < 0n ? 1n : 0n)
  const rest = (micros - ms * 1000n).toString().padStart(3, '0')
  return `${new Date(Number(ms)).toISOString().slice(0, -1)}${rest}${isInstant ? 'Z' : ''}`
}
