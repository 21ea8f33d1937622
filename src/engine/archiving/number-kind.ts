/** Whether whole numbers of a column are times: something has to say so, since serial ids and days written as numbers are whole numbers too. */
import type { ArchivedPartition, ArchiveRecord } from '../../archive/ledger/record.ts'
import { tableText, type Column, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { NativePartitions } from '../../stores/archive-port.ts'
import type { Epoch } from '../calendar/calendar.ts'
import { periodOfBounds } from '../calendar/bounds.ts'
import type { ValueKind } from '../calendar/value-text.ts'
import { allBeginDays } from '../partitioning/table-calendar.ts'
import { knownZones } from '../partitioning/zones.ts'
import { recordCalendar } from './record-calendar.ts'
import { valueKind } from './value-kind.ts'

type NumberKind = Extract<ValueKind, `epoch-${string}`>
const KINDS: Readonly<Record<Epoch, NumberKind>> = { s: 'epoch-seconds', ms: 'epoch-milliseconds' }

/** What a partition of a table of numbers was archived as, in the ledger: `name` where its bounds are no times, and its name was given. */
export const BY_NAME = 'name'

export type Evidence = {
  readonly epoch?: Epoch | undefined
  /** Bounds of partitions that are ranges of the column; null is open. */
  readonly bounds: readonly (string | null)[]
  readonly record: Pick<ArchiveRecord, 'partitions' | 'calendar'> | null
}

/**
 * @returns null for numbers that nothing says are times
 * @throws SluiceError BAD_FLAG for a column that is no time by its type
 */
export function timeKind(
  table: Pick<TableSpec, 'table'>,
  column: Column,
  { epoch, bounds, record }: Evidence,
): ValueKind | null {
  if (column.type.kind !== 'int') return valueKind(table, column, null)
  if (epoch !== undefined) return KINDS[epoch]
  return recordedKind(record) ?? kindOfBounds(bounds, record)
}

/** As timeKind, for a table that has partitions of its own or had them: bounds of archived partitions count too. Null for columns of other types as well. */
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
  return timeKind(table, column, { epoch, bounds, record })
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

/** Every bound begins a day of one zone. One bound alone does so too easily in one of hundreds of zones. */
function kindOfBounds(bounds: Evidence['bounds'], record: Evidence['record']): NumberKind | null {
  const numbers = [...new Set(bounds)].filter((bound) => bound !== null && !ENDS.has(bound)).map(String)
  if (numbers.length === 0 || !numbers.every((text) => /^-?\d{1,18}$/.test(text))) return null
  const kind = numbers.some((text) => BigInt(text) > MOST_SECONDS) ? KINDS.ms : KINDS.s
  const own = record === null ? null : recordCalendar(record)
  const zones = ['UTC', ...(own === null ? [] : [own.zone])]
  const days = (zone: string): boolean => allBeginDays(numbers, kind, zone)
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
 * @param kind what the numbers are, by `nativeKind`
 */
export function isMistaken(
  { native, chosenBy, from, to }: ArchivedPartition,
  natives: NativePartitions | null,
  kind: ValueKind | null,
): boolean {
  const areNumbers = [from, to].every((bound) => bound === null || /^-?\d+$/.test(bound))
  return natives !== null && kind === null && native !== null && chosenBy === null && areNumbers
}
