/** Text measured in terminal cells: width, cutting and padding. Nothing here uses `.length` as a width. */
import stringWidth from 'string-width'

// Characters of one cell: printable ASCII, western European letters, and the lines, blocks, dots and marks of screens.
// That covers nearly every text; all other text has to be measured character by character.
const NARROW =
  /^[\x20-\x7e\u00a1-\u00ac\u00ae-\u017f\u2010-\u2027\u2030-\u205e\u2190-\u2193\u21bb\u2212\u2248-\u2265\u2298\u2500-\u25a1\u25b2-\u25db\u2713\u2717\u2800-\u28ff]*$/
// C0, DEL, C1 and the marks that reorder a line: names come from a lake that anyone may have written to.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Cells that `text` takes on screen. */
export function width(text: string): number {
  return NARROW.test(text) ? text.length : stringWidth(text)
}

/** `text` without characters that a terminal acts on. */
export function clean(text: string): string {
  return text.replace(UNSAFE, (c) => (c === '\t' || c === '\n' ? ' ' : '\ufffd'))
}

/** The longest beginning of `text` that fits in `cells`. */
export function takeStart(text: string, cells: number): string {
  if (cells <= 0) return ''
  if (NARROW.test(text)) return text.slice(0, cells)
  let used = 0
  let out = ''
  for (const { segment } of segmenter.segment(text)) {
    const w = width(segment)
    if (used + w > cells) break
    used += w
    out += segment
  }
  return out
}

function takeEnd(text: string, cells: number): string {
  if (cells <= 0) return ''
  if (NARROW.test(text)) return text.slice(-cells)
  const parts = Array.from(segmenter.segment(text), (s) => s.segment)
  let used = 0
  let out = ''
  for (const segment of parts.toReversed()) {
    const w = width(segment)
    if (used + w > cells) break
    used += w
    out = segment + out
  }
  return out
}

/** `text`, cut at its end with `…` if it is wider than `cells`. */
export function cutEnd(text: string, cells: number): string {
  if (width(text) <= cells) return text
  return cells <= 0 ? '' : takeStart(text, cells - 1) + '…'
}

/** `text`, cut in its middle with `…` if it is wider than `cells`: both ends of a path distinguish files. */
export function cutMiddle(text: string, cells: number): string {
  if (width(text) <= cells) return text
  if (cells <= 1) return cells <= 0 ? '' : '…'
  const tail = Math.ceil((cells - 1) / 2)
  return takeStart(text, cells - 1 - tail) + '…' + takeEnd(text, tail)
}

/** Exactly `cells` wide, left-aligned. */
export function padEnd(text: string, cells: number): string {
  const cut = cutEnd(text, cells)
  return cut + ' '.repeat(Math.max(0, cells - width(cut)))
}

/** A cell before another one: exactly `cells` wide, with a blank at its end. */
export function column(text: string, cells: number): string {
  return `${padEnd(text, cells - 1)} `
}

/** Exactly `cells` wide, right-aligned. */
export function padStart(text: string, cells: number): string {
  const cut = cutEnd(text, cells)
  return ' '.repeat(Math.max(0, cells - width(cut))) + cut
}

/** A Parquet file name without most of its random part: `part-00007-c17a….parquet`. */
export function shortFile(path: string): string {
  return path.replace(/(part-\d+-[0-9a-f]{4})[^/]*(\.parquet)$/i, '$1…$2')
}

/** `text` in rows of at most `cells`, broken at spaces if there are any. */
export function wrap(text: string, cells: number): string[] {
  if (width(text) <= cells) return [text]
  const rows: string[] = []
  let row = ''
  for (const word of text.split(' ')) {
    let rest = word
    if (row !== '' && width(row) + 1 + width(rest) <= cells) {
      row += ' ' + rest
      continue
    }
    if (row !== '') rows.push(row)
    while (width(rest) > cells) {
      const head = takeStart(rest, cells)
      if (head === '') {
        // A single character is wider than the row: replace it.
        rest = '…'
        break
      }
      rows.push(head)
      rest = rest.slice(head.length)
    }
    row = rest
  }
  if (row !== '' || rows.length === 0) rows.push(row)
  return rows
}

/** As `wrap`, with the following rows indented below the text after a label (`path         year=…`). */
export function wrapLabelled(text: string, cells: number): string[] {
  const label = /^(?:\S+(?: \S+)*)? {2,}/.exec(text)?.[0] ?? ''
  const indent = width(label)
  if (width(text) <= cells || indent > cells / 2) return wrap(text, cells)
  return wrap(text.slice(label.length), cells - indent).map((row, i) => (i === 0 ? label : ' '.repeat(indent)) + row)
}
