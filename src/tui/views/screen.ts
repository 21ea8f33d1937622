/** The full screen as exactly `rows` lines of exactly `columns` cells. */
import { percent } from '../../render/screen-format.ts'
import { cutEnd } from '../../render/screen-text.ts'
import { dialogBox } from '../dialogs/view.ts'
import { block, line, overlay, type Line } from '../draw/line.ts'
import { runProgress } from '../run/run-view.ts'
import { openScreen } from '../screens/index.ts'
import { geometry, SMALLEST } from '../state/geometry.ts'
import { activeRun } from '../state/selectors.ts'
import type { State } from '../state/state.ts'
import { footLine, screenHeadLines } from './frame.ts'

function tooSmall(state: State): Line[] {
  const { columns: w, rows: h } = state.size
  const run = activeRun(state)
  const goes = run === undefined ? '' : ` Run continues, ${percent(runProgress(run))}`
  const lines = [`Too small for sluice: ${w}×${h}.`, `Make it ${SMALLEST.columns}×${SMALLEST.rows}.${goes}`]
  return block(
    lines.map((t) => line(cutEnd(t, w))),
    w,
    h,
  )
}

/** Draws the state. */
export function drawScreen(state: State): Line[] {
  const { columns: cells, rows } = state.size
  if (geometry(state).mode === 'small') return tooSmall(state)
  const screen = block(
    [...screenHeadLines(state, cells), ...openScreen(state).draw(state, cells), footLine(state, cells)],
    cells,
    rows,
  )
  if (state.dialog === null) return screen
  const box = dialogBox(state.dialog, state)
  const x = Math.max(0, Math.floor((cells - box.cells) / 2))
  const y = box.top ? 0 : Math.max(0, Math.floor((rows - box.lines.length) / 2))
  return overlay(screen, box.lines, x, y, cells)
}
