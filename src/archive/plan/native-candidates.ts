/** Native partitions of a table as candidates for the archive. */
import type { ArchivedPartition } from '../ledger/record.ts'
import { tableText } from '../../model/copy/column-type.ts'
import type { NativePartition, NativePartitions } from '../../model/archive/port.ts'
import { EVERY_KEY } from '../../model/copy/range.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { CalendarSpec } from '../../model/calendar/calendar.ts'
import { boundsFor, periodOfBounds } from '../../model/calendar/bounds.ts'
import { periodOf } from '../../model/calendar/period.ts'
import { readValue, type ValueKind } from '../../model/calendar/value-text.ts'
import { CHOSEN_BY_NAME } from './time-kind.ts'
import { isAsked } from '../work/named-partitions.ts'
import type { ArchiveCandidate, CandidateRequest } from './candidate.ts'
import type { PartName } from './further-part.ts'
import { edgesWithin, NativeParts, type NativeName } from './native-parts.ts'

/** @param kind type of the bounds; null if the bounds are not times: then only named partitions are due */
export async function nativeCandidates(
  { partitions, kind: time }: Pick<NativePartitions, 'partitions'> & { readonly kind: ValueKind | null },
  wanted: CandidateRequest,
  { known, key }: { readonly known: readonly ArchivedPartition[]; readonly key: readonly string[] },
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<readonly ArchiveCandidate[]> {
  const candidates: ArchiveCandidate[] = []
  const names = new NativeParts(known, partitions)
  const labels = new Set<string>()
  // Only the order matters here, and whole numbers sort like seconds.
  const kind = time ?? 'epoch-seconds'
  for (const partition of partitions) {
    const label = labelOf(partition, wanted.calendar, time, { taken: labels, names })
    labels.add(label)
    const { name, ...others } = names.nameOf(partition, label, kind)
    const edges = others.across === null ? [] : edgesWithin(others.across, partition, kind)
    const named = isAsked(wanted.asked, name)
    const standing = laterPart(standingOf(partition, wanted, time, named), name, { ...others, key, edges })
    const counted = standing.status === 'due' ? await rowsOf(partition, name, store, signal) : null
    const rows = counted ?? partition.rows
    const empty = standing.status === 'due' && rows === 0n
    candidates.push({
      ...(empty && name.part > 1 ? ownName(partition, names) : name),
      from: partition.from,
      to: partition.to,
      native: { table: partition.table.table, identity: partition.identity },
      rows,
      estimated: counted === null,
      bytes: partition.bytes,
      chosenBy: time === null ? CHOSEN_BY_NAME : isEpoch(time) ? time : null,
      ...(partition.isDivided ? { isDivided: true } : {}),
      ...(empty ? { status: 'blocked', note: 'it is empty: detach and drop it by hand' } : standing),
    })
  }
  return wanted.asked.length > 0 || partitions.some(({ isDefault }) => isDefault) ? candidates : keepNewest(candidates)
}

/** Blocks the newest partition: without it, and without a default partition, the next INSERT fails. */
function keepNewest(candidates: readonly ArchiveCandidate[]): readonly ArchiveCandidate[] {
  const at = candidates.findLastIndex(({ rows, status }) => status !== 'blocked' || rows > 0n)
  const newest = candidates[at]
  if (newest?.status !== 'due') return candidates
  const note =
    'it has the newest keys, and there is no default partition for new rows: name it with --partition if programs no longer write to it'
  return candidates.with(at, { ...newest, status: 'blocked', note })
}

function isEpoch(kind: ValueKind): boolean {
  return kind === 'epoch-seconds' || kind === 'epoch-milliseconds'
}

type Place = Pick<ArchiveCandidate, 'status' | 'note'>

/**
 * For a due partition whose range the ledger already has: notes that the partition has late rows, or blocks it if it
 * cannot become a later part.
 */
function laterPart(
  standing: Place,
  { part, period }: PartName,
  {
    across,
    open,
    expired,
    again,
    key,
    edges,
  }: Omit<NativeName, 'name'> & { readonly key: readonly string[]; readonly edges: readonly string[] },
): Place {
  if (standing.status !== 'due') return standing
  if (open !== undefined)
    return { status: 'blocked', note: `${open.label} is not finished: archive it to DROPPED, or restore it first` }
  if (again !== undefined) {
    return {
      status: 'blocked',
      note: `it is the table of ${again.label}, which was attached again by hand, and the archive has its rows: restore ${again.label}, or detach the table again`,
    }
  }
  if (across !== null) {
    return {
      status: 'blocked',
      note: `its bounds overlap those of ${across.label}, which was detached: split it at ${edges.join(' and ')}`,
    }
  }
  if (part === 1) return standing
  if (expired !== undefined) {
    return {
      status: 'blocked',
      note: `${expired.label} has expired: its files are gone, so its keys cannot be compared with those here`,
    }
  }
  if (key.length === 0) {
    return {
      status: 'blocked',
      note: `without a key, late rows of ${period} cannot be distinguished from archived ones: give the table a primary key`,
    }
  }
  const late = `it has rows that were added after ${period} was archived`
  return { ...standing, note: standing.note === undefined ? late : `${late}; ${standing.note}` }
}

/**
 * Label of a partition: by the calendar, otherwise its table's name, with the schema if two schemas have this name. The
 * name may have been that of an archived partition before.
 */
function labelOf(
  partition: NativePartition,
  calendar: CalendarSpec,
  kind: ValueKind | null,
  { taken, names }: { readonly taken: ReadonlySet<string>; readonly names: NativeParts },
): string {
  const { from, to, identity } = partition
  const { table } = partition.table
  const isTaken = (label: string): boolean => taken.has(label) || names.isOfOther(label, partition)
  const period = kind === null ? null : periodOfBounds(calendar, from, to, kind)
  if (period !== null && !isTaken(period.label)) return period.label
  const label = names.isShared(table) ? tableText(table) : table.name
  return isTaken(label) ? `${label} (${identity})` : label
}

function standingOf(
  partition: NativePartition,
  { asked, until, calendar }: CandidateRequest,
  kind: ValueKind | null,
  named: boolean,
): Pick<ArchiveCandidate, 'status' | 'note'> {
  if (asked.length > 0 && !named) return { status: 'later' }
  if (!named && !isOld(partition, until, calendar, kind)) return { status: 'later' }
  if (partition.isDefault) return { status: 'blocked', note: 'the default partition does not belong to a period' }
  if (partition.blocked !== null) return { status: 'blocked', note: partition.blocked }
  return partition.own === null
    ? { status: 'due' }
    : { status: 'due', note: `not inherited from the parent: ${partition.own}` }
}

/** True if the upper bound is not after the first day that is kept. */
export function isOld(
  { to }: Pick<NativePartition, 'to'>,
  until: string | null,
  calendar: CalendarSpec,
  kind: ValueKind | null,
): boolean {
  if (until === null || to === null || kind === null) return false
  const end = readValue(to, kind)
  const edge = readValue(
    boundsFor({ ...calendar, unit: 'day' }, periodOf({ ...calendar, unit: 'day' }, until), kind).from,
    kind,
  )
  return end !== null && edge !== null && end.at <= edge.at
}

/**
 * Counts the rows if their estimate is zero; otherwise null, because an estimate above zero is sufficient. A partition
 * within an archived period is often empty, with an estimate from rows that were archived and deleted.
 */
async function rowsOf(
  { table, rows }: NativePartition,
  { part }: PartName,
  store: CopyStore,
  signal: AbortSignal,
): Promise<bigint | null> {
  if (rows > 0n && part === 1) return null
  await using view = await store.source(signal)
  if (rows > 0n && table.key.length > 0 && (await view.last(table, EVERY_KEY, null, signal)) !== null) return null
  return (await view.extent(table, null, true)).rows
}

/** An empty partition is no part of the period that was archived: it has the name of its table. */
function ownName({ table: { table } }: NativePartition, names: NativeParts): PartName {
  const label = names.isShared(table) ? tableText(table) : table.name
  return { label, period: label, part: 1 }
}
