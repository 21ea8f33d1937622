/**
 * Decides whether values are times; no other file decides this. For whole numbers this needs evidence, because serial
 * ids and dates written as numbers are whole numbers too.
 */
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { tableText, type Column, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { NativePartitions } from '../../model/archive/port.ts'
import { allBeginDays, periodOfBounds } from '../../model/calendar/bounds.ts'
import type { Epoch } from '../../model/calendar/calendar.ts'
import { recordCalendar } from './record-calendar.ts'
import { readValue, type ValueKind } from '../../model/calendar/value-text.ts'
import { knownZones } from '../../model/calendar/zone.ts'

type NumberKind = Extract<ValueKind, `epoch-${string}`>
const KINDS: Readonly<Record<Epoch, NumberKind>> = { s: 'epoch-seconds', ms: 'epoch-milliseconds' }

/** Value of `chosenBy` in the ledger for a partition whose bounds are not times, and that was named by the user. */
export const CHOSEN_BY_NAME = 'name'

export type Evidence = {
  /** Value of `--epoch`. */
  readonly epoch?: Epoch | undefined
  /** Bounds of partitions that are ranges of the column; null is an open bound. */
  readonly bounds: readonly (string | null)[]
  /** Time zone of the day boundaries, if known. */
  readonly zone?: string | undefined
  /** Record of the archive that this column partitions; null if there is none. */
  readonly record: Pick<ArchiveRecord, 'partitions' | 'calendar'> | null
}

/**
 * The kind of a column's values.
 * @returns null for numbers without evidence that they are times
 * @throws SluiceError BAD_FLAG for a column whose type cannot hold times
 */
export function timeKind(
  { table }: Pick<TableSpec, 'table'>,
  { name, type }: Column,
  { epoch, bounds, zone, record }: Evidence,
): ValueKind | null {
  switch (type.kind) {
    case 'date':
      return 'date'
    case 'timestamp':
      return type.zone ? 'timestamptz' : 'timestamp'
    case 'text':
    case 'native':
      // Systems without time types store times as text: a text with only a day sorts correctly among days, and among
      // times with a blank or a T.
      return 'date'
    case 'int':
      return epoch === undefined ? (recordedKind(record) ?? kindOfBounds(bounds, zone, record)) : KINDS[epoch]
    default:
      throw new SluiceError('BAD_FLAG', `${tableText(table)}.${name} is not a time: it is ${type.kind}`, {
        hint: 'name a column of dates, times or epoch numbers with --by, or give --by-value, which makes each value a partition',
      })
  }
}

/**
 * As timeKind, for a column that must be a time.
 * @param alternative what the user can do if the numbers are not times
 * @throws SluiceError BAD_FLAG also for numbers without evidence
 */
export function knownTimeKind(
  table: Pick<TableSpec, 'table'>,
  column: Column,
  evidence: Evidence,
  alternative: string,
): ValueKind {
  const kind = timeKind(table, column, evidence)
  if (kind !== null) return kind
  const name = tableText(table.table)
  throw new SluiceError(
    'BAD_FLAG',
    `${name}.${column.name} has whole numbers, and it is unknown whether they are times`,
    {
      where: name,
      hint: `give --epoch s or --epoch ms if they count seconds or milliseconds since 1970; otherwise ${alternative}`,
    },
  )
}

/**
 * As timeKind, for a table that has or had native partitions: bounds of archived partitions are evidence too. Null also
 * for columns of other types, and for texts if no bound is a time, such as ULIDs.
 */
export function nativeKind(
  table: Pick<TableSpec, 'table' | 'columns'>,
  { by, partitions }: NativePartitions,
  record: ArchiveRecord | null,
  epoch?: Epoch,
): ValueKind | null {
  const column = table.columns.find(({ name }) => name === by)
  if (column === undefined || !TIMES.has(column.type.kind)) return null
  const archived = (record?.partitions ?? []).filter(({ native }) => native !== null)
  const bounds = [...partitions, ...archived].flatMap(({ from, to }) => [from, to])
  const kind = timeKind(table, column, { epoch, bounds, record })
  if (kind === null || (column.type.kind !== 'text' && column.type.kind !== 'native')) return kind
  const written = bounds.filter((bound) => bound !== null)
  return written.length === 0 || written.some((bound) => readValue(bound, kind) !== null) ? kind : null
}

const TIMES: ReadonlySet<Column['type']['kind']> = new Set(['date', 'timestamp', 'text', 'native', 'int'])

/**
 * The kind of the archived numbers by the ledger. Older programs did not record it: then a partition's label must be
 * the label of the period between its bounds.
 */
function recordedKind(record: Evidence['record']): NumberKind | null {
  const calendar = record === null ? null : recordCalendar(record)
  if (record === null || calendar === null) return null
  for (const { chosenBy, period, from, to } of record.partitions) {
    for (const kind of Object.values(KINDS)) {
      if (chosenBy === kind) return kind
      if (chosenBy === null && periodOfBounds(calendar, from, to, kind)?.label === period) return kind
    }
  }
  return null
}

/** Limits of integer types: a bound with such a value is treated as open. */
const ENDS: ReadonlySet<string> = new Set(['0', '32767', '2147483647', '4294967295', '9223372036854775807'])
/** Larger whole numbers are milliseconds: as seconds they would be after the year 5138. */
const MOST_SECONDS = 100_000_000_000n

/** The unit of numbers known to be times: milliseconds if one of them is too large for seconds. */
export function kindBySize(numbers: readonly string[]): NumberKind {
  return numbers.some((text) => BigInt(text) > MOST_SECONDS) ? KINDS.ms : KINDS.s
}

/**
 * The kind, if all bounds are day boundaries in one time zone. A single bound must be a day boundary in UTC, in the
 * zone of the archive or in `zone`: among hundreds of zones, a single bound would match one by chance.
 */
function kindOfBounds(
  bounds: Evidence['bounds'],
  zone: Evidence['zone'],
  record: Evidence['record'],
): NumberKind | null {
  const numbers = [...new Set(bounds)].filter((bound) => bound !== null && !ENDS.has(bound)).map(String)
  if (numbers.length === 0 || !numbers.every((text) => /^-?\d{1,18}$/.test(text))) return null
  const kind = kindBySize(numbers)
  const own = record === null ? null : recordCalendar(record)
  const zones = ['UTC', ...(own === null ? [] : [own.zone]), ...(zone === undefined ? [] : [zone])]
  const days = (one: string): boolean => allBeginDays(numbers, kind, one)
  return zones.some(days) || (numbers.length > 1 && knownZones().some(days)) ? kind : null
}

/** Error for an age that was given for a table without times. */
export function timelessError({ table }: Pick<TableSpec, 'table'>, by: string): SluiceError {
  const name = tableText(table)
  return new SluiceError('UNSUPPORTED_TYPE', `${name} is partitioned by ranges of ${by}, which is not a time`, {
    where: name,
    reason:
      'its bounds are not starts of days, neither as seconds nor as milliseconds since 1970, so the age of its partitions is unknown',
    hint: 'name partitions with --partition; if the numbers are times, give --epoch s or --epoch ms',
  })
}

/**
 * True for a partition that an older program detached wrongly, because it read all whole numbers as times. Its rows are
 * safe, but the server refuses new rows between its bounds.
 * @param by column of the table's present partitions; undefined if it has none
 * @param kind result of `nativeKind`
 */
export function isMistaken(
  { native, chosenBy, from, to }: ArchivedPartition,
  by: Column | undefined,
  kind: ValueKind | null,
): boolean {
  const areNumbers = [from, to].every((bound) => bound === null || /^-?\d+$/.test(bound))
  return by?.type.kind === 'int' && kind === null && native !== null && chosenBy === null && areNumbers
}
