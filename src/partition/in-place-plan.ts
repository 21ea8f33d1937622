/** Request for partitioning in place: the end of the past partition, and the new periods. */
import type { PartitionInPlaceOperation } from './operations/partition-in-place/declaration.ts'
import { tableText, type TableSpec } from '../model/copy/column-type.ts'
import { SluiceError } from '../shared/errors.ts'
import type { InPlaceRequest, SliceRequest } from '../model/partition/in-place-port.ts'
import { columnNamed } from '../engine/copy/plan/column-named.ts'
import { DEFAULT_CALENDAR } from '../model/calendar/calendar.ts'
import { knownTimeKind } from '../archive/plan/time-kind.ts'
import { nextPeriod, periodAt, type Period } from '../model/calendar/period.ts'
import { currentPeriod, placedPeriod } from './coverage.ts'
import { filledPeriods } from './filled-periods.ts'
import { newPartitionName, rowYears } from './planned-periods.ts'
import { OTHER_COLUMN, plannedTable, type PlanSource } from './planned-table.ts'

/** Number of new periods: at least two, so that the calendar can be derived from them later. */
const AHEAD = 2

export type InPlaceOptions = Pick<PartitionInPlaceOperation, 'by' | 'calendar' | 'epoch' | 'past' | 'last'>

/** A request to partition in place, the labels of its new periods, and the last period of the past partition. */
export type InPlaceAsked = {
  readonly request: InPlaceRequest
  readonly labels: readonly string[]
  readonly last: Period
}

/**
 * Request to partition a table in place.
 * @param now determines the current period
 * @throws SluiceError BAD_FLAG for a column that is not a time, and for a last period that is over
 */
export async function inPlaceRequest(
  source: PlanSource,
  table: TableSpec,
  options: InPlaceOptions,
  now: Date,
): Promise<InPlaceAsked> {
  const spec = { ...DEFAULT_CALENDAR, ...options.calendar }
  const { planned, years } = await plannedTable(source, table, columnNamed(table, options.by), {
    epoch: options.epoch,
    exact: false,
  })
  const current = currentPeriod(spec, now)
  let last: Period
  if (options.last === undefined) {
    const filled = await filledPeriods(source, planned, spec, rowYears(years).main, { exact: false })
    last = lastOfPast(current, filled.periods.at(-1)?.period)
  } else {
    last = periodAt(spec, options.last)
    if (last.from < current.from) throw isOver(last, current)
  }
  const { name } = table.table
  const coming = Array.from({ length: AHEAD }, (_, at) => nextPeriod(spec, last, at + 1)).flatMap((period) => {
    const { from, to, low, high } = placedPeriod(spec, period, planned.kind)
    // Leave out a period for a day that the zone skips.
    return low < high ? [{ name: newPartitionName(name, period.label), label: period.label, from, to }] : []
  })
  return {
    request: {
      planned,
      past: options.past ?? newPartitionName(name, 'past'),
      sideName: newPartitionName(name, 'partitioned'),
      bound: placedPeriod(spec, last, planned.kind).to,
      partitions: coming.map(({ name: leaf, from, to }) => ({ name: leaf, from, to })),
    },
    labels: coming.map(({ label }) => label),
    last,
  }
}

/** The later of the two periods, so that rows of today and existing rows fit. */
export function lastOfPast(current: Period, filled: Period | undefined): Period {
  return filled === undefined || filled.from < current.from ? current : filled
}

function isOver(last: Period, current: Period): SluiceError {
  return new SluiceError(
    'BAD_FLAG',
    `the first partition cannot end with ${last.label}: this period is over, and the partition must include current rows`,
    {
      hint: `give --last ${current.label} or a later period`,
    },
  )
}

/** @throws SluiceError BAD_FLAG if two new tables would have the same name */
export function refuseSameNames({ planned, past, sideName, partitions }: InPlaceRequest): void {
  const names = [planned.table.table.name, past, sideName, ...partitions.map(({ name }) => name)]
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice === undefined) return
  throw new SluiceError('BAD_FLAG', `two tables of ${tableText(planned.table.table)} would be called ${twice}`, {
    hint: 'give the first partition another name with --past',
  })
}

/**
 * Request to split off a period of the past partition.
 * @param label of the period
 * @param bound end of the past partition; an integer bound is read as a time if it is the start of a day
 * @throws SluiceError BAD_FLAG
 */
export function sliceRequest(
  table: TableSpec,
  { by, calendar, epoch }: Pick<InPlaceOptions, 'by' | 'calendar' | 'epoch'>,
  label: string,
  bound: string,
): { readonly request: SliceRequest; readonly label: string } {
  const spec = { ...DEFAULT_CALENDAR, ...calendar }
  const column = columnNamed(table, by)
  const period = periodAt(spec, label)
  const evidence = { epoch, bounds: [bound], zone: spec.zone, record: null }
  const { from, to } = placedPeriod(spec, period, knownTimeKind(table, column, evidence, OTHER_COLUMN))
  const partition = { name: newPartitionName(table.table.name, period.label), from, to }
  return { request: { table: table.table, column, partition }, label: period.label }
}
