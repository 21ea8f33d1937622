/** Finds periods by day or by name, and the next and previous one. Bounds are days in the calendar's zone. */
import { SluiceError } from '../../shared/errors.ts'
import type { CalendarSpec } from './calendar.ts'
import { dayText, FIRST_DAY, LAST_DAY, parseDay } from './civil.ts'
import { exampleOf, labelOf, ordinalAt } from './label.ts'
import { ordinalOf, periodStart } from './ordinal.ts'

/** `YYYY-MM-DD` in the calendar's zone, `from` inclusive, `to` exclusive. Periods sort by `from`. */
export type Period = {
  readonly label: string
  readonly from: string
  readonly to: string
}

/** Maximum number of periods in a list: more means that the calendar does not fit the table. */
export const MOST_PERIODS = 100_000

/**
 * The period that contains a day (`YYYY-MM-DD`). The period and its year must lie in the years 1 to 9999, `to`
 * included.
 * @throws SluiceError BAD_FLAG
 */
export function periodOf(spec: CalendarSpec, day: string): Period {
  return periodNumbered(spec, ordinalOf(spec, parseDay(day)))
}

/** The period with a label. @throws SluiceError BAD_FLAG if there is none, with an example of a label */
export function periodAt(spec: CalendarSpec, label: string): Period {
  const ordinal = ordinalAt(spec, label.trim())
  if (ordinal === null) {
    throw new SluiceError('BAD_FLAG', `this calendar has no ${spec.unit} ${JSON.stringify(label)}`, {
      hint: `write a ${spec.unit} like ${exampleOf(spec)}`,
    })
  }
  return periodNumbered(spec, ordinal)
}

/** @param n how many periods later. @throws SluiceError BAD_FLAG */
export function nextPeriod(spec: CalendarSpec, period: Period, n = 1): Period {
  return periodNumbered(spec, ordinalOf(spec, parseDay(period.from)) + n)
}

/**
 * All periods with days from `from` (inclusive) to `to` (exclusive), `YYYY-MM-DD`, in order, computed lazily.
 * @throws SluiceError BAD_FLAG, immediately, for more than MOST_PERIODS
 */
export function periodsBetween(spec: CalendarSpec, from: string, to: string): Iterable<Period> {
  const [first, end] = [parseDay(from), parseDay(to)]
  if (first >= end) return []
  const [low, high] = [ordinalOf(spec, first), ordinalOf(spec, end - 1)]
  const count = high - low + 1
  if (count > MOST_PERIODS) {
    throw new SluiceError('BAD_FLAG', `too many periods from ${from} to ${to}: ${count} of one ${spec.unit} each`, {
      reason: `the limit is ${MOST_PERIODS} periods`,
      hint: 'give a larger unit, such as month or quarter',
    })
  }
  return {
    *[Symbol.iterator]() {
      for (let ordinal = low; ordinal <= high; ordinal++) yield periodNumbered(spec, ordinal)
    },
  }
}

/** As `periodOf`, by day number (civil.ts); null if the period lies outside of the years 1 to 9999. */
export function periodOfNumber(spec: CalendarSpec, day: number): Period | null {
  return periodIfNamed(spec, ordinalOf(spec, day))
}

function periodNumbered(spec: CalendarSpec, ordinal: number): Period {
  const period = periodIfNamed(spec, ordinal)
  if (period !== null) return period
  throw new SluiceError('BAD_FLAG', `a ${spec.unit} of this calendar lies outside of the years 1 to 9999`, {
    hint: 'give a nearer day, or a smaller year-offset',
  })
}

function periodIfNamed(spec: CalendarSpec, ordinal: number): Period | null {
  const [from, to] = [periodStart(spec, ordinal), periodStart(spec, ordinal + 1)]
  const label = from >= FIRST_DAY && to <= LAST_DAY ? labelOf(spec, ordinal) : null
  return label === null ? null : { label, from: dayText(from), to: dayText(to) }
}
