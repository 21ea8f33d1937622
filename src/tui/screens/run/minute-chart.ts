/** Work per second over the last minute, as columns. */
import { shownCount } from '../../../render/screen-format.ts'
import { block, rule, span, type Line } from '../../draw/line.ts'
import { perSecond, type RunView } from '../../run/run-view.ts'

const LABEL = 9
const SECONDS = 60

/** The chart in `cells` × `rows`, including its title. */
export function minuteChart(run: RunView, cells: number, rows: number, ascii: boolean): Line[] {
  const values = perSecond(run).slice(-SECONDS)
  const top = Math.max(0, ...values)
  const height = rows - 1
  const wide = Math.max(1, Math.floor((cells - LABEL - 2) / SECONDS))
  const padded = [...Array.from({ length: SECONDS - values.length }, () => 0), ...values]
  const full = ascii ? '#' : '█'
  const half = ascii ? '.' : '▄'
  const lines = Array.from({ length: height }, (_, i): Line => {
    const floor = height - 1 - i
    const cellsOf = padded.map((v) => {
      const level = top === 0 ? 0 : (v / top) * height
      return (level >= floor + 1 ? full : level >= floor + 0.5 ? half : ' ').repeat(wide)
    })
    const label = i % 2 === 0 && top > 0 ? shownCount(Math.round((top * (floor + 1)) / height)) : ''
    return [span(` ${label.padStart(LABEL - 1)} `, 'muted'), span(cellsOf.join(''), 'info')]
  })
  return block(
    [rule(`${run.archiving === null ? (run.plan?.unit ?? 'step') : 'row'}s a second, last 60 s`, cells), ...lines],
    cells,
    rows,
  )
}
