/**
 * Key ranges per period, for keys whose first column is a time: their copy order, their uncovered parts, and the period
 * of a range. A bound between two periods consists of the time alone, so rows with equal times are in one period.
 */
import type { PeriodMark, PeriodOptions, TimeRange } from '../../../model/copy/period-marks.ts'
import type { KeyBound, Range } from '../../../model/copy/range.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { boundText, type KeyRange, type AdjacentChunks } from './covered.ts'

/** @property at index among all periods of the table, by time */
export type PeriodRange = { readonly at: number; readonly mark: PeriodMark; readonly range: KeyRange }

const OUTSIDE: PeriodMark = { after: '', partition: null, label: null }

/** All periods of a table, by time, without gaps: the first has no lower bound, and the last no upper bound. */
export function periodParts({ marks }: Pick<PeriodOptions, 'marks'>): readonly PeriodRange[] {
  const bounds = marks.map(({ after }): KeyBound => [after])
  return [OUTSIDE, ...marks].map((mark, at) => ({
    at,
    mark,
    range: { by: 'key', after: bounds[at - 1] ?? null, through: bounds[at] ?? null },
  }))
}

/** Periods in copy order. */
export function byPriority(options: PeriodOptions): readonly PeriodRange[] {
  const parts = periodParts(options)
  const first = parts.findIndex(({ mark }) => mark.partition === options.first)
  const rank = ({ at, mark }: PeriodRange): readonly [number, number] => {
    if (mark.partition === null) return [3, at]
    if (mark.partition === options.first) return [0, at]
    return at < first ? [1, -periodAt(parts, mark.partition)] : [2, at]
  }
  return parts.toSorted((a, b) => {
    const [x, y] = [rank(a), rank(b)]
    return x[0] - y[0] || x[1] - y[1] || a.at - b.at
  })
}

/** Index of the first slice of a partition. */
function periodAt(parts: readonly PeriodRange[], partition: string): number {
  return parts.findIndex(({ mark }) => mark.partition === partition)
}

/**
 * Uncovered key ranges, in the order of `byPriority`. Within a period, chunks are created in key order, so the covered
 * range is the beginning of the period.
 * @param stretches merged ranges of `ChunkCoverage`
 * @throws SluiceError LEDGER_DAMAGED if chunks begin where no period begins: chunks are missing, or the partitions have
 * changed
 */
export function gapsOfPeriods(options: PeriodOptions, stretches: readonly AdjacentChunks[]): readonly KeyRange[] {
  const parts = periodParts(options)
  const starts = new Map(stretches.map((one) => [boundText(one.after), one]))
  const gaps = new Map<number, KeyRange>()
  let used = 0
  for (let at = 0; at < parts.length;) {
    const part = parts[at]
    if (part === undefined) break
    const stretch = starts.get(boundText(part.range.after))
    if (stretch === undefined) {
      gaps.set(at, part.range)
      at++
      continue
    }
    used++
    if (stretch.through === null) {
      at = parts.length
      continue
    }
    const end = parts.findIndex(({ range }) => boundText(range.after) === boundText(stretch.through))
    if (end > at) {
      at = end
      continue
    }
    const within = partOf(parts, stretch.through)
    gaps.set(within.at, { by: 'key', after: stretch.through, through: within.range.through })
    at = within.at + 1
  }
  if (used < starts.size) throw damaged()
  return byPriority(options).flatMap((part) => gaps.get(part.at) ?? [])
}

/**
 * Periods that a chunk's range overlaps, by time. There are several if the chunk was created for other slices, or
 * before partitions were added at the end.
 */
export function partsOfRange(parts: readonly PeriodRange[], range: Range): readonly PeriodRange[] {
  if (range.by !== 'key') return []
  const { after, through } = range
  const same = parts.find((part) => boundText(part.range.after) === boundText(after))
  const first = same ?? (after === null ? parts[0] : partOf(parts, after))
  const last = through === null ? parts.at(-1) : partOf(parts, through)
  if (first === undefined || last === undefined) return []
  return parts.slice(first.at, Math.max(first.at, last.at) + 1)
}

/** Partitions that a chunk's range overlaps, each once. */
export function partitionsOfRange(parts: readonly PeriodRange[], range: Range): readonly string[] {
  return [...new Set(partsOfRange(parts, range).flatMap(({ mark }) => mark.partition ?? []))]
}

/** The period that a row key belongs to. */
function partOf(parts: readonly PeriodRange[], [time = '']: KeyBound): PeriodRange {
  const [first] = parts
  if (first === undefined) throw new Error('a table has at least one part')
  return parts.findLast(({ at, mark }) => at > 0 && comparePeriodTimes(time, mark.after) > 0) ?? first
}

/**
 * True if a key range may contain a row of the time span to which a run is limited. Only for a table that is copied by
 * periods, whose key begins with the time.
 */
export function mayContain(range: Range, { after, through }: TimeRange): boolean {
  if (range.by !== 'key') return false
  const [low, ...more] = range.after ?? []
  const high = range.through?.[0]
  // A lower bound that consists of a time alone excludes all rows with this time.
  const order = low === undefined || through === null ? -1 : comparePeriodTimes(low, through)
  const begins = order < 0 || (order === 0 && more.length > 0)
  return begins && (high === undefined || comparePeriodTimes(high, after) > 0)
}

/** Compares two values of a column in PostgreSQL's ISO style, UTC: dates, times, or whole numbers since the epoch. */
export function comparePeriodTimes(a: string, b: string): number {
  if (WHOLE.test(a) && WHOLE.test(b)) return Number(BigInt(a) - BigInt(b) > 0n) - Number(BigInt(a) - BigInt(b) < 0n)
  const [x, y] = [sortable(a), sortable(b)]
  return x < y ? -1 : x > y ? 1 : 0
}

const WHOLE = /^-?\d+$/

/** A text that sorts like the time, for years AD. All earlier times get the same text, which sorts before these. */
function sortable(text: string): string {
  if (text === 'infinity') return '~'
  if (text === '-infinity' || text.endsWith(' BC')) return '!'
  const year = text.indexOf('-')
  return `${text.slice(0, year).padStart(7, '0')}${text.slice(year)}`
}

function damaged(): SluiceError {
  return new SluiceError('LEDGER_DAMAGED', 'the chunks in the ledger do not match the periods of the table', {
    reason: 'chunks are missing, or the partitions of the new table have changed since its copy began',
    hint: 'run the same command with --restart; existing rows of the new table are removed first',
  })
}
