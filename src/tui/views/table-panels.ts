/** Panels below the list where there is room: bytes by folder, and the tables that need somebody. */
import { bar } from '../draw/bars.ts'
import { bytes, plural } from '../draw/format.ts'
import type { Line, Span } from '../draw/line.ts'
import { line, span, spread } from '../draw/line.ts'
import { cutMiddle, padEnd } from '../draw/text.ts'
import { marksOf } from '../draw/theme.ts'
import type { State } from '../state/state.ts'
import { isRefused } from './states.ts'

/** The folders with the most bytes. */
export function folderBars(state: State, cells: number, rows: number): Line[] {
  const sums = new Map<string, number>()
  for (const row of state.slots.tables.value ?? []) {
    if (row.kind !== 'delta' || row.bytes === null) continue
    const folder = row.name.includes('/') ? row.name.slice(0, row.name.indexOf('/')) : row.name
    sums.set(folder, (sums.get(folder) ?? 0) + row.bytes)
  }
  const folders = [...sums].toSorted((a, b) => b[1] - a[1]).slice(0, rows)
  const top = folders[0]?.[1] ?? 0
  const barCells = Math.max(4, cells - 24)
  return folders.map(([folder, size]) => [
    span(` ${padEnd(cutMiddle(folder, 9), 9)} `),
    span(padEnd(bar(top === 0 ? 0 : size / top, barCells, state.ascii), barCells), 'info'),
    span(bytes(size).padStart(11)),
  ])
}

/** Tables that are broken, differ, were stopped or are behind, the worst first. */
export function needy(state: State, cells: number, rows: number): Line[] {
  const marks = marksOf(state.ascii)
  const told: { readonly order: number; readonly line: Line }[] = []
  for (const row of state.slots.tables.value ?? []) {
    if (row.kind !== 'delta') continue
    const say = (order: number, mark: Span, text: string, key: string): void => {
      const left: Line = [span(' '), mark, span(` ${padEnd(cutMiddle(row.name, 17), 17)} ${text}`)]
      told.push({ order, line: spread(left, line(key === '' || cells < 70 ? '' : ` ${key} `, 'muted'), cells) })
    }
    if (row.error !== null && !isRefused(row)) say(0, span(marks.bad, 'bad'), row.error.message, 'enter: what to do')
    else if (row.error !== null) say(5, span(marks.refused, 'warn'), row.error.message, '')
    else if (row.proof.state === 'differs')
      say(
        1,
        span(marks.bad, 'bad'),
        `${plural(row.proof.differences, 'difference')} from the log at v${row.proof.version}`,
        'v looks again',
      )
    else if (row.catalog.state === 'failed') say(2, span(marks.bad, 'bad'), row.catalog.error.message, 'i tries again')
    else if (row.catalog.state === 'unfinished')
      say(
        3,
        span(marks.unfinished, 'warn'),
        `stopped at ${row.catalog.version === null ? `${row.catalog.percent} %` : `v${row.catalog.version}`}, i goes on from there`,
        '',
      )
    else if (row.catalog.state === 'behind')
      say(4, span(marks.behind, 'warn'), `${plural(row.catalog.commits, 'commit')} behind, i brings them`, '')
  }
  return told
    .toSorted((a, b) => a.order - b.order)
    .slice(0, rows)
    .map((t) => t.line)
}
