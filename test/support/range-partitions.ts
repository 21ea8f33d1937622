/** Partitions as a system lists them, for functions that read only bounds and names. */
import { boundsFor } from '../../src/model/calendar/bounds.ts'
import type { CalendarSpec } from '../../src/model/calendar/calendar.ts'
import { nextPeriod, periodOf, type Period } from '../../src/model/calendar/period.ts'
import type { ValueKind } from '../../src/model/calendar/value-text.ts'
import type { RangePartition } from '../../src/model/partition/maintenance-port.ts'

export function rangePartition(
  name: string,
  from: string | null,
  to: string | null,
  isDefault = false,
): RangePartition {
  return { name: { name }, identity: name, from, to, isDefault, rows: null, bytes: null }
}

/** `count` consecutive periods. @param day a day of the first period */
export function periodsFrom(spec: CalendarSpec, day: string, count: number): readonly Period[] {
  const first = periodOf(spec, day)
  return Array.from({ length: count }, (_, n) => nextPeriod(spec, first, n))
}

/** Partitions of periods; a day that its time zone skipped has none. */
export function partitionsOf(
  spec: CalendarSpec,
  kind: ValueKind,
  periods: readonly Period[],
  nameOf: (period: Period, n: number) => string = (_, n) => `part ${String.fromCodePoint(97 + n)}`,
): readonly RangePartition[] {
  return periods.flatMap((period, n) => {
    const { from, to } = boundsFor(spec, period, kind)
    return from === to ? [] : [rangePartition(nameOf(period, n), from, to)]
  })
}
