/** One name for each key, from what Ink reports. */
import type { Key } from 'ink'

export type KeyPress = {
  /** `j`, `G`, `ctrl-d`, `down`, `esc`, `space` … */
  readonly name: string
  /** Text the key types, '' for keys that type nothing. */
  readonly typed: string
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

function special(key: Key): string | null {
  if (key.upArrow) return 'up'
  if (key.downArrow) return 'down'
  if (key.leftArrow) return 'left'
  if (key.rightArrow) return 'right'
  if (key.pageDown) return 'pagedown'
  if (key.pageUp) return 'pageup'
  if (key.home) return 'home'
  if (key.end) return 'end'
  if (key.return) return 'enter'
  if (key.escape) return 'esc'
  if (key.tab) return key.shift ? 'shift-tab' : 'tab'
  // Terminals send DEL for the backspace key, which Ink calls delete.
  if (key.backspace || key.delete) return 'backspace'
  return null
}

/** The letter that was typed together with alt, or behind an escape in one piece; null for any other report. */
export function altLetter(input: string, key: Key): string | null {
  return key.meta && !key.ctrl && special(key) === null && /^\p{L}$/u.test(input) ? input : null
}

/** Key presses in one report: on a slow line several characters arrive as one text. */
export function keyPresses(input: string, key: Key): readonly KeyPress[] {
  const name = special(key)
  // Two escapes of one chunk are one report whose text is the second.
  if (name === 'esc' && input === '\u001b')
    return [
      { name, typed: '' },
      { name, typed: '' },
    ]
  // An escape that comes together with what is typed after it means to leave: it must never turn into an enter alone.
  if (name !== null && key.meta && (name === 'enter' || name === 'tab'))
    return [
      { name: 'esc', typed: '' },
      { name, typed: '' },
    ]
  if (name !== null) return [{ name, typed: '' }]
  if (input === '') return []
  // On a slow line an escape and the key after it arrive together and look like alt, which is bound nowhere; where text is typed, `altLetter` is asked first.
  if (key.meta && !key.ctrl) return [{ name: 'esc', typed: '' }, ...typedKeys(input)]
  if (key.ctrl) return [{ name: `ctrl-${input}`, typed: '' }]
  return typedKeys(input)
}

function typedKeys(input: string): readonly KeyPress[] {
  return Array.from(segmenter.segment(input), ({ segment }): KeyPress => {
    const code = segment.codePointAt(0) ?? 0
    if (segment === '\r' || segment === '\n' || segment === '\r\n') return { name: 'enter', typed: '' }
    if (segment === '\t') return { name: 'tab', typed: '' }
    if (segment === ' ') return { name: 'space', typed: ' ' }
    if (code === 0x7f || code === 8) return { name: 'backspace', typed: '' }
    if (code === 27) return { name: 'esc', typed: '' }
    if (code < 32) return { name: `ctrl-${String.fromCodePoint(code + 96)}`, typed: '' }
    return { name: segment, typed: segment }
  })
}
