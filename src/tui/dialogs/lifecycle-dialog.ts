/** Lifecycle phases of a table as a dialog, with a cursor on the commands. */
import { chosen, line, lineText, span, type Line } from '../draw/line.ts'
import { clean, cutMiddle } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import { chosenCommand, commandsOf, READING_LIFECYCLE, type LifecycleShown } from '../screens/tables/lifecycle-shown.ts'
import type { State } from '../state/state.ts'
import { boxed, type Box, type Of } from './box.ts'
import { lifecycleRows, lifecycleTitle, type LifecycleRow } from '../screens/tables/lifecycle.ts'

const MOST_CELLS = 140
const NAME = 40

/** The phases, urgent ones first. */
export function lifecycleBox(d: Of<'lifecycle'>, state: State): Box {
  const cells = cellsOf(state)
  const { shown, rows, room } = drawn(d, state)
  const command = chosenCommand(shown, d.chosen)
  const top = Math.max(0, Math.min(d.top, rows.length - room))
  const marks = marksOf(state.ascii)
  const body = rows.slice(top, top + room).map((row, at): Line => {
    if (command === null || row.command !== command) return row.line
    const isFirst = rows[top + at - 1]?.command !== command
    const text = lineText(row.line)
    return chosen(line(isFirst ? `${marks.row} ${text.slice(2)}` : text), cells - 4)
  })
  const keys = [
    ...(command === null ? [] : ['enter shows its plan']),
    ...(commandsOf(shown).length > 1 ? ['j k another'] : rows.length > room ? ['j k scroll'] : []),
    ...(command === null ? [] : ['y copies']),
    'R reads again',
    'esc closes',
    ...(rows.length > room ? [`${top + 1}–${Math.min(rows.length, top + room)} of ${rows.length}`] : []),
  ]
  const title: Line = [span(`${cutMiddle(clean(d.row.name), NAME)} · ${lifecycleTitle(shown)}`, 'strong')]
  return boxed(state, title, body, keys.join(' · '), cells)
}

/** The dialog after a key: `j` and `k` choose another command, or scroll if there is no command; page keys scroll. */
export function movedLifecycle(d: Of<'lifecycle'>, state: State, by: number): Of<'lifecycle'> {
  const { shown, rows, room } = drawn(d, state)
  const last = Math.max(0, rows.length - room)
  const all = commandsOf(shown)
  const now = chosenCommand(shown, d.chosen)
  if (now === null || Math.abs(by) > 1) {
    return { ...d, top: Math.max(0, Math.min(last, Math.min(d.top, last) + by)) }
  }
  const chosenNext = all[Math.max(0, Math.min(all.length - 1, all.indexOf(now) + by))] ?? now
  const from = rows.findIndex(({ command }) => command === chosenNext)
  const to = rows.findLastIndex(({ command }) => command === chosenNext)
  const top = Math.max(Math.min(d.top, from), to - room + 1)
  return { ...d, chosen: chosenNext, top: Math.max(0, Math.min(last, top)) }
}

function drawn(
  d: Of<'lifecycle'>,
  state: State,
): { readonly shown: LifecycleShown; readonly rows: readonly LifecycleRow[]; readonly room: number } {
  const shown = state.lifecycles.get(d.row.key) ?? READING_LIFECYCLE
  return { shown, rows: lifecycleRows(shown, cellsOf(state) - 4), room: Math.max(3, state.size.rows - 4) }
}

const cellsOf = ({ size }: State): number => Math.min(size.columns, MOST_CELLS)
