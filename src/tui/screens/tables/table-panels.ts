/** Panels below the list: bytes by folder, and tables that need attention. */
import { bar } from '../../draw/bars.ts'
import { bytes } from '../../../render/screen-format.ts'
import type { Line } from '../../draw/line.ts'
import { chosen, line, span, spreadLine } from '../../draw/line.ts'
import { cutMiddle, padEnd } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import type { State } from '../../state/state.ts'
import { attentionIndex, attentionRows } from './attention.ts'

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

/** Tables that need attention, scrolled so that the cursor is visible. */
export function attentionPanel(state: State, cells: number, rows: number): Line[] {
  const marks = marksOf(state.ascii)
  const all = attentionRows(state)
  const at = state.focus === 'needs' ? attentionIndex(state, all) : -1
  const top = Math.max(0, Math.min(at - rows + 1, all.length - rows))
  return all.slice(top, top + rows).map(({ mark, name, what, foot }, i) => {
    const left: Line = [
      span(' '),
      span(marks[mark], mark === 'bad' ? 'bad' : 'warn'),
      span(` ${padEnd(cutMiddle(name, 17), 17)} ${what}`),
    ]
    const here = top + i === at
    const drawn = spreadLine(left, line(foot === '' || cells < 70 ? '' : ` ${foot} `, 'muted'), cells)
    return here ? chosen(drawn, cells) : drawn
  })
}
