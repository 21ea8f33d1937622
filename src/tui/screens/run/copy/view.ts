/** The Run screen of a copy. */
import { block, rule, type Line } from '../../../draw/line.ts'
import { cutEnd } from '../../../../render/screen-text.ts'
import type { CopyProgress } from '../../../run/copy/copy-progress.ts'
import type { RunView } from '../../../run/run-view.ts'
import { shownTable } from './copy-shown.ts'
import { copyLayout } from './copy-layout.ts'
import { geometry } from '../../../state/geometry.ts'
import type { LogEntry } from '../../../../render/log-entry.ts'
import type { State } from '../../../state/state.ts'
import { logLines } from '../../tables/activity.ts'
import { minuteChart } from '../minute-chart.ts'
import { chunkDetail, chunkList } from './chunks.ts'
import { endingLines } from './ending.ts'
import { copyHead } from './head.ts'
import { copyWorkers } from './workers.ts'
import { streamTables } from './stream-tables.ts'
import { keyStrip, legend } from './strip.ts'
import { tableList } from './tables.ts'

/** The newest log lines: the last one wrapped if it fits, the others cut to one row. */
export function newestLines(state: State, rows: number, cells: number): Line[] {
  const entries = state.log.entries.slice(-rows)
  const inOneRow = (entry: LogEntry): Line[] => logLines({ ...entry, text: cutEnd(entry.text, cells - 11) }, cells)
  const last = entries.at(-1)
  if (last === undefined) return []
  const whole = logLines(last, cells)
  const end = whole.length <= Math.max(1, Math.floor(rows / 2)) ? whole : inOneRow(last)
  const others = entries.slice(0, -1).flatMap(inOneRow)
  return [...others.slice(Math.max(0, others.length + end.length - rows)), ...end]
}

/** The screen, `cells` wide and as high as the body. */
export function copyScreen(state: State, run: RunView, copy: CopyProgress, cells: number): Line[] {
  const { body } = geometry(state)
  const layout = copyLayout(state, run)
  const lines = copyHead(state, run, copy, cells, layout.wide)
  const part = (made: readonly Line[], rows: number): void => {
    for (let i = 0; i < layout.gap; i++) lines.push([])
    lines.push(...block(made, cells, rows))
  }
  if (layout.chart > 0) part(minuteChart(run, cells, layout.chart + 1, state.ascii), layout.chart + 1)
  if (layout.stream) {
    const titled = layout.titled ? 1 : 0
    part(streamTables(state, run, copy, layout, cells).slice(1 - titled), layout.tables + titled)
    if (layout.ending > 0) part(endingLines(run, cells), layout.ending)
    if (layout.log > 0) part([rule('log', cells), ...newestLines(state, layout.log, cells)], layout.log + 1)
    return block(lines, cells, body)
  }
  if (layout.tables > 0) part(tableList(state, run, copy, layout, cells), layout.tables + 1)
  const strip = keyStrip(shownTable(state, run), copy.tables.length > 1, cells, state.ascii)
  const meaning = layout.legend ? [...(layout.airy ? [[]] : []), legend(cells, state.ascii)] : []
  part([...strip, ...meaning], strip.length + meaning.length)
  if (layout.workers > 0) part(copyWorkers(state, run, copy, cells, layout.workers), layout.workers + 1)
  if (layout.chunks > 0) part(chunkList(state, run, layout, cells), layout.chunks + 2)
  if (layout.detail > 0) part(chunkDetail(state, run, layout, cells), layout.detail + 1)
  if (layout.ending > 0) part(endingLines(run, cells), layout.ending)
  if (layout.log > 0) {
    part([rule('log', cells), ...newestLines(state, layout.log, cells)], layout.log + 1)
  }
  return block(lines, cells, body)
}
