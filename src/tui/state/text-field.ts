/** One line of editable text, with the caret position in visible characters. */
import { LONGEST_PASTE } from '../../shared/terminal/input-grammar.ts'

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
/** A text of only these characters needs no segmenter, which is slow for long texts. */
const PLAIN = /^[\x20-\x7e]*$/u
const split = (text: string): string[] =>
  PLAIN.test(text) ? text.split('') : Array.from(segmenter.segment(text), (s) => s.segment)

export type TextField = { readonly text: string; readonly caret: number }

/** A field with the caret at its end. */
export function field(text = ''): TextField {
  return { text, caret: split(text).length }
}

/** Text before and after the caret. */
export function around(of: TextField): readonly [string, string] {
  const parts = split(of.text)
  return [parts.slice(0, of.caret).join(''), parts.slice(of.caret).join('')]
}

function insert(of: TextField, typed: string): TextField {
  if (of.text.length + typed.length > LONGEST_PASTE) return of
  const [before, after] = around(of)
  return { text: before + typed + after, caret: split(before + typed).length }
}

/**
 * The field after a key; null if the key does not edit text.
 * @param key name of the key; @param typed text that the key types, '' if none.
 */
export function edit(of: TextField, key: string, typed: string): TextField | null {
  const [before, after] = around(of)
  const size = split(of.text).length
  switch (key) {
    case 'backspace':
      return of.caret === 0 ? of : { text: split(before).slice(0, -1).join('') + after, caret: of.caret - 1 }
    case 'delete':
      return { text: before + split(after).slice(1).join(''), caret: of.caret }
    case 'left':
      return { text: of.text, caret: Math.max(0, of.caret - 1) }
    case 'right':
      return { text: of.text, caret: Math.min(size, of.caret + 1) }
    case 'home':
    case 'ctrl-a':
      return { text: of.text, caret: 0 }
    case 'end':
    case 'ctrl-e':
      return { text: of.text, caret: size }
    case 'ctrl-u':
      return { text: '', caret: 0 }
    case 'ctrl-k':
      return { text: before, caret: of.caret }
    case 'ctrl-w': {
      const kept = before.replace(/\S+\s*$/u, '')
      return { text: kept + after, caret: split(kept).length }
    }
    default:
      return typed === '' ? null : insert(of, typed)
  }
}
