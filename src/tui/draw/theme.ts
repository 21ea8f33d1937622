/**
 * Style of a tone. Uses only the terminal's 16 colours, default foreground and inverse, so that the user's palette
 * applies. Every state also has a mark and a word; colour only repeats them.
 */
import type { Tone } from './line.ts'

export type TextStyle = {
  readonly color?: string
  readonly bold?: true
  readonly dimColor?: true
  readonly inverse?: true
}

/** Style of each tone. */
export const STYLES: Readonly<Record<Tone, TextStyle>> = {
  plain: {},
  ok: { color: 'cyan' },
  warn: { color: 'yellow' },
  bad: { color: 'red' },
  info: { color: 'blue' },
  muted: { dimColor: true },
  strong: { bold: true },
  chosen: { inverse: true },
}

/** Each mark, and its replacement in ASCII. */
const MARKS = {
  ok: ['✓', 'ok'],
  behind: ['↓', 'v'],
  unfinished: ['■', '#'],
  running: ['◐', '~'],
  none: ['–', '-'],
  bad: ['✗', 'x'],
  refused: ['⊘', 'o'],
  row: ['›', '>'],
  marked: ['●', '*'],
  checkpoint: ['◆', '+'],
  open: ['▾', '-'],
  folded: ['▸', '+'],
  sync: ['↻', '@'],
  bar: ['│', '|'],
  dash: ['─', '-'],
  middle: ['│', '|'],
  caret: ['▏', '_'],
  up: ['▲', '^'],
  down: ['▼', 'v'],
  same: ['=', '='],
  differs: ['≠', '!='],
} as const

type Mark = keyof typeof MARKS

export type ThemeMarks = Readonly<Record<Mark, string>> & {
  readonly corners: readonly [string, string, string, string]
  readonly tees: readonly [string, string]
}

const marks = (side: 0 | 1): Readonly<Record<Mark, string>> =>
  Object.fromEntries(Object.entries(MARKS).map(([name, both]) => [name, both[side]])) as Record<Mark, string>

const UNICODE_MARKS: ThemeMarks = { ...marks(0), corners: ['╭', '╮', '╰', '╯'], tees: ['┬', '┴'] }

const ASCII_MARKS: ThemeMarks = { ...marks(1), corners: ['+', '+', '+', '+'], tees: ['+', '+'] }

/** Marks for the terminal. */
export function marksOf(ascii: boolean): ThemeMarks {
  return ascii ? ASCII_MARKS : UNICODE_MARKS
}

const TO_ASCII: Readonly<Record<string, string>> = {
  '─': '-',
  '│': '|',
  '┬': '+',
  '┴': '+',
  '→': '>',
  '…': '~',
  '·': '.',
  '›': '>',
  '–': '-',
  '−': '-',
  '×': 'x',
  '✓': 'v',
  '✗': 'x',
  '⊘': 'o',
  '●': '*',
  '↑': '^',
  '↓': 'v',
  '←': '<',
  '“': '"',
  '”': '"',
  '≠': '#',
  '≥': '>',
  '■': '#',
  '◐': '~',
  '◆': '+',
}

/** Converts a text to ASCII, cell for cell. Characters without a counterpart (names in other scripts) stay. */
export function toAscii(text: string): string {
  return text.replace(/[─│┬┴→…·›–−×✓✗⊘●↑↓←“”≠≥■◐◆]/g, (c) => TO_ASCII[c] ?? c)
}
