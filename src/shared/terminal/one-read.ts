/**
 * Interprets one read of the terminal: one key, or a paste. People type one key per read. Several arrive together on a
 * slow line, from a key that is held down, and from a paste in a terminal without bracketed paste. A paste must never
 * start an action, so several keys together only move, or fill in a text field.
 */
import { bareKey, keysOfText, type KeyPress } from './key-press.ts'
import type { InputToken } from './input-grammar.ts'

export type Input =
  | { readonly kind: 'press'; readonly press: KeyPress }
  /** Text as received, with its line ends and control characters; it was pasted or arrived together. */
  | { readonly kind: 'text'; readonly text: string }

/** @property note about keys that were left out; null if there were none */
export type OneRead = { readonly inputs: readonly Input[]; readonly note: string | null }

/** Keys that move a cursor or a view, and change nothing else. */
const MOVES: ReadonlySet<string> = new Set(
  'j k g G [ ] up down left right home end pageup pagedown tab shift-tab ctrl-d ctrl-u'.split(' '),
)
/** Keys that edit a text field and leave it open. */
const EDITS: ReadonlySet<string> = new Set('up down left right home end backspace delete'.split(' '))
/** Maximum number of moving keys in one read, in characters; more than a slow line buffers. */
const LONGEST_MOVES = 256

const NO_FIELD = 'the paste is ignored: no text field is open'
const TOO_LONG = 'the paste is ignored: it is longer than 65,536 characters'
const SEVERAL = 'several keys at once are ignored, like a paste: press them one by one'
const LEFT_OUT = 'enter, esc and other keys that arrived together with text are ignored: press them again'

const pressed = (press: KeyPress): Input => ({ kind: 'press', press })
const NOTHING: OneRead = { inputs: [], note: null }

/**
 * Interprets the tokens of one read.
 * @param inField true if text would go into a text field
 */
export function oneRead(tokens: readonly InputToken[], inField: boolean): OneRead {
  const heard = tokens.filter(({ kind }) => kind !== 'swallowed')
  const [first] = heard
  if (first === undefined) return NOTHING
  const single = heard.length === 1 ? singleKey(first, heard.length < tokens.length) : null
  if (single !== null) return single
  if (heard.length === tokens.length && heard.every(({ kind }) => kind === 'esc'))
    return { inputs: [pressed(bareKey('esc'))], note: null }
  return inField ? filledIn(heard) : moved(heard)
}

/** @param isDirty true if other input was swallowed with it: then the character may be the rest of that input */
function singleKey(token: InputToken, isDirty: boolean): OneRead | null {
  if (token.kind === 'key') return { inputs: [pressed(token.press)], note: null }
  if (isDirty) return null
  switch (token.kind) {
    case 'esc':
      return { inputs: [pressed(bareKey('esc'))], note: null }
    case 'alt':
      return { inputs: [], note: `alt-${token.name} does nothing here` }
    case 'text': {
      const keys = token.text.length > LONGEST_MOVES ? [] : keysOfText(token.text)
      // Ctrl-c stops a run, and the second one aborts it, so users repeat it if the program is slow. A paste never
      // consists of ctrl-c only.
      const isInterrupt = keys.every(({ name }) => name === 'ctrl-c')
      return keys.length === 1 || (keys.length > 0 && isInterrupt) ? { inputs: keys.map(pressed), note: null } : null
    }
    default:
      return null
  }
}

function moved(heard: readonly InputToken[]): OneRead {
  if (heard.some(({ kind }) => kind === 'paste')) return { inputs: [], note: NO_FIELD }
  const keys = heard.flatMap(keysOf)
  return keys.length > 0 && keys.every(({ name }) => MOVES.has(name))
    ? { inputs: keys.map(pressed), note: null }
    : { inputs: [], note: SEVERAL }
}

function keysOf(token: InputToken): readonly KeyPress[] {
  if (token.kind === 'key') return [token.press]
  return token.kind === 'text' && token.text.length <= LONGEST_MOVES ? keysOfText(token.text) : [bareKey('')]
}

function filledIn(heard: readonly InputToken[]): OneRead {
  const inputs: Input[] = []
  let note: string | null = null
  for (const token of heard) {
    if (token.kind === 'text') inputs.push(...typedTogether(token.text))
    else if (token.kind === 'paste' && token.text !== null) inputs.push({ kind: 'text', text: token.text })
    else if (token.kind === 'key' && EDITS.has(token.press.name)) inputs.push(pressed(token.press))
    else if (token.kind === 'key' && token.press.typed !== '') inputs.push({ kind: 'text', text: token.press.typed })
    else note = token.kind === 'paste' ? TOO_LONG : LEFT_OUT
  }
  return { inputs, note }
}

/** Control characters that edit a field, with their keys. */
const EDITING: ReadonlyMap<string, string> = new Map([
  ['\b', 'backspace'],
  ['\u007f', 'backspace'],
  ['\u0001', 'ctrl-a'],
  ['\u0005', 'ctrl-e'],
  ['\u000b', 'ctrl-k'],
  ['\u0015', 'ctrl-u'],
  ['\u0017', 'ctrl-w'],
])
const BACKSPACES = /([\b\u007f])/

/** Backspaces within the text delete characters. One editing key that is held down is repeated. All else is text. */
function typedTogether(text: string): readonly Input[] {
  const held = EDITING.get(text[0] ?? '')
  if (held !== undefined && text.replaceAll(text[0] ?? '', '') === '')
    return Array.from(text, () => pressed(bareKey(held)))
  return text
    .split(BACKSPACES)
    .filter((part) => part !== '')
    .map((part): Input => (BACKSPACES.test(part) ? pressed(bareKey('backspace')) : { kind: 'text', text: part }))
}
