/** Events of the forecast of copy times. */
import { tableText } from '../model/copy/column-type.ts'
import { dec, type Emit } from '../model/run/event.ts'
import type { PartitionForecastEvent, PartitionRateEvent } from '../model/partition/events.ts'
import type { TableToPartition } from '../model/partition/plan-port.ts'
import type { FilledPeriod, FilledSlice } from './filled-periods.ts'
import { msFor, neededPerHour, totalCopyTime } from './forecast.ts'
import type { MeasuredRate } from './rate.ts'

type Options = { readonly windowMs?: number | undefined; readonly lanes: number; readonly slices?: string | undefined }

/** Emits the rate first, then each partition followed by its slices. */
export function emitPartitionForecast(
  { table: { table } }: TableToPartition,
  periods: readonly FilledPeriod[],
  rate: MeasuredRate | null,
  options: Options,
  emit: Emit<'partition.rate' | 'partition.forecast'>,
): void {
  const name = tableText(table)
  if (rate !== null) emit(rateEvent(name, periods, rate, options))
  for (const period of periods) {
    // The measured rate is shared by all copy sessions.
    const one = rate === null ? null : rate.perHour / BigInt(rate.workers)
    const times = period.slices.map(({ bytes }) => (one === null ? null : msFor(bytes, one)))
    const all =
      one === null
        ? null
        : totalCopyTime(
            times.map((ms) => ms ?? 0),
            options.lanes,
          )
    emit({ type: 'partition.forecast', table: name, label: period.period.label, ...fields(period, all, options) })
    if (options.slices === undefined) continue
    for (const [at, slice] of period.slices.entries()) {
      const label = { label: period.period.label, slice: slice.period.label }
      emit({ type: 'partition.forecast', table: name, ...label, ...fields(slice, times[at] ?? null, options) })
    }
  }
}

function rateEvent(
  table: string,
  periods: readonly FilledPeriod[],
  rate: MeasuredRate,
  { windowMs, slices }: Options,
): PartitionRateEvent {
  const largest = periods.reduce((most, { bytes }) => (bytes > most ? bytes : most), 0n)
  return {
    type: 'partition.rate',
    table,
    rows: dec(rate.rows),
    bytes: dec(rate.bytes),
    ms: Math.round(rate.ms),
    bytesPerHour: dec(rate.perHour),
    lanes: rate.workers,
    ...(slices === undefined && rate.workers > 1 ? { partitionPerHour: dec(rate.perHour / BigInt(rate.workers)) } : {}),
    written: rate.onlyRead === null,
    note: rate.notMeasured.join('; '),
    ...(windowMs === undefined ? {} : { neededPerHour: dec(neededPerHour(largest, windowMs)), windowMs }),
  }
}

function fields(
  { from, to, rows, off, bytes }: FilledSlice,
  ms: number | null,
  { windowMs }: Options,
): Omit<PartitionForecastEvent, 'type' | 'table' | 'label'> {
  return {
    from,
    to,
    rows: dec(rows),
    estimated: off !== null,
    ...(off === null ? {} : { off: dec(off) }),
    bytes: dec(bytes),
    ...(ms === null || !Number.isFinite(ms) ? {} : { ms }),
    ...(ms === null || windowMs === undefined ? {} : { fits: ms <= windowMs }),
  }
}
