/**
 * The only list of keys. Dispatch, the hints in the last row, the help page, the palette and docs/KEYS.md all come from it.
 * Of several bindings with the same key the first whose condition holds wins. Keys that terminals cannot tell apart or that control
 * the flow of text (ctrl-s, ctrl-q, ctrl-i, ctrl-m, ctrl-h) are never bound.
 */
import type { State } from '../state/state.ts'
import * as is from './conditions.ts'

export type Group =
  | 'MOVE'
  | 'FIND AND SORT'
  | 'ACT on the row or the marked rows'
  | 'RUN screen'
  | 'COMPARE screen'
  | 'LOG screen'
  | 'PROGRAM'
  | 'DIALOGS'

/** Where a key goes: to the innermost open thing; `always` works everywhere. */
export type Scope = 'screen' | 'dialog' | 'always'

type Entry = {
  /** Keys as Ink reports them, by the names of `keyName`. */
  readonly keys: readonly string[]
  /** What it does, for help, palette and docs. */
  readonly label: string
  readonly when: (state: State) => boolean
  /** Short form for the last row; without one it is not hinted. */
  readonly hint?: string
  /** How the last row names the keys, where it is not the first of `keys`. */
  readonly hintKeys?: string
  /** What gives way first when the last row is short: the highest rank. */
  readonly rank?: number
  /** Searched for in the palette. Moving about is not. */
  readonly palette?: true
}

export type Binding<C extends string = string> = Entry & {
  readonly command: C
  readonly group: Group
  readonly scope: Scope
}

type Row<C extends string> = readonly [
  C,
  readonly string[],
  string,
  (state: State) => boolean,
  Partial<Omit<Entry, 'keys' | 'label' | 'when'>>?,
]

function section<const C extends string>(group: Group, scope: Scope, rows: readonly Row<C>[]): readonly Binding<C>[] {
  return rows.map(([command, keys, label, when, more]) => ({ command, keys, label, when, group, scope, ...more }))
}

const MOVE = section('MOVE', 'screen', [
  ['cursor.down', ['j', 'down'], 'one row down', is.anywhere],
  ['cursor.up', ['k', 'up'], 'one row up', is.anywhere],
  ['cursor.half-down', ['ctrl-d'], 'half a page down', is.anywhere],
  ['where.clear', ['ctrl-u'], 'clear the where (Files tab, when there is one)', is.filtered],
  ['cursor.half-up', ['ctrl-u'], 'half a page up', is.anywhere],
  ['cursor.page-down', ['pagedown'], 'a page down', is.anywhere],
  ['cursor.page-up', ['pageup'], 'a page up', is.anywhere],
  ['cursor.first', ['g', 'home'], 'first row', is.anywhere],
  ['cursor.last', ['G', 'end'], 'last row; a log follows again', is.anywhere],
  ['open', ['enter'], 'open the table', is.canOpen, { hint: 'open', rank: 0 }],
  ['open.commit', ['enter'], 'whole commit (History tab)', is.inTab('history'), { hint: 'whole commit', rank: 0 }],
  ['open.file', ['enter'], 'whole file entry (Files tab)', is.inTab('files'), { hint: 'whole entry', rank: 0 }],
  ['open.run', ['enter'], 'open the run (Runs screen)', is.runsListed, { hint: 'open', rank: 0 }],
  ['pane.next', ['tab', 'shift-tab'], 'next pane', is.panes],
  ['tab.next', [']', 'right'], 'next tab', is.panes, { hint: 'tab', hintKeys: '[ ]', rank: 4 }],
  ['tab.previous', ['[', 'left'], 'previous tab', is.panes],
])

const ACT = section('ACT on the row or the marked rows', 'screen', [
  ['import', ['i'], 'import, after showing the plan', is.canImport, { hint: 'import', rank: 1, palette: true }],
  ['plan', ['d'], 'plan only, change nothing', is.canImport, { palette: true }],
  ['validate', ['v'], 'validate against the log', is.inCatalog, { hint: 'validate', rank: 1, palette: true }],
  ['compare', ['c'], 'compare files with SQL', is.inCatalog, { hint: 'compare', rank: 1, palette: true }],
  ['rollback', ['r'], 'roll back (asks for the name)', is.canRollBack, { hint: 'roll back', rank: 3, palette: true }],
  ['import.path', [], 'import … a table by path', is.anywhere, { palette: true }],
  ['batch-import', [], 'batch-import, every table of the lake', (s) => s.lake !== null, { palette: true }],
])

const FIND = section('FIND AND SORT', 'screen', [
  [
    'where.edit',
    ['w'],
    'where: only files that can match (Files tab)',
    is.inTab('files'),
    { hint: 'where', rank: 1, palette: true },
  ],
  [
    'as-of.row',
    ['t'],
    'as of this version (History tab)',
    is.inTab('history'),
    { hint: 'as of this version', rank: 2, palette: true },
  ],
  ['as-of.edit', ['t'], 'as of a version or time', is.inDetail, { hint: 'as of', rank: 2, palette: true }],
  ['mark', ['space'], 'mark', is.listRow, { hint: 'mark', rank: 5 }],
  ['mark.range', ['V'], 'mark a range: V, move, V', is.listRow, { hint: 'range', rank: 7 }],
  ['mark.all', ['*'], 'mark all that are shown, or none', is.listRow, { palette: true }],
  [
    'filter',
    ['/'],
    'filter, !x leaves out',
    (s) => is.inList(s) || is.onLog(s),
    { hint: 'filter', rank: 2, palette: true },
  ],
  ['sort.next', ['s'], 'sort by the next column', is.sortable, { hint: 'sort', rank: 6, palette: true }],
  ['sort.reverse', ['S'], 'turn the order round', is.sortable, { palette: true }],
])

const RUN = section('RUN screen', 'screen', [
  ['run.pause', ['p'], 'pause, go on', is.steers, { hint: 'pause', rank: 1, palette: true }],
  ['run.more', ['+', '='], 'one lane more', is.steers, { hint: 'lanes', hintKeys: '+/-', rank: 2, palette: true }],
  ['run.fewer', ['-'], 'one lane fewer', is.steers, { palette: true }],
  [
    'run.stop',
    ['x'],
    'stop after this batch, resumable',
    is.canStop,
    { hint: 'stop after this batch', rank: 1, palette: true },
  ],
  ['run.abort', ['X'], 'abort (asks)', is.canStop, { hint: 'abort', rank: 2, palette: true }],
  ['open.result', ['enter'], 'why (a table that failed)', is.hasResults, { hint: 'details', rank: 3 }],
  ['errors', ['e'], 'errors only', (s) => is.runOpen(s) || is.onLog(s), { hint: 'errors', rank: 3, palette: true }],
])

const COMPARE = section('COMPARE screen', 'screen', [
  ['compare.again', ['enter'], 'ask this question again', is.askAgain, { hint: 'this again', rank: 1, palette: true }],
  ['compare.all', ['a'], 'ask all questions again', is.askAgain, { hint: 'all again', rank: 2, palette: true }],
  [
    'compare.bytes',
    ['b'],
    'bars by time or by bytes read',
    is.compared,
    { hint: 'time/bytes', rank: 2, palette: true },
  ],
  ['compare.cold', ['m'], 'warm median or cold', is.compared, { hint: 'warm/cold', rank: 2, palette: true }],
  [
    'compare.report',
    ['W'],
    'ask again and write a Markdown report',
    is.askAgain,
    { hint: 'report', rank: 3, palette: true },
  ],
])

const PROGRAM = section('PROGRAM', 'screen', [
  ['copy', ['y'], 'copy name, path or command', is.canCopy, { hint: 'copy', rank: 6, palette: true }],
  ['zoom', ['z'], 'zoom the pane', is.onTables, { hint: 'zoom', rank: 8, palette: true }],
  ['screen.tables', ['1'], 'Tables screen', is.anywhere, { palette: true }],
  ['screen.runs', ['2'], 'Runs screen', is.anywhere, { palette: true }],
  ['screen.compare', ['3'], 'Compare screen', is.anywhere, { palette: true }],
  ['screen.log', ['4', 'l'], 'Log screen', is.anywhere, { hint: 'log', hintKeys: 'l', rank: 8, palette: true }],
  ['reload', ['R'], 'look again', is.anywhere, { palette: true }],
  ['back', ['esc'], 'back: closes the innermost thing first', is.inside, { hint: 'back', rank: 4 }],
  ['quit', ['q'], 'back; at the top quits', is.anywhere, { palette: true }],
  ['palette', [':', 'ctrl-p'], 'any command by name', is.anywhere, { hint: 'command', rank: 8 }],
  ['suspend', ['ctrl-z'], 'suspend, when nothing runs', is.idle],
  ['help', ['?'], 'all keys', is.anywhere, { hint: 'all keys', rank: 0 }],
])

const DIALOGS = section('DIALOGS', 'dialog', [
  ['dialog.close', ['esc'], 'close, change nothing', is.anywhere],
  ['dialog.accept', ['enter'], 'do what is chosen', is.anywhere],
  ['dialog.next', ['tab', 'down'], 'next choice', is.anywhere],
  ['dialog.previous', ['shift-tab', 'up'], 'previous choice, or what was typed before', is.anywhere],
  ['dialog.page-down', ['pagedown', 'ctrl-d'], 'scroll down', is.anywhere],
  ['dialog.page-up', ['pageup'], 'scroll up', is.anywhere],
])

const ALWAYS = section('PROGRAM', 'always', [
  ['interrupt', ['ctrl-c'], 'stop the run; twice aborts; quits when nothing runs', is.anywhere],
])

export const KEYMAP = [...MOVE, ...ACT, ...FIND, ...RUN, ...COMPARE, ...PROGRAM, ...DIALOGS, ...ALWAYS] as const
export type Command = (typeof KEYMAP)[number]['command']
