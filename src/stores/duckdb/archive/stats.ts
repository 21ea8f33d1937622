/**
 * Statistics of a file as in a Delta log, from its rows, not from its footer. Readers skip files by them, so they must
 * be true bounds; a bound that cannot be written exactly is a little wider.
 */
import type { Extent, FileStats } from '../../../model/archive/archived-file.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { isDecimal } from './columns.ts'

/** Maximum number of characters of a text bound. */
const MOST = 32
const PER_COLUMN = 4

/** SELECT list: number of values of a column, smallest, largest, and whether it has a value that no bound covers. */
export function statsSql(columns: readonly StoredColumn[]): readonly string[] {
  return columns.flatMap(({ physical, stored }) => {
    const name = quotedName(physical)
    switch (stored) {
      case 'boolean':
      case 'binary':
        return [`count(${name})`, 'NULL', 'NULL', 'NULL']
      case 'string': {
        // One more character shows if the text continues.
        const start = `left(${name}, ${MOST + 1})`
        // The driver drops U+FEFF at the start of a text, so a '.' is put before it.
        return [`count(${name})`, `'.' || min(${start})`, `'.' || max(${start})`, 'NULL']
      }
      case 'float':
      case 'double': {
        const value = `CAST(${name} AS DOUBLE)`
        return [`count(${name})`, `min(${value})`, `max(${value})`, `bool_or(NOT isfinite(${name}))`]
      }
      default:
        return [`count(${name})`, `min(${name})`, `max(${name})`, 'NULL']
    }
  })
}

/** @param facts results of `statsSql`, as texts */
export function statsOf(columns: readonly StoredColumn[], rows: bigint, facts: readonly (string | null)[]): FileStats {
  const min: Record<string, string> = {}
  const max: Record<string, string> = {}
  const nullCount: Record<string, bigint> = {}
  for (const [i, column] of columns.entries()) {
    const { physical } = column
    const [count, low = null, high = null, unbound] = facts.slice(i * PER_COLUMN, (i + 1) * PER_COLUMN)
    nullCount[physical] = rows - BigInt(count ?? 0)
    if (unbound === 'true') continue
    const [from, to] = [low === null ? null : lower(low, column), high === null ? null : upper(high, column)]
    if (from !== null) min[physical] = from
    if (to !== null) max[physical] = to
  }
  return { numRecords: rows, min, max, nullCount }
}

const ORDERED: ReadonlySet<string> = new Set(['byte', 'short', 'integer', 'long', 'date', 'timestamp', 'timestamp_ntz'])

/** See `InspectedFile.extents`. @param facts results of `statsSql`, as texts */
export function extentsOf(
  columns: readonly StoredColumn[],
  facts: readonly (string | null)[],
): Readonly<Record<string, Extent>> {
  const extents: Record<string, Extent> = {}
  for (const [i, { physical, stored }] of columns.entries()) {
    const [least, most] = facts.slice(i * PER_COLUMN + 1)
    if (ORDERED.has(stored) && least != null && most != null) extents[physical] = { least, most }
  }
  return extents
}

/** A bound as JSON text; null if there is none. */
function lower(text: string, { stored }: StoredColumn): string | null {
  switch (stored) {
    case 'string':
      return JSON.stringify(Array.from(text.slice(1)).slice(0, MOST).join(''))
    case 'float':
    case 'double':
      // Readers may treat the two zeros as one or as two values.
      return Number(text) === 0 ? '-0.0' : floatText(text)
    case 'date':
      return JSON.stringify(text)
    case 'timestamp':
    case 'timestamp_ntz':
      return JSON.stringify(milliseconds(text, stored))
    default:
      return numberText(text, stored)
  }
}

function upper(text: string, { stored }: StoredColumn): string | null {
  switch (stored) {
    case 'string':
      return upperText(Array.from(text.slice(1)))
    case 'float':
    case 'double':
      return Number(text) === 0 ? '0.0' : floatText(text)
    case 'timestamp':
    case 'timestamp_ntz':
      return upperTimestamp(text, stored)
    default:
      return lower(text, { stored } as StoredColumn)
  }
}

/** Cuts a long text, and appends a character that sorts after the first removed one; null if there is none. */
function upperText(characters: readonly string[]): string | null {
  if (characters.length <= MOST) return JSON.stringify(characters.join(''))
  const next = characters[MOST] ?? ''
  const start = characters.slice(0, MOST).join('')
  if (next < '\u007f') return JSON.stringify(`${start}\u007f`)
  return next === '\u{10ffff}' ? null : JSON.stringify(`${start}\u{10ffff}`)
}

function floatText(text: string): string {
  return String(Number(text))
}

/** JSON text of a number. DuckDB prints some decimals as `.05`, which is invalid JSON. */
function numberText(text: string, stored: StoredColumn['stored']): string {
  if (!isDecimal(stored)) return text
  return text.replace(/^(-?)\./, '$10.')
}

/** Timestamp in milliseconds, rounded down. */
function milliseconds(text: string, stored: 'timestamp' | 'timestamp_ntz'): string {
  const [day = '', clock = ''] = text.split(' ')
  const [seconds = '', digits = ''] = clock.split('.')
  return `${day}T${seconds}.${digits.slice(0, 3).padEnd(3, '0')}${stored === 'timestamp' ? 'Z' : ''}`
}

/** Timestamp in milliseconds, rounded up; null after the end of the year 9999. */
function upperTimestamp(text: string, stored: 'timestamp' | 'timestamp_ntz'): string | null {
  const digits = text.split('.')[1] ?? ''
  if (digits.length <= 3) return JSON.stringify(milliseconds(text, stored))
  const next = new Date(Date.parse(milliseconds(text, 'timestamp')) + 1)
  if (next.getUTCFullYear() > 9999) return null
  const iso = next.toISOString()
  return JSON.stringify(stored === 'timestamp' ? iso : iso.slice(0, -1))
}
