/** State of a partition of a table, by its bounds, the time, holds and the archive. */
import { hasLeft, type ArchivedPartition, type ArchiveRecord } from '../archive/ledger/record.ts'
import { isCutBy } from '../archive/plan/archived-as.ts'
import { NativeParts } from '../archive/plan/native-parts.ts'
import type { PartitionState } from '../model/partition/events.ts'
import type { RangePartition } from '../model/partition/maintenance-port.ts'
import { periodOfBounds } from '../model/calendar/bounds.ts'
import type { CalendarSpec } from '../model/calendar/calendar.ts'
import { parseDay } from '../model/calendar/civil.ts'
import { ordinalOf } from '../model/calendar/ordinal.ts'
import type { Period } from '../model/calendar/period.ts'
import { isInstant, readValue, type ValueKind } from '../model/calendar/value-text.ts'
import { dayAt, MS_OF_DAY, zoneWallClock } from '../model/calendar/zone.ts'
import { currentPeriod } from './coverage.ts'
import type { PartitionCoverage } from './partition-coverage.ts'

export type StateOptions = {
  readonly kind: ValueKind
  /** Null if the table has no calendar. */
  readonly spec: CalendarSpec | null
  /** As in `PartitionCoverage`. */
  readonly zone: string
  readonly now: Date
  /** The first day that is kept; null if no age limit was given. */
  readonly cutOff: string | null
  /** Ledger data of the partitions, from `ledgerParts`. */
  readonly parts: NativeParts
}

/** Ledger data of the partitions of a table; empty if its archive is divided by another column, or by values. */
export function ledgerParts({ table }: Pick<PartitionCoverage, 'table'>, archive: ArchiveRecord | null): NativeParts {
  const known = archive !== null && isCutBy(archive, table.column.name) ? archive.partitions : []
  return new NativeParts(
    known,
    table.partitions.map(({ identity, name }) => ({ identity, table: { table: name } })),
  )
}

type Entry = { readonly archived: ArchivedPartition | null; readonly held: string | null }

/** Ledger data of a partition of the table, and why it is on hold. Its rows may be archived while it stays attached. */
export function entryOf(partition: RangePartition, { parts, kind }: Pick<StateOptions, 'parts' | 'kind'>): Entry {
  const seen = parts.overlapOf(partition, kind)
  const { own, again = null, left } = seen
  return { archived: own ?? again ?? (left?.native === null ? left : null), held: parts.heldBy(seen) }
}

/** True after a completed restore. */
export function isRestored({ state, retracted }: ArchivedPartition): boolean {
  return state === 'RESTORED' && retracted
}

/** @returns the state of a partition that is in the table */
export function stateOf(partition: RangePartition, options: StateOptions): PartitionState {
  if (partition.isDefault) return 'default'
  const [low, high] = [boundOf(partition.from, -Infinity, options.kind), boundOf(partition.to, Infinity, options.kind)]
  const now = nowFor(options)
  if (low > now) return 'future'
  if (high > now) return 'current'
  const { archived, held } = entryOf(partition, options)
  if (held !== null) return 'held'
  if (low === -Infinity) return 'open'
  // Restored partitions are archived again only with --partition.
  if (archived !== null && isRestored(archived)) return 'hot'
  if (archived !== null && archived.native === null && hasLeft(archived)) return 'hot'
  const last = dayBefore(high, options)
  return options.cutOff !== null && last < parseDay(options.cutOff) ? 'due' : 'hot'
}

/** Whole periods since a partition's end, 0 for the period before the current; undefined if it has not ended. */
export function periodAge(partition: RangePartition, options: StateOptions): number | undefined {
  const { spec, kind, now } = options
  const high = boundOf(partition.to, Infinity, kind)
  if (spec === null || partition.isDefault || high > nowFor(options)) return undefined
  const current = ordinalOf(spec, parseDay(currentPeriod(spec, now).from))
  return current - ordinalOf(spec, dayBefore(high, options)) - 1
}

/** The calendar period with the bounds of the partition; null if there is none. */
export function periodFor(partition: RangePartition, { spec, kind }: StateOptions): Period | null {
  return spec === null || partition.isDefault ? null : periodOfBounds(spec, partition.from, partition.to, kind)
}

/** The current time as a value of the column: dates and local times in the zone of the table. */
export function nowFor({ zone, kind, now }: Pick<StateOptions, 'zone' | 'kind' | 'now'>): number {
  return isInstant(kind) ? now.getTime() : zoneWallClock(zone, now.getTime())
}

function boundOf(text: string | null, open: number, kind: ValueKind): number {
  return text === null ? open : (readValue(text, kind)?.at ?? open)
}

/** Number of the last day before an upper bound, counted from 1970. */
function dayBefore(high: number, { kind, spec }: StateOptions): number {
  const at = high - 1
  return isInstant(kind) ? dayAt(spec?.zone ?? 'UTC', at) : Math.floor(at / MS_OF_DAY)
}
