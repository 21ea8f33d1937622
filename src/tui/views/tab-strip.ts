/** Titles side by side of which one is open: where not all have room, that one is in sight all the same. */
import type { Line, Span } from '../draw/line.ts'
import { lineWidth, span } from '../draw/line.ts'

/**
 * @param tabs each with the gap that belongs to it @param open index of the one that is open @returns as wide as it is;
 * it may be cut at its end
 */
export function tabStrip(tabs: readonly Line[], open: number, cells: number): Line {
  const upTo = (from: number): Line => tabs.slice(from, open + 1).flat()
  let from = 0
  // The last cell is that of the mark which says that more follows.
  while (from < open && lineWidth(upTo(from)) + (from === 0 ? 0 : 1) > cells - 1) from += 1
  const shown: readonly Span[] = tabs.slice(from).flat()
  return from === 0 ? shown : [span('…', 'muted'), ...shown]
}
