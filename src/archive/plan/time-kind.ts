/** The one judge of what is time: whether whole numbers of a column are times something has to say, since serial ids and days written as numbers are whole numbers too. */
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

/** What a partition of a table of numbers was archived as, in the ledger: `name` where its bounds are no times, and its name was given. */
export const BY_NAME = 'name'

export type Evidence = {
  /** As `--epoch` says it. */
  readonly epoch?: Epoch | undefined
  /** Bounds of partitions that are ranges of the column; null is open. */
  readonly bounds: readonly (string | null)[]
  /** Where days begin, where something says it. */
  readonly zone?: string | undefined
  /** Of the archive of this column. */
  readonly record: Pick<ArchiveRecord, 'partitions' | 'calendar'> | null
}

/**
 * What the values of a column are.
 * @returns null for numbers that nothing says are times
 * @throws SluiceError BAD_FLAG for a column that is no time by its type
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
      // Systems without types of time hold them as texts: days alone sort right among days, among times behind a blank and behind a T.
      return 'date'
    case 'int':
      return epoch === undefined ? (recordedKind(record) ?? kindOfBounds(bounds, zone, record)) : KINDS[epoch]
    default:
      throw new SluiceError('BAD_FLAG', `${tableText(table)}.${name} says no time: it is ${type.kind}`, {
        hint: 'name a column of dates, times or epoch numbers with --by, or make each value a partition with --by-value',
      })
  }
}

/**
 * As timeKind, for a column that has to be a time.
 * @param otherwise what the user may do where the numbers are no times
 * @throws SluiceError BAD_FLAG for numbers that nothing says are times, too
 */
export function knownTimeKind(
  table: Pick<TableSpec, 'table'>,
  column: Column,
  evidence: Evidence,
  otherwise: string,
): ValueKind {
  const kind = timeKind(table, column, evidence)
  if (kind !== null) return kind
  const name = tableText(table.table)
  throw new SluiceError(
    'BAD_FLAG',
    `${name}.${column.name} holds whole numbers, and nothing says that they are times`,
    {
      where: name,
      hint: `say --epoch s or --epoch ms where they count seconds or milliseconds since 1970; otherwise ${otherwise}`,
    },
  )
}

/**
 * As timeKind, for a table that has partitions of its own or had them: bounds of archived partitions count too. Null for columns of other types as well, and for
 * texts of which no bound is written as a time, such as ULIDs.
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

/** The ledger has archived the numbers as times. Older programs did not note it: then the name of a partition has to be that of the period between its bounds. */
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

/** Where numbers end by their type: as a bound it says that there is none. */
const ENDS: ReadonlySet<string> = new Set(['0', '32767', '2147483647', '4294967295', '9223372036854775807'])
/** Whole numbers above this are milliseconds: as seconds they would be later than the year 5138. */
const MOST_SECONDS = 100_000_000_000n

/** What whole numbers are that are known to be times: seconds, or milliseconds where one of them is too large. */
export function kindBySize(numbers: readonly string[]): NumberKind {
  return numbers.some((text) => BigInt(text) > MOST_SECONDS) ? KINDS.ms : KINDS.s
}

/** Every bound begins a day of one zone. One bound alone does so too easily in one of hundreds of zones. */
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

/** Why an age says nothing of a table. */
export function timelessError({ table }: Pick<TableSpec, 'table'>, by: string): SluiceError {
  const name = tableText(table)
  return new SluiceError('UNSUPPORTED_TYPE', `${name} is partitioned by ranges of ${by}, which says no time`, {
    where: name,
    reason: 'its bounds are those of no calendar, in seconds or milliseconds since 1970, so nothing in it has an age',
    hint: 'name partitions with --partition; where the numbers are times, say --epoch s or --epoch ms',
  })
}

/**
 * Partitions that an older program took out of the table because it took any number for a time. Their rows are safe; new rows between their bounds have no place.
 * @param by of the partitions that the table has now; undefined where it has none
 * @param kind what the numbers are, by `nativeKind`
 */
export function isMistaken(
  { native, chosenBy, from, to }: ArchivedPartition,
  by: Column | undefined,
  kind: ValueKind | null,
): boolean {
  const areNumbers = [from, to].every((bound) => bound === null || /^-?\d+$/.test(bound))
  return by?.type.kind === 'int' && kind === null && native !== null && chosenBy === null && areNumbers
}
