/** The palette: what can be done now, found by name. */
import type { Binding, Command } from '../keymap/bindings.ts'
import { shownKey, workingBindings } from '../keymap/lookup.ts'
import type { Line } from '../draw/line.ts'
import { chosen, line, spread } from '../draw/line.ts'
import { marksOf } from '../draw/theme.ts'
import type { State } from '../state/state.ts'
import { targetRows } from '../state/tables-list.ts'

/** Commands that match what is typed: those that begin with it first, then those that hold every word. */
export function paletteEntries(state: State): readonly Binding<Command>[] {
  const typed = state.dialog?.kind === 'palette' ? state.dialog.field.text.trim().toLowerCase() : ''
  const open: State = { ...state, dialog: null }
  const all = workingBindings(open).filter((b) => b.palette === true)
  const words = typed.split(/\s+/).filter((w) => w !== '')
  const fits = all.filter((b) => words.every((w) => `${b.command} ${b.label}`.toLowerCase().includes(w)))
  const begins = (b: Binding<Command>): boolean =>
    b.label.toLowerCase().startsWith(typed) || b.command.startsWith(typed)
  return [...fits.filter(begins), ...fits.filter((b) => !begins(b))]
}

/** What the command would act on, where that is not the row everybody sees. */
function on(binding: Binding<Command>, state: State): string {
  if (!binding.group.startsWith('ACT') || state.tables.marks.size === 0) return ''
  const rows = targetRows(state)
  return binding.command === 'rollback' || binding.keys.length === 0 ? '' : `  · ${rows.length} marked`
}

/** Rows of the palette, at most `rows`. */
export function paletteLines(state: State, cells: number, rows: number): Line[] {
  const marks = marksOf(state.ascii)
  const entries = paletteEntries(state)
  const cursor = state.dialog?.kind === 'palette' ? state.dialog.cursor : 0
  const top = Math.max(0, Math.min(cursor - rows + 1, entries.length - rows))
  if (entries.length === 0) return [line(' nothing of that name works here', 'muted')]
  return entries.slice(top, top + rows).map((b, i) => {
    const here = top + i === cursor
    const drawn = spread(
      line(` ${here ? marks.row : ' '} ${b.label}${on(b, state)}`),
      line(`${b.keys.map(shownKey).join(' ')} `, 'muted'),
      cells,
    )
    return here ? chosen(drawn, cells) : drawn
  })
}
