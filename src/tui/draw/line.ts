/**
 * A screen is a list of lines, a line is a list of spans. All widths are in cells. Views return lines; only the root
 * component turns lines into Ink elements, so views can be tested without a terminal.
 */
import { cutEnd, padEnd, takeStart, width } from '../../render/screen-text.ts'

export type Tone = 'plain' | 'ok' | 'warn' | 'bad' | 'info' | 'muted' | 'strong' | 'chosen'
export type Span = { readonly text: string; readonly tone: Tone }
export type Line = readonly Span[]

/** A span. `tone` is its meaning; the theme maps it to a style. */
export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone }
}

/** A line of one tone. */
export function line(text = '', tone: Tone = 'plain'): Line {
  return text === '' ? [] : [{ text, tone }]
}

/** Cells of a line. */
export function lineWidth(of: Line): number {
  let sum = 0
  for (const s of of) sum += width(s.text)
  return sum
}

/** Text of a line without tones. */
export function lineText(of: Line): string {
  return of.map((s) => s.text).join('')
}

/** The line in exactly `cells` cells: cut, or filled with spaces. */
export function fit(of: Line, cells: number): Line {
  const out: Span[] = []
  let left = cells
  for (const s of of) {
    if (left <= 0) break
    const w = width(s.text)
    if (w <= left) {
      out.push(s)
      left -= w
      continue
    }
    const text = cutEnd(s.text, left)
    out.push({ text, tone: s.tone })
    left -= width(text)
    break
  }
  if (left > 0) out.push(span(' '.repeat(left)))
  return out
}

/** Puts `left` and `right` on one line; the left one is cut if both do not fit. */
export function spreadLine(left: Line, right: Line, cells: number): Line {
  const w = lineWidth(right)
  if (w >= cells) return fit(right, cells)
  return [...fit(left, cells - w), ...right]
}

/** The part of a line from cell `from` on, at most `cells` wide. */
function slice(of: Line, from: number, cells: number): Line {
  const out: Span[] = []
  let at = 0
  let left = cells
  for (const s of of) {
    const w = width(s.text)
    if (left <= 0) break
    if (at + w <= from) {
      at += w
      continue
    }
    const skip = Math.max(0, from - at)
    const head = takeStart(s.text, skip)
    // A wide character that the cut splits leaves one blank cell.
    const hole = ' '.repeat(Math.max(0, skip - width(head)))
    const rest = hole === '' ? s.text.slice(head.length) : hole + s.text.slice(head.length + 1)
    const text = takeStart(rest, left)
    out.push({ text, tone: s.tone })
    left -= width(text)
    at += w
  }
  return left > 0 ? [...out, span(' '.repeat(left))] : out
}

/** Draws `box` over `screen`, with its corner at column `x`, row `y`; `cells` is the width of the screen. */
export function overlay(screen: readonly Line[], box: readonly Line[], x: number, y: number, cells: number): Line[] {
  return screen.map((row, index) => {
    const over = box[index - y]
    if (over === undefined) return row
    const w = lineWidth(over)
    return [...slice(row, 0, x), ...over, ...slice(row, x + w, Math.max(0, cells - x - w))]
  })
}

/** Exactly `rows` lines of exactly `cells` cells. */
export function block(lines: readonly Line[], cells: number, rows: number): Line[] {
  return Array.from({ length: Math.max(0, rows) }, (_, i) => fit(lines[i] ?? [], cells))
}

/** Blocks of the same height side by side with a bar between them. */
export function columns(blocks: readonly (readonly Line[])[], bar: string): Line[] {
  const rows = Math.max(0, ...blocks.map((b) => b.length))
  return Array.from({ length: rows }, (_, i) =>
    blocks.flatMap((b, n) => (n === 0 ? (b[i] ?? []) : [span(bar, 'muted'), ...(b[i] ?? [])])),
  )
}

/** A rule with a title over the whole width: `─ title ─────`. */
export function rule(title: string, cells: number, dash = '─'): Line {
  if (title === '') return [span(dash.repeat(Math.max(0, cells)), 'muted')]
  const text = cutEnd(title, Math.max(0, cells - 4))
  const rest = Math.max(0, cells - 3 - width(text))
  return [span(dash + ' ', 'muted'), span(text, 'strong'), span(' ' + dash.repeat(rest), 'muted')]
}

/** A picture: its title, then its lines. */
export type Picture = readonly [string, ...Line[]]

/** Draws a picture under a rule with its title, `cells` wide. @param draw gets the width of the lines */
export function titledLines(draw: (cells: number) => Picture, cells: number): Line[] {
  const [title, ...rest] = draw(cells - 2)
  return [rule(title, cells), ...rest.map((one): Line => [span(' '), ...one])]
}

/** A picture as plain text for a dialog; the first line is the title. */
export function pictureText([title, ...rest]: Picture): readonly string[] {
  return [title, ...rest.map(lineText)]
}

/** A cell of a table. `cells` is its width; a negative width aligns to the right. */
export function cell(text: string, cells: number, tone: Tone = 'plain'): Span {
  if (cells >= 0) return span(padEnd(text, cells), tone)
  const w = -cells
  const cut = cutEnd(text, w)
  return span(' '.repeat(Math.max(0, w - width(cut))) + cut, tone)
}

/** The line as the chosen row: one tone over the full width, so that the whole row is inverse. */
export function chosen(of: Line, cells: number): Line {
  return [span(lineText(fit(of, cells)), 'chosen')]
}
