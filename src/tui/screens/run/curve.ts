/** Progress of a run over its time, as columns. */
import type { CurvePoint } from '../../../app/workbench.ts'
import { bytes, shortRate, timeOfDay } from '../../../render/screen-format.ts'

const HEIGHT = 6
const LABEL = 9
const EIGHTHS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
const PLAIN = [' ', '.', '.', '.', ':', ':', ':', '#', '#']

/**
 * Work per second, and lag of a replication stream.
 * @param cells width of a line
 */
export function curveLines(points: readonly CurvePoint[], cells: number, ascii: boolean): readonly string[] {
  const [first] = points
  const last = points.at(-1)
  if (first === undefined || last === undefined || points.length < 2) return []
  const width = Math.max(10, Math.min(120, cells - LABEL - 1))
  const times = `${' '.repeat(LABEL + 1)}${timeOfDay(first.at)}${timeOfDay(last.at).padStart(Math.max(1, width - 8))}`
  const lags = points.flatMap(({ at, lag }) => (lag === null ? [] : [{ at, value: lag }]))
  return [
    'a second',
    ...chart(resampled(ratesOf(points), width), ascii, shortRate),
    times,
    ...(lags.length === 0 ? [] : ['', 'behind', ...chart(resampled(lags, width), ascii, bytes), times]),
  ]
}

type Valued = { readonly at: number; readonly value: number }

function ratesOf(points: readonly CurvePoint[]): readonly Valued[] {
  return points.slice(1).map(({ at, done }, i) => {
    const before = points[i] ?? { at, done }
    const ms = Math.max(1, at - before.at)
    return { at, value: Math.max(0, ((done - before.done) * 1000) / ms) }
  })
}

/** Mean of the values in the time of each column; a column without a value takes the next value. */
function resampled(values: readonly Valued[], width: number): readonly number[] {
  const from = values[0]?.at ?? 0
  const span = Math.max(1, (values.at(-1)?.at ?? 0) - from)
  let next = 0
  return Array.from({ length: width }, (_, column) => {
    const end = from + (span * (column + 1)) / width
    const begin = next
    while (next < values.length - 1 && (values[next]?.at ?? 0) < end) next += 1
    const some = values.slice(begin, Math.max(begin + 1, next))
    return some.reduce((sum, { value }) => sum + value, 0) / Math.max(1, some.length)
  })
}

function chart(values: readonly number[], ascii: boolean, label: (value: number) => string): readonly string[] {
  const top = Math.max(0, ...values)
  const signs = ascii ? PLAIN : EIGHTHS
  return Array.from({ length: HEIGHT }, (_, row) => {
    const floor = HEIGHT - 1 - row
    const columns = values.map((value) => {
      const level = top === 0 ? 0 : (value / top) * HEIGHT - floor
      return signs[Math.max(0, Math.min(8, Math.round(level * 8)))] ?? ' '
    })
    return `${(row === 0 ? label(top) : '').padStart(LABEL)} ${columns.join('')}`
  })
}
