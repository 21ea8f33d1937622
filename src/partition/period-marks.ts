/** Period bounds for a copy by periods, from the partitions of the new table. */
import type { PeriodMark, PeriodOptions, TimeRange } from '../model/copy/period-marks.ts'
import type { RangedTable } from '../model/partition/maintenance-port.ts'
import { periodOfBounds } from '../model/calendar/bounds.ts'
import type { CalendarSpec } from '../model/calendar/calendar.ts'
import { readValue, valueText, type ValueKind } from '../model/calendar/value-text.ts'
import { MS_OF_DAY } from '../model/calendar/zone.ts'
import { SluiceError } from '../shared/errors.ts'
import { placedPartitions, placedPeriod, type PlacedPartition } from './coverage.ts'
import { nowFor } from './state.ts'
import { slicesOf, type SliceNumbers, type SliceUnit } from '../model/calendar/slices.ts'

export type MarksRequest = {
  readonly newTable: Pick<RangedTable, 'table' | 'partitions'>
  readonly kind: ValueKind
  readonly spec: CalendarSpec
  readonly slices: SliceUnit | null
  /**
   * Partition, or label of its period, that is copied first. Default: the partition of the current time, otherwise the
   * last partition that has begun, otherwise the first partition.
   */
  readonly first?: string | undefined
  /** Now, ms since the epoch. */
  readonly now: number
}

/**
 * Bounds of the periods of a copy. @throws SluiceError BAD_FLAG if no partition matches `first`; UNSUPPORTED_TYPE for
 * an unbounded partition
 */
export function periodMarks({ newTable, kind, spec, slices, first, now }: MarksRequest): PeriodOptions {
  const all = placedPartitions(newTable.partitions, kind)
  const open = all.find(({ partition: { from, to } }) => from === null || to === null)
  if (open !== undefined) {
    throw new SluiceError('UNSUPPORTED_TYPE', `partition ${open.partition.name.name} has no lower or no upper bound`, {
      where: newTable.table.name,
      hint: 'give each partition of the new table both bounds; the default partition takes rows outside of them',
    })
  }
  const marks: PeriodMark[] = []
  for (const [at, one] of all.entries()) {
    marks.push(...marksOf(one, kind, spec, slices))
    const next = all[at + 1]
    if (next === undefined || next.low > one.high)
      marks.push({ after: lastBefore(one.partition.to ?? '', kind), partition: null, label: null })
  }
  return { marks, first: firstOf(all, marks, first, nowFor({ zone: spec.zone, kind, now: new Date(now) })) }
}

function marksOf(
  { partition: { name, from, to } }: PlacedPartition,
  kind: ValueKind,
  spec: CalendarSpec,
  unit: SliceUnit | null,
): readonly PeriodMark[] {
  const period = periodOfBounds(spec, from, to, kind)
  const whole: PeriodMark = {
    after: lastBefore(from ?? '', kind),
    partition: name.name,
    label: period?.label ?? null,
  }
  if (period === null || unit === null) return [whole]
  return slicesOf(spec, period, unit).flatMap((slice) => {
    const { from: low, low: begins, high } = placedPeriod(spec, slice, kind)
    return begins < high ? [{ ...whole, after: lastBefore(low, kind), slice: slice.label }] : []
  })
}

function firstOf(
  all: readonly PlacedPartition[],
  marks: readonly PeriodMark[],
  wanted: string | undefined,
  now: number,
): string {
  if (wanted === undefined) {
    const current = all.find(({ low, high }) => low <= now && high > now) ?? all.findLast(({ low }) => low <= now)
    return (current ?? all[0])?.partition.name.name ?? ''
  }
  const named = marks.find(({ partition, label }) => partition === wanted || label === wanted)?.partition
  if (named !== undefined && named !== null) return named
  throw unknownFirst(wanted, [...new Set(marks.flatMap(({ label, partition }) => label ?? partition ?? []))])
}

/** Part of the first period that a run copies. */
export type ChosenSlices = {
  readonly span: TimeRange
  /** Label of the period, or name of its partition. */
  readonly period: string
  /** Number of slices of the period. */
  readonly of: number
}

/**
 * Range of the chosen slices in the first period.
 * @param numbers of slices in the first period, from 1
 * @throws SluiceError BAD_FLAG if the period has no slices, or fewer than requested
 */
export function chosenSlices({ marks, first }: PeriodOptions, { from, through }: SliceNumbers): ChosenSlices {
  const begins = marks.findIndex(({ partition }) => partition === first)
  const slices = marks.filter(({ partition, slice }) => partition === first && slice !== undefined)
  const period = marks[begins]?.label ?? first
  if (slices.length === 0) {
    throw new SluiceError('BAD_FLAG', `${period} is not a period of the calendar, and has no slices`, {
      hint: 'remove the numbers of --slices, or name another partition with --first',
    })
  }
  const [low, behind] = [slices[from - 1], marks[begins + through]]
  if (low === undefined || through > slices.length) {
    const named = slices.map(({ slice }, at) => `${at + 1} ${slice ?? ''}`).join(', ')
    throw new SluiceError('BAD_FLAG', `${period} has ${slices.length} slices, not ${through}`, {
      hint: `the slices are ${named}`,
    })
  }
  return { span: { after: low.after, through: behind?.after ?? null }, period, of: slices.length }
}

/** Checks `--first` before the partitions are created. @throws SluiceError BAD_FLAG */
export function refuseUnknownFirst(
  wanted: string | undefined,
  partitions: readonly { readonly name: string; readonly label: string }[],
): void {
  if (wanted === undefined || partitions.some(({ name, label }) => name === wanted || label === wanted)) return
  throw unknownFirst(
    wanted,
    partitions.map(({ label }) => label),
  )
}

function unknownFirst(wanted: string, known: readonly string[]): SluiceError {
  return new SluiceError('BAD_FLAG', `no partition matches ${wanted}`, {
    hint: `give --first one of ${known.slice(-12).join(', ')}`,
  })
}

/** The largest value of the column before a bound; timestamps have microseconds. */
export function lastBefore(bound: string, kind: ValueKind): string {
  const at = readValue(bound, kind)?.at
  if (at === undefined || !Number.isFinite(at)) throw new Error(`a partition begins at ${bound}`)
  if (kind === 'epoch-seconds' || kind === 'epoch-milliseconds') return String(BigInt(bound) - 1n)
  if (kind === 'date') return valueText(at - MS_OF_DAY, kind)
  return valueText(at - 1000, kind).replace(/(:\d\d:\d\d)/, '$1.999999')
}
