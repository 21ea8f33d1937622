/**
 * Style of a tone. Uses only the terminal's 16 colours, default foreground and inverse, so the user's palette decides.
 * Every state also has a mark and a word; colour is only in addition.
 */
import type { Tone } from './line.ts'

export type TextStyle = {
  readonly color?: string
  readonly bold?: true
  readonly dimColor?: true
  readonly inverse?: true
}

export const LOOKS: Readonly<Record<Tone, TextStyle>> = {
  plain: {},
  ok: { color: 'cyan' },
  warn: { color: 'yellow' },
  bad: { color: 'red' },
  info: { color: 'blue' },
  muted: { dimColor: true },
  strong: { bold: true },
  chosen: { inverse: true },
}

export type ThemeMarks = {
  readonly ok: string
  readonly behind: string
  readonly unfinished: string
  readonly running: string
  readonly none: string
  readonly bad: string
  readonly refused: string
  readonly row: string
  readonly marked: string
  readonly checkpoint: string
  readonly open: string
  readonly folded: string
  readonly sync: string
  readonly bar: string
  readonly dash: string
  readonly middle: string
  readonly caret: string
  readonly up: string
  readonly down: string
  readonly same: string
  readonly differs: string
  readonly corners: readonly [string, string, string, string]
  readonly tees: readonly [string, string]
}

export const UNICODE_MARKS: ThemeMarks = {
  ok: '✓',
  behind: '↓',
  unfinished: '■',
  running: '◐',
  none: '–',
  bad: '✗',
  refused: '⊘',
  row: '›',
  marked: '●',
  checkpoint: '◆',
  open: '▾',
  folded: '▸',
  sync: '↻',
  bar: '│',
  dash: '─',
  middle: '│',
  caret: '▏',
  up: '▲',
  down: '▼',
  same: '=',
  differs: '≠',
  corners: ['╭', '╮', '╰', '╯'],
  tees: ['┬', '┴'],
}

export const ASCII_MARKS: ThemeMarks = {
  ok: 'ok',
  behind: 'v',
  unfinished: '#',
  running: '~',
  none: '-',
  bad: 'x',
  refused: 'o',
  row: '>',
  marked: '*',
  checkpoint: '+',
  open: '-',
  folded: '+',
  sync: '@',
  bar: '|',
  dash: '-',
  middle: '|',
  caret: '_',
  up: '^',
  down: 'v',
  same: '=',
  differs: '!=',
  corners: ['+', '+', '+', '+'],
  tees: ['+', '+'],
}

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
