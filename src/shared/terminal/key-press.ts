/** One name for each key, and the keys of plain characters. */

export type KeyPress = {
  /** `j`, `G`, `ctrl-d`, `down`, `esc`, `space` … */
  readonly name: string
  /** Text that the key types, '' if none. */
  readonly typed: string
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** A key without text. */
export const bareKey = (name: string): KeyPress => ({ name, typed: '' })

/** The key of one visible character; control characters are named by the keys that type them. */
export function keyOfCharacter(character: string): KeyPress {
  const code = character.codePointAt(0) ?? 0
  if (character === '\r' || character === '\n' || character === '\r\n') return bareKey('enter')
  if (character === '\t') return bareKey('tab')
  if (character === ' ') return { name: 'space', typed: ' ' }
  if (code === 0x7f || code === 8) return bareKey('backspace')
  if (code === 27) return bareKey('esc')
  if (code > 0 && code < 27) return bareKey(`ctrl-${String.fromCodePoint(code + 96)}`)
  // Ctrl with a blank or a punctuation character is not bound, and is not text.
  if (code < 32) return bareKey(`ctrl-${String.fromCodePoint(code + 64)}`)
  return { name: character, typed: character }
}

/** The keys of a text, one for each visible character. */
export function keysOfText(text: string): readonly KeyPress[] {
  return Array.from(segmenter.segment(text), ({ segment }) => keyOfCharacter(segment))
}
