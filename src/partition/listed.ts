/** Partitions of a table in time order, including archived ones, and required ones that are missing. */
import { hasLeft, type ArchivedPartition } from '../archive/ledger/record.ts'
import { tableText } from '../model/copy/column-type.ts'
import { dec } from '../model/run/event.ts'
import type { PartitionEvent } from '../model/partition/events.ts'
import type { RangePartition } from '../model/partition/maintenance-port.ts'
import { readValue } from '../model/calendar/value-text.ts'
import { newNameFor } from './new-partition-name.ts'
import { openGaps } from './alarms.ts'
import { periodsWithin, type PlacedPeriod } from './coverage.ts'
import type { TableWithCoverage } from './each-table.ts'
import { periodAge, entryOf, periodFor, stateOf, type StateOptions } from './state.ts'
import { knownBounds } from '../archive/plan/bound-fields.ts'

type Row = { readonly low: number; readonly event: PartitionEvent }

/**
 * Events of the partitions of a table, in time order, the default partition last.
 * @param counts counted rows of each partition, in their order in the table; null to use the system's statistics
 * @param missing required periods without a partition
 */
export function listedPartitions(
  found: TableWithCoverage,
  options: StateOptions,
  counts: readonly bigint[] | null,
  missing: readonly PlacedPeriod[],
): readonly PartitionEvent[] {
  const { table, kind } = found.standing
  const at = (text: string | null): number => (text === null ? -Infinity : (readValue(text, kind)?.at ?? -Infinity))
  const bounded: Row[] = []
  const rest: PartitionEvent[] = []
  for (const [i, partition] of table.partitions.entries()) {
    const event = partitionEvent(found, partition, options, counts?.[i])
    if (partition.isDefault) rest.push(event)
    else bounded.push({ low: at(partition.from), event })
  }
  const gone = goneOf(found).map((one): Row => ({ low: at(one.from), event: goneEvent(found.name, one) }))
  const inGaps = gapPeriods(found).filter(({ low }) => !missing.some((one) => one.low === low))
  const lacking = [
    ...missing.map((period): Row => ({ low: period.low, event: missingEvent(found, period, 'it is not there') })),
    ...inGaps.map((period): Row => ({ low: period.low, event: missingEvent(found, period, 'gap') })),
  ]
  const inTime = [...gone, ...bounded, ...lacking].toSorted((a, b) => a.low - b.low)
  return [...inTime.map(({ event }) => event), ...rest]
}

function partitionEvent(
  { name }: TableWithCoverage,
  partition: RangePartition,
  options: StateOptions,
  counted: bigint | undefined,
): PartitionEvent {
  const { archived, held } = entryOf(partition, options)
  const age = periodAge(partition, options)
  const label = periodFor(partition, options)?.label ?? archived?.label
  const rows = counted ?? partition.rows
  const notes = [
    ...(partition.note === undefined ? [] : [partition.note]),
    ...(held !== null ? [`held: ${held}`] : archived === null ? [] : [`archive: ${archived.state}`]),
  ]
  return {
    type: 'partition',
    table: name,
    partition: tableText(partition.name),
    ...(label === undefined ? {} : { label }),
    ...knownBounds(partition),
    state: stateOf(partition, options),
    ...(rows === null ? {} : { rows: dec(rows) }),
    estimated: counted === undefined,
    ...(partition.bytes === null ? {} : { bytes: dec(partition.bytes) }),
    ...(age === undefined ? {} : { age }),
    ...(notes.length === 0 ? {} : { note: notes.join('; ') }),
  }
}

/** Archived partitions that are no longer in the table. */
function goneOf({ archive, standing }: TableWithCoverage): readonly ArchivedPartition[] {
  const there = new Set(standing.table.partitions.map(({ identity }) => identity))
  return (archive?.partitions ?? []).filter(
    (one) => one.native !== null && !there.has(one.native.identity) && hasLeft(one),
  )
}

function goneEvent(table: string, one: ArchivedPartition): PartitionEvent {
  const bytes = one.files.reduce((sum, file) => sum + file.bytes, 0n)
  return {
    type: 'partition',
    table,
    partition: one.native === null ? one.label : tableText(one.native.table),
    label: one.label,
    ...knownBounds(one),
    state: 'archived',
    ...(one.digest === null ? {} : { rows: dec(one.digest.rows) }),
    estimated: false,
    bytes: dec(bytes),
    note: one.held === null ? one.state : `${one.state}; held: ${one.held}`,
  }
}

/** Whole periods in gaps, neither in the table nor in the archive; without gaps of hundreds, which an alarm reports. */
function gapPeriods({ standing, archive }: TableWithCoverage): readonly PlacedPeriod[] {
  const { calendar, kind } = standing
  if (calendar === null) return []
  const gone = new Set((archive?.partitions ?? []).filter(hasLeft).map(({ from }) => from))
  return openGaps(standing, archive)
    .flatMap((gap) => periodsWithin(calendar.spec, gap, kind))
    .filter(({ from }) => !gone.has(from))
}

function missingEvent({ name, standing }: TableWithCoverage, period: PlacedPeriod, note: string): PartitionEvent {
  return {
    type: 'partition',
    table: name,
    partition: tableText(newNameFor(standing, period.period)),
    label: period.period.label,
    from: period.from,
    to: period.to,
    state: 'missing',
    estimated: false,
    note,
  }
}
