/** The palette: commands that work now, found by name. */
import { indexNow, wholeList } from '../state/kept-cursor.ts'
import { KEYMAP, type KeyCommand } from '../keymap/bindings.ts'
import type { Binding } from '../keymap/binding.ts'
import { shownKeyName, workingBindings } from '../keymap/lookup.ts'
import type { CommandForm } from '../../app/command-port.ts'
import type { TableRow } from '../../model/lake/answers.ts'
import { listWord, listWords } from '../form/words.ts'
import { chosen, fit, line, span, spreadLine, type Line } from '../draw/line.ts'
import { clean } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import type { State } from '../state/state.ts'
import { targetRows } from '../screens/tables/tables-list.ts'

/** A palette entry: a key command, a key command for a named table, or a command form. */
export type PaletteEntry =
  | { readonly binding: Binding<KeyCommand>; readonly row: TableRow | null }
  /** `words`: words typed after the command. */
  | { readonly form: CommandForm; readonly words: readonly string[] }

/** Commands that take a table name; commands of OF_KNOWN_TABLES need a table in the catalog. */
const OF_TABLES: ReadonlySet<KeyCommand> = new Set(['import', 'fsck'])
const OF_KNOWN_TABLES: ReadonlySet<KeyCommand> = new Set(['validate', 'compare'])
const MOST_TABLES = 100

/**
 * Entries that match the typed text: key commands, commands for a named table, forms. Among key commands and among
 * forms, those that begin with the text come first.
 */
export function paletteEntries(state: State): readonly PaletteEntry[] {
  const field = state.dialog?.kind === 'palette' ? state.dialog.field.text : ''
  const typed = field.trim().toLowerCase()
  const open: State = { ...state, dialog: null }
  const all = workingBindings(open).filter((b) => b.palette === true)
  const words = typed.split(/\s+/).filter((w) => w !== '')
  const fits = all.filter((b) => words.every((w) => `${b.command} ${b.label}`.toLowerCase().includes(w)))
  const begins = (b: Binding<KeyCommand>): boolean =>
    b.label.toLowerCase().startsWith(typed) || b.command.startsWith(typed)
  const commands = [...fits.filter(begins), ...fits.filter((b) => !begins(b))]
  const named = /\s/.test(field.trimStart()) ? namedTables(state, words) : []
  const { whole, some } = formsFor(state, field)
  const keys = commands.map((binding) => ({ binding, row: null }))
  // With a command and a table name, prefer commands for that table.
  if (words.length > 1) return [...keys, ...named, ...whole, ...some]
  // An exact name comes before names that only begin with it.
  const isNamed = (entry: PaletteEntry): boolean =>
    'form' in entry ? entry.form.words.join(' ') === typed : entry.binding.command === typed
  const rest = [...keys, ...named, ...some]
  return [...whole, ...rest.filter(isNamed), ...rest.filter((entry) => !isNamed(entry))]
}

/**
 * Forms that match the text. `whole`: the form whose full name the text begins with, and the words after the name.
 * `some`: all forms that contain every word; empty if there is a `whole` one.
 */
function formsFor(
  { forms }: State,
  text: string,
): { readonly whole: readonly PaletteEntry[]; readonly some: readonly PaletteEntry[] } {
  const typed = text.trimStart().replace(/^sluice\s+/, '')
  const named = forms
    .filter(({ words }) => typed.startsWith(`${words.join(' ')} `))
    .toSorted((a, b) => b.words.length - a.words.length)[0]
  if (named !== undefined) {
    const words = typedWords(typed.slice(named.words.join(' ').length))
    return { whole: [{ form: named, words }], some: [] }
  }
  const wanted = typed.toLowerCase().trim().split(/\s+/)
  const name = (form: CommandForm): string => form.words.join(' ')
  const fits = forms.filter((form) =>
    wanted.every((word) => `${name(form)} ${form.summary} ${form.group}`.toLowerCase().includes(word)),
  )
  const begins = (form: CommandForm): boolean => name(form).startsWith(typed.trim())
  const ordered = [...fits.filter(begins), ...fits.filter((form) => !begins(form))]
  return { whole: [], some: ordered.map((form) => ({ form, words: [] })) }
}

/** Words split as in a shell, or at blanks if a quote is not closed. */
function typedWords(text: string): readonly string[] {
  try {
    return listWords(text)
  } catch {
    return text.split(/\s+/).filter((word) => word !== '')
  }
}

/** Entries for a command and each table that matches the words after the command. Works on every screen. */
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

/** Text after tab: the chosen command and its table. */
export function completedEntry(entry: PaletteEntry): string {
  if ('form' in entry) return [...entry.form.words, ...entry.words.map(listWord), ''].join(' ')
  const { binding, row } = entry
  return row === null ? `${binding.command} ` : `${binding.command} ${row.name}`
}

/** Text about the object of a command; empty if the object is the row under the cursor. */
function on({ binding, row }: Extract<PaletteEntry, { row: unknown }>, state: State): string {
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
  if (entries.length === 0) return [line(' no command of that name works here', 'muted')]
  return entries.slice(top, top + rows).map((entry, i) => {
    const here = top + i === cursor
    if ('form' in entry) {
      const [name, text] = [entry.form.words.join(' '), entry.form.summary]
      const front: Line = [span(` ${here ? marks.row : ' '} ${name} …`), span(`  ${text}`, 'muted')]
      const drawn = fit(front, cells)
      return here ? chosen(drawn, cells) : drawn
    }
    const { binding, row } = entry
    const drawn = spreadLine(
      line(` ${here ? marks.row : ' '} ${binding.label}${clean(on(entry, state))}`),
      line(`${row === null ? binding.keys.map(shownKeyName).join(' ') : ''} `, 'muted'),
      cells,
    )
    return here ? chosen(drawn, cells) : drawn
  })
}

const entryName = (entry: PaletteEntry): string =>
  'form' in entry ? `form ${entry.form.words.join(' ')}` : `${entry.binding.command} ${entry.row?.key ?? ''}`

/** Keeps the cursor on its entry when entries are added or removed. */
export function keepPaletteCursor(before: State, after: State): State {
  const [was, now] = [before.dialog, after.dialog]
  if (was?.kind !== 'palette' || was !== now) return after
  const cursor = indexNow(was.cursor, wholeList(paletteEntries(before)), wholeList(paletteEntries(after)), entryName)
  return cursor === null || cursor === was.cursor ? after : { ...after, dialog: { ...was, cursor } }
}
