/**
 * Time periods as CQL conditions, and their evaluation by the reader. Most releases cannot find rows by the value of a
 * plain column. Other releases return overwritten values if a replica missed the update. So the reader filters the rows
 * of a period.
 */
import { cutFraction } from '../../../model/copy/canonical-time.ts'
import type { TimeExtent } from '../../../model/archive/values-port.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { betweenBounds, compareCanonicalTimes, dayBound, timestampBound, wholeBound } from '../../common/time-bounds.ts'
import { timestampText, msOfTimestamp } from '../copy/time-values.ts'

/** As `Times.condition`. Timestamps are milliseconds since 1970, which every release parses the same way. */
export function cassandraTimeCondition(
  { name, type, native }: Column,
  from: string | null,
  to: string | null,
): string | null {
  const column = quotedName(name)
  if (native === 'counter') return null
  switch (type.kind) {
    case 'date':
      return betweenBounds(column, from, to, (bound) => `'${dayBound(bound)}'`)
    case 'timestamp':
      return betweenBounds(column, from, to, msBound)
    case 'int':
      return betweenBounds(column, from, to, wholeBound)
    default:
      return null
  }
}

/** The first millisecond that is not before the timestamp. */
function msBound(bound: string): string {
  const canonical = timestampBound(bound)
  const cut = cutFraction(canonical, 3)
  const ms = msOfTimestamp(cut)
  if (ms !== null) return String(cut === canonical ? ms : ms + 1)
  throw new SluiceError('VALUE_REFUSED', `Cassandra cannot store the time ${bound}`, {
    hint: 'write it as 2024-04-01 00:00:00',
  })
}

const QUOTED = String.raw`("(?:[^"]|"")+")`
const LITERAL = String.raw`('[^']*'|-?\d+)`
const ANY = new RegExp(`^${QUOTED} IS NOT NULL$`)
const FROM = new RegExp(`^${QUOTED} >= ${LITERAL}(?: AND \\1 < ${LITERAL})?$`)
const TO = new RegExp(`^${QUOTED} < ${LITERAL}$`)

/** Tests values of a time column by a condition. */
export type TimeFilter = {
  readonly column: Column
  /** True if the value meets the condition. @param value canonical text */
  readonly holds: (value: string) => boolean
}

/** Parses a `cassandraTimeCondition` for the reader. Null for any other condition, which the cluster evaluates. */
export function timeFilterOf({ columns }: TableSpec, where: string | null): TimeFilter | null {
  if (where === null) return null
  const [, quoted, low, high] = ANY.exec(where) ?? FROM.exec(where) ?? withoutLow(TO.exec(where)) ?? []
  if (quoted === undefined) return null
  const column = columns.find(({ name }) => quotedName(name) === quoted)
  if (column === undefined || cassandraTimeCondition(column, null, null) === null) return null
  const [from, to] = [boundOf(column, low), boundOf(column, high)]
  const holds = (value: string): boolean =>
    (from === null || compareCanonicalTimes(value, from) >= 0) && (to === null || compareCanonicalTimes(value, to) < 0)
  return { column, holds }
}

function withoutLow(found: RegExpExecArray | null): readonly (string | undefined)[] | null {
  return found === null ? null : [found[0], found[1], undefined, found[2]]
}

function boundOf({ type }: Column, literal: string | undefined): string | null {
  if (literal === undefined) return null
  const text = literal.replaceAll("'", '')
  if (type.kind !== 'timestamp') return text
  return literal.startsWith("'") ? timestampBound(text) : timestampText(Number(literal))
}

const SIZE = { rows: 5000, bytes: 2 ** 20 }

/**
 * Smallest and largest timestamp of a table: read row by row, because no release can search for them.
 * @throws as `SourceView.read`
 */
export async function cassandraTimeExtent(
  view: SourceView,
  table: TableSpec,
  column: Column,
  signal: AbortSignal,
): Promise<TimeExtent> {
  const columns = [{ name: column.name, as: column.type, column }]
  const request = { table, columns, range: { by: 'all' }, where: null, ordered: false } as const
  let low: string | null = null
  let high: string | null = null
  let nulls = 0n
  for await (const { rows } of view.read(request, SIZE, signal)) {
    for (const [value] of rows) {
      if (typeof value !== 'string') nulls++
      else {
        if (low === null || compareCanonicalTimes(value, low) < 0) low = value
        if (high === null || compareCanonicalTimes(value, high) > 0) high = value
      }
    }
  }
  return { low, high, nulls }
}
