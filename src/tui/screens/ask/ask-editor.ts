/** A multi-line statement that is being typed, and the effect of keys on it. */
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
/** Maximum number of changes that can be undone. */
const UNDONE = 100

type Place = { readonly lines: readonly string[]; readonly row: number; readonly column: number }
export type Editor = Place & {
  /** Column that up and down try to reach. It is kept while the caret is in shorter lines. */
  readonly wanted: number | null
  readonly undo: readonly Place[]
  /** True if the last change was a typed character: undo removes all characters typed in a row. */
  readonly typing: boolean
}

/** An editor with the caret at its end. */
export function editorOf(text: string): Editor {
  const lines = text.split('\n')
  const row = lines.length - 1
  return { lines, row, column: lines[row]?.length ?? 0, wanted: null, undo: [], typing: false }
}

export function editorText({ lines }: Pick<Editor, 'lines'>): string {
  return lines.join('\n')
}

/** True if only white space follows the caret. */
export function isAtEnd({ lines, row, column }: Editor): boolean {
  return [(lines[row] ?? '').slice(column), ...lines.slice(row + 1)].join('').trim() === ''
}

/** Text before the caret in its line. */
export function beforeCaret({ lines, row, column }: Pick<Editor, 'lines' | 'row' | 'column'>): string {
  return (lines[row] ?? '').slice(0, column)
}

/** Inserts pasted or completed text; all kinds of line ends become `\n`. */
export function insertText(of: Editor, text: string, typing = false): Editor {
  const before = beforeCaret(of)
  const after = (of.lines[of.row] ?? '').slice(of.column)
  const added = text.replaceAll(/\r\n?/g, '\n').replaceAll('\t', '  ').split('\n')
  const last = added.at(-1) ?? ''
  const put = added.map((line, i) => (i === 0 ? before : '') + line + (i === added.length - 1 ? after : ''))
  return changed(
    of,
    {
      lines: [...of.lines.slice(0, of.row), ...put, ...of.lines.slice(of.row + 1)],
      row: of.row + added.length - 1,
      column: (added.length === 1 ? before.length : 0) + last.length,
    },
    typing,
  )
}

/** Replaces `length` UTF-16 units before the caret. */
export function replaceBefore(of: Editor, length: number, text: string): Editor {
  const line = of.lines[of.row] ?? ''
  const column = of.column - length
  const lines = of.lines.with(of.row, line.slice(0, column) + line.slice(of.column))
  return { ...insertText({ ...of, lines, column }, text), undo: remembered(of) }
}

/** Replaces the whole text; can be undone. */
export function replaceAll(of: Editor, text: string): Editor {
  return { ...editorOf(text), undo: remembered(of) }
}

/** The state before the last change; the same object if there is none. */
export function undone(of: Editor): Editor {
  const last = of.undo.at(-1)
  return last === undefined ? of : { ...last, wanted: null, undo: of.undo.slice(0, -1), typing: false }
}

/**
 * The editor after a key, or null if the editor does not use the key, such as up in the first line.
 * @param key name of the key @param typed text that the key types, '' if none
 */
export function edited(of: Editor, key: string, typed: string): Editor | null {
  const line = of.lines[of.row] ?? ''
  switch (key) {
    case 'enter':
      return insertText(of, '\n')
    case 'backspace':
      return backspaced(of)
    case 'delete':
      if (of.column < line.length) return cut(of, of.column, rightOf(line, of.column))
      return of.row === of.lines.length - 1 ? of : backspaced(moved(of, of.row + 1, 0))
    case 'left':
      if (of.column > 0) return moved(of, of.row, leftOf(line, of.column))
      return of.row === 0 ? of : moved(of, of.row - 1, of.lines[of.row - 1]?.length ?? 0)
    case 'right':
      if (of.column < line.length) return moved(of, of.row, rightOf(line, of.column))
      return of.row === of.lines.length - 1 ? of : moved(of, of.row + 1, 0)
    case 'up':
      return of.row === 0 ? null : vertical(of, of.row - 1)
    case 'down':
      return of.row === of.lines.length - 1 ? null : vertical(of, of.row + 1)
    case 'home':
    case 'ctrl-a':
      return moved(of, of.row, 0)
    case 'end':
    case 'ctrl-e':
      return moved(of, of.row, line.length)
    case 'ctrl-k':
      return cut(of, of.column, line.length)
    case 'ctrl-w':
      return cut(of, beforeCaret(of).replace(/\S+\s*$/u, '').length, of.column)
    case 'ctrl-u':
      return editorText(of) === '' ? of : replaceAll(of, '')
    case 'ctrl-y':
      return undone(of)
    default:
      return typed === '' ? null : insertText(of, typed, true)
  }
}

function backspaced(of: Editor): Editor {
  if (of.column > 0) return cut(of, leftOf(of.lines[of.row] ?? '', of.column), of.column)
  if (of.row === 0) return of
  const above = of.lines[of.row - 1] ?? ''
  const lines = [...of.lines.slice(0, of.row - 1), above + (of.lines[of.row] ?? ''), ...of.lines.slice(of.row + 1)]
  return changed(of, { lines, row: of.row - 1, column: above.length })
}

function cut(of: Editor, from: number, to: number): Editor {
  if (from === to) return of
  const line = of.lines[of.row] ?? ''
  const lines = of.lines.with(of.row, line.slice(0, from) + line.slice(to))
  return changed(of, { lines, row: of.row, column: from })
}

function changed(of: Editor, to: Place, typing = false): Editor {
  // Characters typed in a row are one change.
  const undo = typing && of.typing ? of.undo : remembered(of)
  return { ...to, wanted: null, undo, typing }
}

function remembered({ lines, row, column, undo }: Editor): readonly Place[] {
  return [...undo, { lines, row, column }].slice(-UNDONE)
}

function moved(of: Editor, row: number, column: number): Editor {
  return { ...of, row, column, wanted: null, typing: false }
}

function vertical(of: Editor, row: number): Editor {
  const wanted = of.wanted ?? of.column
  const line = of.lines[row] ?? ''
  // Do not place the caret inside a character of several UTF-16 units.
  const column = wanted >= line.length ? line.length : leftOf(line, wanted + 1)
  return { ...moved(of, row, column), wanted }
}

function leftOf(line: string, column: number): number {
  let before = 0
  for (const { index } of segmenter.segment(line)) {
    if (index >= column) break
    before = index
  }
  return before
}

function rightOf(line: string, column: number): number {
  for (const { index } of segmenter.segment(line)) if (index > column) return index
  return line.length
}
