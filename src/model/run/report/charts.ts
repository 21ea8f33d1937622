/** Charts of a report as inline SVG: colours come from the page, every value is written out. */
import type { CurvePoint } from '../run-history.ts'
import { escaped } from './escaped.ts'

export type Bar = { readonly label: string; readonly value: number }

const WIDE = 460
const LABEL = 110
const STEP = 26
const HIGH = 220
const EDGE = 34

/** One bar per line, scaled to the largest. */
export function barsSvg(title: string, bars: readonly Bar[]): string {
  const most = Math.max(1, ...bars.map(({ value }) => value))
  const room = WIDE - LABEL - 80
  const lines = bars.map(({ label, value }, i) => {
    const wide = value === 0 ? 0 : Math.max(2, (value / most) * room)
    const y = i * STEP
    return (
      `<text x="${LABEL - 10}" y="${y + 17}" text-anchor="end">${escaped(label)}</text>` +
      `<rect x="${LABEL}" y="${y + 4}" width="${wide.toFixed(1)}" height="${STEP - 8}"/>` +
      `<text x="${(LABEL + wide + 8).toFixed(1)}" y="${y + 17}">${value}</text>`
    )
  })
  return framedSvg(title, bars.length * STEP, lines.join(''))
}

/** Work done over time; samples are joined by straight lines. */
export function curveSvg(title: string, points: readonly CurvePoint[]): string {
  const [first, last] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 0]
  const most = Math.max(1, ...points.map(({ done }) => done))
  const x = (at: number): number => EDGE + ((at - first) / Math.max(1, last - first)) * (WIDE - 2 * EDGE)
  const y = (done: number): number => HIGH - EDGE - (done / most) * (HIGH - 2 * EDGE)
  const path = points.map(({ at, done }) => `${x(at).toFixed(1)},${y(done).toFixed(1)}`).join(' ')
  const floor = HIGH - EDGE
  return framedSvg(
    title,
    HIGH,
    `<path class="axis" d="M${EDGE} ${EDGE}V${floor}H${WIDE - EDGE}"/><polyline points="${path}"/>` +
      `<text x="${EDGE}" y="${EDGE - 10}">${most} done</text><text x="${EDGE}" y="${floor + 20}">0 s</text>` +
      `<text x="${WIDE - EDGE}" y="${floor + 20}" text-anchor="end">${((last - first) / 1000).toFixed(1)} s</text>`,
  )
}

function framedSvg(title: string, high: number, body: string): string {
  const name = escaped(title)
  return `<figure><figcaption>${name}</figcaption><svg viewBox="0 0 ${WIDE} ${high}" role="img" aria-label="${name}">${body}</svg></figure>`
}
