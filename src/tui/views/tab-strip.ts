/** Tab titles next to each other. If not all fit, the open one stays visible. */
import { lineWidth, span, type Line, type Span } from '../draw/line.ts'

/**
 * @param tabs title of each tab, together with the gap next to it
 * @param open index of the open tab
 * @returns a line that may be wider than `cells`; its end is then cut
 */
export function tabStrip(tabs: readonly Line[], open: number, cells: number): Line {
  const upTo = (from: number): Line => tabs.slice(from, open + 1).flat()
  let from = 0
  // The last cell is reserved for the mark that shows that the line was cut.
  while (from < open && lineWidth(upTo(from)) + (from === 0 ? 0 : 1) > cells - 1) from += 1
  const shown: readonly Span[] = tabs.slice(from).flat()
  return from === 0 ? shown : [span('…', 'muted'), ...shown]
}
