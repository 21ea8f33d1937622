import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { KEYMAP } from '../../src/tui/keymap/bindings.ts'
import { keyPresses } from '../../src/tui/keymap/key-name.ts'
import { keysDoc } from '../../src/tui/keymap/keys-doc.ts'
import { commandOf, hints, workingBindings } from '../../src/tui/keymap/lookup.ts'
import { width } from '../../src/tui/draw/text.ts'
import { initialState } from '../../src/tui/state/state.ts'

const state = initialState({ columns: 80, rows: 24, ascii: false, lake: './lake', catalog: 'sqlite:///x', now: 0 })
const NO_KEY = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageDown: false,
  pageUp: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  ctrl: false,
  shift: false,
  tab: false,
  backspace: false,
  delete: false,
  meta: false,
  super: false,
  hyper: false,
  capsLock: false,
  numLock: false,
} as const

describe('keymap', () => {
  it('is what docs/KEYS.md says', () => {
    expect(readFileSync(new URL('../../docs/KEYS.md', import.meta.url), 'utf8')).toBe(keysDoc())
  })

  it('binds no key that terminals cannot send or that stops the terminal', () => {
    const keys = KEYMAP.flatMap((b) => b.keys)
    for (const bad of ['ctrl-s', 'ctrl-q', 'ctrl-i', 'ctrl-m', 'ctrl-h']) expect(keys).not.toContain(bad)
  })

  it('gives every binding a label that fits the help page', () => {
    for (const b of KEYMAP)
      if (b.unlisted !== true) expect(width(b.help?.[1] ?? b.label), b.label).toBeLessThanOrEqual(26)
  })

  it('hints only what works now, within the row', () => {
    const shown = hints(state, 78)
    expect(shown.reduce((n, h) => n + width(h.keys) + 1 + width(h.text) + 2, -2)).toBeLessThanOrEqual(78)
    expect(shown.map((h) => h.text)).toContain('all keys')
    expect(shown.map((h) => h.text)).not.toContain('import')
    expect(workingBindings(state).map((b) => b.command)).not.toContain('rollback')
  })

  it('sends keys to the dialog while one is open', () => {
    expect(commandOf(state, 'q')).toBe('quit')
    const asking = { ...state, dialog: { kind: 'quit', choice: 0 } as const }
    expect(commandOf(asking, 'q')).toBeNull()
    expect(commandOf(asking, 'esc')).toBe('dialog.close')
    expect(commandOf(asking, 'ctrl-c')).toBe('interrupt')
  })
})

describe('key names', () => {
  it('takes several keys of one chunk apart', () => {
    expect(keyPresses('jj ?', NO_KEY).map((k) => k.name)).toEqual(['j', 'j', 'space', '?'])
    expect(keyPresses('a\r', NO_KEY).map((k) => k.name)).toEqual(['a', 'enter'])
  })

  it('reads an escape that came together with the next key', () => {
    expect(keyPresses('q', { ...NO_KEY, meta: true }).map((k) => k.name)).toEqual(['esc', 'q'])
  })

  it('does not take an escape with an enter behind it for an enter', () => {
    expect(keyPresses('', { ...NO_KEY, return: true, meta: true }).map((k) => k.name)).toEqual(['esc', 'enter'])
    expect(keyPresses('', { ...NO_KEY, tab: true, meta: true }).map((k) => k.name)).toEqual(['esc', 'tab'])
  })

  it('counts two escapes of one chunk as two', () => {
    expect(keyPresses('\u001b', { ...NO_KEY, escape: true, meta: true })).toHaveLength(2)
    expect(keyPresses('', { ...NO_KEY, escape: true, meta: true })).toHaveLength(1)
  })

  it('knows backspace under both of its names', () => {
    expect(keyPresses('', { ...NO_KEY, delete: true })[0]?.name).toBe('backspace')
    expect(keyPresses('d', { ...NO_KEY, ctrl: true })[0]?.name).toBe('ctrl-d')
  })
})
