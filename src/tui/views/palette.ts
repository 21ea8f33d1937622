/** The palette: what can be done now, found by name. */
import type { Binding, Command } from '../keymap/bindings.ts'
import { KEYMAP } from '../keymap/bindings.ts'
import { shownKey, workingBindings } from '../keymap/lookup.ts'
import type { TableRow } from '../../engine/workbench.ts'
import type { Line } from '../draw/line.ts'
import { chosen, line, spread } from '../draw/line.ts'
import { clean } from '../draw/text.ts'
import { marksOf } from '../draw/theme.ts'
import type { State } from '../state/state.ts'
import { targetRows } from '../state/tables-list.ts'

/** What can be chosen: a command, or one for a table that was named behind it. */
export type PaletteEntry = { readonly binding: Binding<Command>; readonly row: TableRow | null }

/** Commands that take the name of a table; those of the second list want one that is in the catalog. */
const OF_TABLES: ReadonlySet<Command> = new Set(['import', 'fsck'])
const OF_KNOWN_TABLES: ReadonlySet<Command> = new Set(['validate', 'compare'])
const MOST_TABLES = 100

/** Commands that match what is typed: those that begin with it first, then those that hold every word, then tables that the words behind a command name. */
export function paletteEntries(state: State): readonly PaletteEntry[] {
  const field = state.dialog?.kind === 'palette' ? state.dialog.field.text : ''
  const typed = field.trim().toLowerCase()
  const open: State = { ...state, dialog: null }
  const all = workingBindings(open).filter((b) => b.palette === true)
  const words = typed.split(/\s+/).filter((w) => w !== '')
  const fits = all.filter((b) => words.every((w) => `${b.command} ${b.label}`.toLowerCase().includes(w)))
  const begins = (b: Binding<Command>): boolean =>
    b.label.toLowerCase().startsWith(typed) || b.command.startsWith(typed)
  const commands = [...fits.filter(begins), ...fits.filter((b) => !begins(b))]
  const named = /\s/.test(field.trimStart()) ? namedTables(state, words) : []
  return [...commands.map((binding) => ({ binding, row: null })), ...named]
}

/** Tables that fit the words behind a command, whichever screen is open. */
function namedTables(state: State, [first = '', ...rest]: readonly string[]): readonly PaletteEntry[] {
  const rows = (state.slots.tables.value ?? []).filter(
    (row) => row.kind === 'delta' && rest.every((word) => row.name.toLowerCase().includes(word)),
  )
  const entries: PaletteEntry[] = []
  for (const binding of KEYMAP) {
    const isKnown = OF_KNOWN_TABLES.has(binding.command)
    if (binding.command !== first || !(isKnown || OF_TABLES.has(binding.command))) continue
    if (binding.command === 'import' && state.lake === null) continue
    const fitting = isKnown ? rows.filter((row) => row.catalog.state !== 'none') : rows
    entries.push(...fitting.slice(0, MOST_TABLES).map((row) => ({ binding, row })))
  }
  return entries
}

/** What tab makes of what is typed: the chosen command, and its table. */
export function completed({ binding, row }: PaletteEntry): string {
  return row === null ? `${binding.command} ` : `${binding.command} ${row.name}`
}

/** What the command would act on, where that is not the row everybody sees. */
function on({ binding, row }: PaletteEntry, state: State): string {
  if (row !== null) return `  · ${row.name}`
  if (!binding.group.startsWith('ACT') || state.tables.marks.size === 0) return ''
  const rows = targetRows(state)
  return binding.command === 'rollback' || (binding.keys.length === 0 && binding.command !== 'fsck')
    ? ''
    : `  · ${rows.length} marked`
}

/** Rows of the palette, at most `rows`. */
export function paletteLines(state: State, cells: number, rows: number): Line[] {
  const marks = marksOf(state.ascii)
  const entries = paletteEntries(state)
  const cursor = state.dialog?.kind === 'palette' ? state.dialog.cursor : 0
  const top = Math.max(0, Math.min(cursor - rows + 1, entries.length - rows))
  if (entries.length === 0) return [line(' nothing of that name works here', 'muted')]
  return entries.slice(top, top + rows).map((entry, i) => {
    const { binding, row } = entry
    const here = top + i === cursor
    const drawn = spread(
      line(` ${here ? marks.row : ' '} ${binding.label}${clean(on(entry, state))}`),
      line(`${row === null ? binding.keys.map(shownKey).join(' ') : ''} `, 'muted'),
      cells,
    )
    return here ? chosen(drawn, cells) : drawn
  })
}
