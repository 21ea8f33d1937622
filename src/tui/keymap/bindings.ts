/**
 * The only list of keys. Dispatch, the hints in the last row, the help page, the palette and docs/reference/KEYS.md use
 * it. If a key has several bindings, the first one whose condition is true is used. Keys that terminals cannot
 * distinguish, or that control the flow of text (ctrl-s, ctrl-q, ctrl-i, ctrl-m, ctrl-h), are never bound.
 */
import * as is from './conditions.ts'
import { section } from './binding.ts'
import { ASK_KEYS } from '../screens/ask/keys.ts'
import { COMPARE_KEYS } from '../screens/compare/keys.ts'
import { RUN_KEYS } from '../screens/run/keys.ts'

const MOVE = section('MOVE', 'screen', [
  ['cursor.down', ['j', 'down'], 'one row down', is.anywhere, { help: ['j k ↑ ↓', 'one row'] }],
  ['cursor.up', ['k', 'up'], 'one row up', is.anywhere, { unlisted: true }],
  ['cursor.half-down', ['ctrl-d'], 'half a page down', is.anywhere, { help: ['ctrl-d u', 'half a page'] }],
  ['where.clear', ['ctrl-u'], 'clear where (Files)', is.filtered],
  ['cursor.half-up', ['ctrl-u'], 'half a page up', is.anywhere, { unlisted: true }],
  ['cursor.page-down', ['pagedown'], 'a page down', is.anywhere, { help: ['PgDn PgUp', 'a page'] }],
  ['cursor.page-up', ['pageup'], 'a page up', is.anywhere, { unlisted: true }],
  ['cursor.first', ['g', 'home'], 'first row', is.anywhere, { help: ['g G Home End', 'first, last'] }],
  ['cursor.last', ['G', 'end'], 'last row; a log follows again', is.anywhere, { unlisted: true }],
  ['open.need', ['enter'], 'why it needs attention', is.inNeeds, { hint: 'why', rank: 0, unlisted: true }],
  [
    'open.store',
    ['enter'],
    'what a store holds',
    is.onStore,
    { hint: (s) => (is.canUnfold(s) ? 'unfold' : 'fold'), rank: 0, unlisted: true },
  ],
  ['store.unfold', ['right'], 'unfold a store', is.canUnfold, { unlisted: true }],
  ['store.fold', ['left'], 'fold a store', is.canFold, { unlisted: true }],
  ['open', ['enter'], 'open', is.canOpen, { hint: 'open', rank: 0 }],
  [
    'open.commit',
    ['enter'],
    'whole commit (History)',
    is.inTab('history'),
    { hint: 'whole commit', rank: 0, unlisted: true },
  ],
  [
    'open.file',
    ['enter'],
    'whole file entry (Files)',
    is.inTab('files'),
    { hint: 'whole entry', rank: 0, unlisted: true },
  ],
  ['queue.run', ['enter'], 'run of a worker (Workers)', is.onBusyWorker, { hint: 'its run', rank: 0, unlisted: true }],
  [
    'queue.scheduled',
    ['enter'],
    'last run of a schedule (Schedules)',
    is.onScheduleRun,
    { hint: 'its run', rank: 0, unlisted: true },
  ],
  ['queue.slot', ['enter'], 'a task in full (a shared run)', is.onTask, { hint: 'task', rank: 3, unlisted: true }],
  ['open.run', ['enter'], 'open the run (Runs)', is.runsListed, { hint: 'open', rank: 0, unlisted: true }],
  [
    'open.database',
    ['enter'],
    'tables of a database file',
    is.onSource,
    { hint: (s) => (is.listsTables(s) ? 'close its tables' : 'its tables'), rank: 0, unlisted: true },
  ],
  [
    'open.relation',
    ['enter'],
    'columns (table of a database)',
    is.onRelation,
    { hint: 'columns', rank: 0, unlisted: true },
  ],
  [
    'copy.pane',
    ['tab', 'shift-tab'],
    'tables or chunks (a copy)',
    is.copyPanes,
    { hint: (s) => (is.inChunks(s) ? (is.copiesMany(s) ? 'tables' : 'workers') : 'chunks'), rank: 3, unlisted: true },
  ],
  [
    'pane.next',
    ['tab'],
    'next pane',
    is.otherPanes,
    { hint: 'pane', hintWhen: is.manyPanes, rank: 6, help: ['tab', 'next pane'] },
  ],
  ['pane.previous', ['shift-tab'], 'previous pane', is.otherPanes, { unlisted: true }],
  [
    'tab.next',
    [']', 'right'],
    'next tab',
    is.hasPanes,
    { hint: 'tab', hintKeys: '[ ]', hintWhen: is.hasVisibleTabs, rank: 4, help: ['[ ] ← →', 'next tab'] },
  ],
  ['tab.previous', ['[', 'left'], 'previous tab', is.hasPanes, { unlisted: true }],
])

const ACT = section('ACT on the row or the marked rows', 'screen', [
  [
    'import',
    ['i'],
    'import, plan shown first',
    is.canImport,
    { hint: 'import', hintWhen: is.hasActionHints, rank: 1, palette: true },
  ],
  ['plan', ['d'], 'plan only', is.canImport, { palette: true }],
  [
    'validate',
    ['v'],
    'validate against the log',
    is.inCatalog,
    { hint: 'validate', hintWhen: is.hasActionHints, rank: 1, palette: true },
  ],
  ['fsck', [], 'check the files of a table (fsck)', is.hasDelta, { palette: true, unlisted: true }],
  ['open.ring', ['t'], 'ring of a table (tokens)', is.onRing, { hint: 'ring', rank: 2, palette: true }],
  ['open.timeline', ['t'], 'time line of partitions', is.onRanges, { hint: 'time line', rank: 2, palette: true }],
  ['open.lifecycle', ['L'], 'phases of a table', is.onRelation, { hint: 'phases', rank: 3, palette: true }],
  ['copy.tables', ['c'], 'copy a table of a database', is.onRelation, { hint: 'copy to …', rank: 1, palette: true }],
  [
    'compare',
    ['c'],
    'compare files with SQL',
    is.inCatalog,
    { hint: 'compare', hintWhen: is.hasActionHints, rank: 1, palette: true },
  ],
  [
    'rollback',
    ['r'],
    'roll back (type the name)',
    is.canRollBack,
    { hint: 'roll back', hintWhen: is.hasActionHints, rank: 3, palette: true },
  ],
  ['database.tables', [], "tables of the catalog's database", is.hasOnlyCatalog, { palette: true, unlisted: true }],
  ['import.path', [], 'import … a table by path', is.hasCatalog, { palette: true, unlisted: true }],
  [
    'batch-import',
    [],
    'batch-import every table of the lake',
    (s) => s.lake !== null,
    { palette: true, unlisted: true },
  ],
])

const FIND_NEEDS = section('FIND AND SORT', 'screen', [
  [
    'sync.toggle',
    ['w'],
    'import commits as they arrive',
    is.canSync,
    { palette: true, help: ['w W', 'sync --watch: table, all'] },
  ],
  ['sync.all', ['W'], 'import commits of all tables', is.canSyncAll, { palette: true, unlisted: true }],
  ['store.add', ['a'], 'add a store: path or URL', is.inList, { palette: true }],
  ['needs', ['n'], 'what needs you', is.hasNeeds, { palette: true }],
])

const FIND = section('FIND AND SORT', 'screen', [
  ['where.edit', ['w'], 'where (Files tab)', is.inTab('files'), { hint: 'where', rank: 1, palette: true }],
  [
    'as-of.row',
    ['t'],
    'as of this version (History)',
    is.inTab('history'),
    { hint: 'as of this version', rank: 2, palette: true, unlisted: true },
  ],
  [
    'as-of.edit',
    ['t'],
    'as of a version or time',
    is.inDetail,
    { hint: 'as of', hintWhen: is.hasVersions, rank: 2, palette: true },
  ],
  ['mark', ['space'], 'mark', is.listRow, { hint: 'mark', rank: 5, help: ['space V *', 'mark, a range, all'] }],
  ['mark.range', ['V'], 'mark a range: V, move, V', is.listRow, { hint: 'range', rank: 7, unlisted: true }],
  ['mark.all', ['*'], 'mark all shown rows, or none', is.listRow, { palette: true, unlisted: true }],
  [
    'filter',
    ['/'],
    'filter, !x leaves out',
    (s) => is.inList(s) || is.onLog(s),
    { hint: 'filter', rank: 2, palette: true },
  ],
  [
    'sort.next',
    ['s'],
    'sort by the next column',
    is.sortable,
    { hint: 'sort', rank: 6, palette: true, help: ['s S', 'sort by next, reverse'] },
  ],
  ['sort.reverse', ['S'], 'reverse the order', is.sortable, { palette: true, unlisted: true }],
])

const PROGRAM = section('PROGRAM', 'screen', [
  ['clipboard', ['y'], 'copy name or command', is.canCopyText, { hint: 'clipboard', rank: 6, palette: true }],
  ['zoom', ['z'], 'zoom the pane', is.manyPanesOrZoom, { hint: 'zoom', rank: 8, palette: true }],
  ['screen.tables', ['1'], 'Tables screen', is.anywhere, { palette: true, help: ['1 2 3 4 5', 'screens'] }],
  ['screen.runs', ['2'], 'Runs screen', is.anywhere, { palette: true, unlisted: true }],
  ['screen.compare', ['3'], 'Compare screen', is.anywhere, { palette: true, unlisted: true }],
  [
    'screen.log',
    ['4', 'l'],
    'Log screen',
    is.anywhere,
    { hint: 'log', hintKeys: 'l', hintWhen: is.offLog, rank: 8, palette: true, help: ['l', 'log, G follows again'] },
  ],
  ['screen.ask', ['5'], 'Ask screen', is.anywhere, { palette: true, unlisted: true }],
  ['reload', ['R'], 'reload', is.anywhere, { palette: true }],
  [
    'leave',
    ['q'],
    'leave, once the run of a command has ended',
    is.hasRunEnded,
    { hint: 'leave', rank: 0, unlisted: true },
  ],
  [
    'leave',
    ['q'],
    'leave the run, which continues',
    is.isAttached,
    { hint: (s) => (is.narrow(s) ? 'leave' : 'leave, it continues'), rank: 0, unlisted: true },
  ],
  ['back', ['esc'], 'back', is.canClose, { hint: 'back', rank: 4, help: ['esc q', 'back; q at the top quits'] }],
  ['quit', ['q'], 'back; at the top quits', is.anywhere, { palette: true, unlisted: true }],
  ['palette', [':', 'ctrl-p'], 'any command by name', is.anywhere, { hint: 'command', rank: 8 }],
  ['suspend', ['ctrl-z'], 'suspend when idle', is.idle],
  ['help', ['?'], 'keys now, then all', is.anywhere, { hint: 'keys', rank: 0 }],
])

const DIALOGS = section('DIALOGS', 'dialog', [
  ['dialog.accept', ['enter'], 'accept the choice', is.anywhere],
  ['dialog.close', ['esc'], 'close, change nothing', is.anywhere],
  ['dialog.next', ['tab', 'down'], 'next choice', is.anywhere, { help: ['tab ↓ ↑', 'another choice'] }],
  [
    'dialog.previous',
    ['shift-tab', 'up'],
    'previous choice, or what was typed before',
    is.anywhere,
    { unlisted: true },
  ],
  ['dialog.page-down', ['pagedown', 'ctrl-d'], 'scroll down', is.anywhere, { help: ['PgDn PgUp', 'scroll'] }],
  ['dialog.page-up', ['pageup'], 'scroll up', is.anywhere, { unlisted: true }],
  ['dialog.find', ['ctrl-f'], 'find an option (a form)', is.inForm],
  ['dialog.copy', ['ctrl-y'], 'copy the command (a form)', is.inForm],
  ['dialog.help', ['ctrl-g'], 'help of the form', is.inForm],
])

const ALWAYS = section('PROGRAM', 'always', [['interrupt', ['ctrl-c'], 'stop; twice aborts', is.anywhere]])

export const KEYMAP = [
  ...MOVE,
  ...ACT,
  ...FIND,
  ...FIND_NEEDS,
  ...RUN_KEYS,
  ...COMPARE_KEYS,
  ...ASK_KEYS,
  ...PROGRAM,
  ...DIALOGS,
  ...ALWAYS,
] as const

export type KeyCommand = (typeof KEYMAP)[number]['command']
