/**
 * Maps escape sequences of a terminal to keys. All other sequences are reports or replies of the terminal: no key.
 * Modifiers of arrows and named keys are ignored, because no such key is bound. Key releases, and keys pressed with
 * super, hyper or meta, are ignored.
 */
import { bareKey, keyOfCharacter, type KeyPress } from './key-press.ts'

export type SequenceKey =
  | { readonly kind: 'key'; readonly press: KeyPress }
  /** A key pressed together with alt. */
  | { readonly kind: 'alt'; readonly name: string }

/** Keys by the final letter after `CSI`, `CSI 1 ; modifiers` or `SS3`. */
const LETTERS: Readonly<Record<string, string>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  F: 'end',
  H: 'home',
  P: 'f1',
  Q: 'f2',
  S: 'f4',
}

/** Keys by the number n of `CSI n ~`, and in rxvt of `CSI n ^`, `CSI n $` and `CSI n @`. */
const NUMBERS: Readonly<Record<number, string>> = {
  1: 'home',
  2: 'insert',
  3: 'delete',
  4: 'end',
  5: 'pageup',
  6: 'pagedown',
  7: 'home',
  8: 'end',
  11: 'f1',
  12: 'f2',
  13: 'f3',
  14: 'f4',
  15: 'f5',
  17: 'f6',
  18: 'f7',
  19: 'f8',
  20: 'f9',
  21: 'f10',
  23: 'f11',
  24: 'f12',
}

/** Whole sequences of rxvt and of the Linux console, without their introducer. */
const WHOLE: Readonly<Record<string, string>> = {
  Z: 'shift-tab',
  a: 'up',
  b: 'down',
  c: 'right',
  d: 'left',
  '[A': 'f1',
  '[B': 'f2',
  '[C': 'f3',
  '[D': 'f4',
  '[E': 'f5',
  '[5~': 'pageup',
  '[6~': 'pagedown',
}

/** Keys of the kitty protocol by their code points. */
const CODES: Readonly<Record<number, string>> = {
  8: 'backspace',
  9: 'tab',
  13: 'enter',
  27: 'esc',
  127: 'backspace',
  57414: 'enter',
  57417: 'left',
  57418: 'right',
  57419: 'up',
  57420: 'down',
  57421: 'pageup',
  57422: 'pagedown',
  57423: 'home',
  57424: 'end',
  57425: 'insert',
  57426: 'delete',
}
const FIRST_PAD = 57399
const PAD = '0123456789./*-+'
/** The private use area, in which kitty numbers keys that are not characters. */
const NO_CHARACTERS = [57344, 63743] as const

const SHIFT = 1
const ALT = 2
const CTRL = 4
/** Super, hyper and meta. */
const IGNORED_MODIFIERS = 8 | 16 | 32

/** The key of `CSI parameters final`; null if it is not a key. */
export function keyOfCsi(parameters: string, final: string): SequenceKey | null {
  const whole = WHOLE[parameters + final]
  if (whole !== undefined) return named(whole, 0)
  if (final === 'u') return keyOfCode(parameters)
  if (final === '~' && parameters.startsWith('27;')) return keyOfModified(parameters)
  const match = /^(\d*)(?:;(\d+)(?::(\d+))?)?$/.exec(parameters)
  if (match === null || !isPressed(match[3])) return null
  const modifiers = modifiersOf(match[2])
  const number = Number(match[1] === '' ? 1 : match[1])
  if (modifiers === null) return null
  if ('~^$@'.includes(final)) return named(NUMBERS[number], modifiers)
  // `CSI 1 ; 5 R` is F3 with ctrl, or a cursor in row 1 and column 5. F3 is not bound, so both are ignored.
  return number === 1 ? named(LETTERS[final], modifiers) : null
}

/** The key of `SS3 parameters final`; null if it is not a key. */
export function keyOfSs3(parameters: string, final: string): SequenceKey | null {
  if (parameters === '' && final === 'R') return named('f3', 0)
  if (parameters === '' && 'abcd'.includes(final)) return named(WHOLE[final], 0)
  const match = /^(?:1;)?(\d*)$/.exec(parameters)
  const modifiers = match === null ? null : modifiersOf(match[1] === '' ? undefined : match[1])
  return modifiers === null ? null : named(LETTERS[final], modifiers)
}

/** `CSI code : shifted : base ; modifiers : event ; text u` of the kitty protocol. */
function keyOfCode(parameters: string): SequenceKey | null {
  const match = /^(\d{1,7})(?::(\d*))?(?::\d*)?(?:;(\d*)(?::(\d+))?)?(?:;([\d:]*))?$/.exec(parameters)
  if (match === null || !isPressed(match[4])) return null
  const modifiers = modifiersOf(match[3] === '' ? undefined : match[3])
  if (modifiers === null) return null
  const code = Number(match[1])
  const name = CODES[code]
  if (name !== undefined) return named(name, modifiers)
  const pad = PAD[code - FIRST_PAD]
  if (pad !== undefined) return character(pad, modifiers)
  if (code >= NO_CHARACTERS[0] && code <= NO_CHARACTERS[1]) return null
  const own = characterOf(code)
  if (own === null) return null
  const text = textOf(match[5] ?? '')
  const shifted = match[2] === undefined || match[2] === '' ? own.toUpperCase() : characterOf(Number(match[2]))
  return character(text ?? ((modifiers & SHIFT) > 0 ? (shifted ?? own) : own), modifiers)
}

/** `CSI 27 ; modifiers ; code ~`, as xterm sends keys with modifiers if enabled. */
function keyOfModified(parameters: string): SequenceKey | null {
  const match = /^27;(\d+);(\d{1,7})$/.exec(parameters)
  return match === null ? null : keyOfCode(`${match[2]};${match[1]}`)
}

function named(name: string | undefined, modifiers: number): SequenceKey | null {
  if (name === undefined) return null
  if (name === 'tab' && (modifiers & SHIFT) > 0) return { kind: 'key', press: bareKey('shift-tab') }
  const isEnter = name === 'enter' || name === 'esc' || name === 'tab'
  if (isEnter && (modifiers & ALT) > 0) return { kind: 'alt', name }
  return { kind: 'key', press: bareKey(name) }
}

function character(text: string, modifiers: number): SequenceKey {
  if ((modifiers & CTRL) > 0) return { kind: 'key', press: bareKey(`ctrl-${text.toLowerCase()}`) }
  const press = keyOfCharacter(text)
  return (modifiers & ALT) > 0 ? { kind: 'alt', name: press.name } : { kind: 'key', press }
}

/** @returns the modifier bits; 0 if there are none; null if they are out of range or have super, hyper or meta */
function modifiersOf(text: string | undefined): number | null {
  const bits = text === undefined ? 0 : Number(text) - 1
  return bits < 0 || bits > 255 || (bits & IGNORED_MODIFIERS) > 0 ? null : bits
}

/** True for a pressed or a repeated key, false for a released key. */
function isPressed(event: string | undefined): boolean {
  return event === undefined || event === '1' || event === '2'
}

function characterOf(code: number): string | null {
  const isControl = code < 32 || (code >= 0x7f && code < 0xa0)
  if (isControl || code > 0x10_ff_ff || (code >= 0xd8_00 && code <= 0xdf_ff)) return null
  return String.fromCodePoint(code)
}

function textOf(codes: string): string | null {
  if (codes === '') return null
  const characters = codes.split(':').map((code) => characterOf(Number(code)))
  return characters.includes(null) ? null : characters.join('')
}
