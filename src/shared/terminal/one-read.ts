/**
 * What one read of the terminal means: one key, or a paste. Hands type one key a read; several arrive together on a
 * slow line, where a key is held down, and where a terminal that knows no bracketed paste pastes. The last must never
 * act, so several keys together do no more than move, or fill a text field in.
 */
import { bare, keysOfText, type KeyPress } from './key-press.ts'
import type { Token } from './input-grammar.ts'

export type Input =
  | { readonly kind: 'press'; readonly press: KeyPress }
  /** Text as it came, with its line ends and control characters; it was pasted or came together. */
  | { readonly kind: 'text'; readonly text: string }

/** @property note what is said of keys that were left out; null where none was */
export type OneRead = { readonly inputs: readonly Input[]; readonly note: string | null }

/** Keys that move a cursor or a view, and change nothing else. */
const MOVES: ReadonlySet<string> = new Set(
  'j k g G [ ] up down left right home end pageup pagedown tab shift-tab ctrl-d ctrl-u'.split(' '),
)
/** Keys that edit a text field, and leave it open. */
const EDITS: ReadonlySet<string> = new Set('up down left right home end backspace delete'.split(' '))
/** More keys that move than a slow line holds back, in characters. */
const LONGEST_MOVES = 256

const NO_FIELD = 'the paste is ignored: no text field is open'
const TOO_LONG = 'the paste is ignored: it is longer than 65,536 characters'
const SEVERAL = 'several keys at once are ignored, as a paste would be: press them one by one'
const LEFT_OUT = 'enter, esc and other keys that came together with text are left out: press them again'

const pressed = (press: KeyPress): Input => ({ kind: 'press', press })
const NOTHING: OneRead = { inputs: [], note: null }

/**
 * @param tokens of one read
 * @param inField whether text would go into a text field
 */
export function oneRead(tokens: readonly Token[], inField: boolean): OneRead {
  const heard = tokens.filter(({ kind }) => kind !== 'swallowed')
  const [first] = heard
  if (first === undefined) return NOTHING
  const single = heard.length === 1 ? singleKey(first, heard.length < tokens.length) : null
  if (single !== null) return single
  if (heard.length === tokens.length && heard.every(({ kind }) => kind === 'esc'))
    return { inputs: [pressed(bare('esc'))], note: null }
  return inField ? filledIn(heard) : moved(heard)
}

/** @param isDirty whether something was swallowed beside it: then a character may be the rest of that */
function singleKey(token: Token, isDirty: boolean): OneRead | null {
  if (token.kind === 'key') return { inputs: [pressed(token.press)], note: null }
  if (isDirty) return null
  switch (token.kind) {
    case 'esc':
      return { inputs: [pressed(bare('esc'))], note: null }
    case 'alt':
      return { inputs: [], note: `alt-${token.name} does nothing here` }
    case 'text': {
      const keys = token.text.length > LONGEST_MOVES ? [] : keysOfText(token.text)
      // What stops a run, and aborts it the second time, is pressed again where the program is slow to answer; no paste
      // is made of it.
      const isInterrupt = keys.every(({ name }) => name === 'ctrl-c')
      return keys.length === 1 || (keys.length > 0 && isInterrupt) ? { inputs: keys.map(pressed), note: null } : null
    }
    default:
      return null
  }
}

function moved(heard: readonly Token[]): OneRead {
  if (heard.some(({ kind }) => kind === 'paste')) return { inputs: [], note: NO_FIELD }
  const keys = heard.flatMap(keysOf)
  return keys.length > 0 && keys.every(({ name }) => MOVES.has(name))
    ? { inputs: keys.map(pressed), note: null }
    : { inputs: [], note: SEVERAL }
}

function keysOf(token: Token): readonly KeyPress[] {
  if (token.kind === 'key') return [token.press]
  return token.kind === 'text' && token.text.length <= LONGEST_MOVES ? keysOfText(token.text) : [bare('')]
}

function filledIn(heard: readonly Token[]): OneRead {
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

/** Controls that a field edits by, as they are typed. */
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

/**
 * Backspaces among what was typed take back, and one editing key that is held down edits as often as it came; all else
 * is text.
 */
function typedTogether(text: string): readonly Input[] {
  const held = EDITING.get(text[0] ?? '')
  if (held !== undefined && text.replaceAll(text[0] ?? '', '') === '')
    return Array.from(text, () => pressed(bare(held)))
  return text
    .split(BACKSPACES)
    .filter((part) => part !== '')
    .map((part): Input => (BACKSPACES.test(part) ? pressed(bare('backspace')) : { kind: 'text', text: part }))
}
