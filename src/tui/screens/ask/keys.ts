/** Keys of the Ask screen. Printable keys are typed into the statement. */
import { section } from '../../keymap/binding.ts'
import * as is from '../../keymap/conditions.ts'

export const ASK_KEYS = section('ASK screen', 'screen', [
  ['ask.run', ['ctrl-r'], 'run, as enter after ;', is.canAsk, { hint: 'run', rank: 0, palette: true }],
  [
    'ask.cancel',
    ['esc'],
    'cancel the statement',
    is.isQuerying,
    { hint: 'cancel', hintKeys: 'ctrl-c', rank: 0, palette: true },
  ],
  ['ask.explain', ['ctrl-x'], 'explain it, run nothing', is.canAsk, { hint: 'explain', rank: 3, palette: true }],
  ['ask.places', ['ctrl-o'], 'choose the database', is.onAsk, { hint: 'database', rank: 4, palette: true }],
  ['ask.history', ['ctrl-f'], 'earlier statements, ↑ ↓', is.onAsk, { hint: 'history', rank: 4, palette: true }],
  [
    'ask.pane',
    ['shift-tab', 'esc'],
    'to the rows, to the statement',
    is.inEditor,
    { hint: 'rows', rank: 2, help: ['shift-tab', 'rows, the statement'] },
  ],
  [
    'ask.pane',
    ['tab', 'shift-tab', 'i'],
    'to the statement',
    is.inGrid,
    { hint: 'statement', rank: 1, unlisted: true },
  ],
  [
    'ask.left',
    ['left'],
    'a column to the left',
    is.hasAnswerRows,
    { hint: 'column', hintKeys: '← →', rank: 5, unlisted: true },
  ],
  ['ask.right', ['right'], 'a column to the right', is.hasAnswerRows, { help: ['← →', 'another column'] }],
  ['ask.value', ['enter'], 'the whole value', is.hasAnswerRows, { hint: 'whole value', rank: 2 }],
  ['ask.copy', ['y'], 'copy the value', is.hasAnswerRows, { hint: 'clipboard', rank: 5 }],
  ['ask.save', ['w'], 'save all rows to a file', is.hasWholeAnswer, { hint: 'save all', rank: 1, palette: true }],
])
