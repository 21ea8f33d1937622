/** What a partition is today: to come, current, over, due, held, and what its archive says of it. */
import type { ArchivedPartition, ArchiveRecord } from '../archive/ledger/record.ts'
import type { PartitionState } from '../model/partition/events.ts'
import { tableText } from '../model/copy/column-type.ts'
import type { RangePartition } from '../model/partition/maintenance-port.ts'
import { periodOfBounds } from '../model/calendar/bounds.ts'
import type { CalendarSpec } from '../model/calendar/calendar.ts'
import { parseDay } from '../model/calendar/civil.ts'
import { ordinalOf } from '../model/calendar/ordinal.ts'
import type { Period } from '../model/calendar/period.ts'
import { isMoment, readValue, type ValueKind } from '../model/calendar/value-text.ts'
import { dayAt, MS_OF_DAY, wallClock } from '../model/calendar/zone.ts'
import { currentPeriod } from './coverage.ts'

export type StateOptions = {
  readonly kind: ValueKind
  /** Null where the table keeps to none. */
  readonly spec: CalendarSpec | null
  /** As of its standing. */
  readonly zone: string
  readonly now: Date
  /** The first day that is kept; null where nobody said what is due. */
  readonly cutOff: string | null
  readonly archive: ArchiveRecord | null
}

/** The partition of the archive's ledger that a partition is, or was. */
export function archivedAs(
  partition: RangePartition,
  { archive }: Pick<StateOptions, 'archive'>,
): ArchivedPartition | null {
  const name = tableText(partition.name)
  return (
    archive?.partitions.find(
      ({ native }) => native !== null && native.identity === partition.identity && tableText(native.table) === name,
    ) ?? null
  )
}

/** Whether it is back in the table for good: an unfinished restore is not. */
export function isRestored({ state, retracted }: ArchivedPartition): boolean {
  return state === 'RESTORED' && retracted
}

/** @returns the state of a partition that is in the table */
export function stateOf(partition: RangePartition, options: StateOptions): PartitionState {
  if (partition.isDefault) return 'default'
  const [low, high] = [edge(partition.from, -Infinity, options.kind), edge(partition.to, Infinity, options.kind)]
  const now = nowFor(options)
  if (low > now) return 'future'
  if (high > now) return 'current'
  const archived = archivedAs(partition, options)
  if (archived?.held != null) return 'held'
  if (low === -Infinity) return 'open'
  // A run archives it again only where --partition names it.
  if (archived !== null && isRestored(archived)) return 'hot'
  const last = dayBefore(high, options)
  return options.cutOff !== null && last < parseDay(options.cutOff) ? 'due' : 'hot'
}

/** Whole periods of the calendar since it ended, 0 for the one before the current; undefined for what is not over. */
export function ageOf(partition: RangePartition, options: StateOptions): number | undefined {
  const { spec, kind, now } = options
  const high = edge(partition.to, Infinity, kind)
  if (spec === null || partition.isDefault || high > nowFor(options)) return undefined
  const current = ordinalOf(spec, parseDay(currentPeriod(spec, now).from))
  return current - ordinalOf(spec, dayBefore(high, options)) - 1
}

/** The period of the calendar that it is; null where it is none. */
export function periodFor(partition: RangePartition, { spec, kind }: StateOptions): Period | null {
  return spec === null || partition.isDefault ? null : periodOfBounds(spec, partition.from, partition.to, kind)
}

/** Now, as values of the column have it: of dates and wall clocks in the zone of the table. */
export function nowFor({ zone, kind, now }: Pick<StateOptions, 'zone' | 'kind' | 'now'>): number {
  return isMoment(kind) ? now.getTime() : wallClock(zone, now.getTime())
}

function edge(text: string | null, open: number, kind: ValueKind): number {
  return text === null ? open : (readValue(text, kind)?.at ?? open)
}

/** Number of the last day of what ends at a value. */
function dayBefore(high: number, { kind, spec }: StateOptions): number {
  const at = high - 1
  return isMoment(kind) ? dayAt(spec?.zone ?? 'UTC', at) : Math.floor(at / MS_OF_DAY)
}
