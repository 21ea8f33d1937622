import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { KEYMAP } from '../../src/tui/keymap/bindings.ts'
import { keysDoc } from '../../src/tui/keymap/keys-doc.ts'
import { commandOf, hints, workingBindings } from '../../src/tui/keymap/lookup.ts'
import { width } from '../../src/render/screen-text.ts'
import { initialState } from '../../src/tui/state/state.ts'

const state = initialState({ columns: 80, rows: 24, ascii: false, lake: './lake', catalog: 'sqlite:///x', now: 0 })

describe('keymap', () => {
  it('equals docs/reference/KEYS.md', () => {
    expect(readFileSync(new URL('../../docs/reference/KEYS.md', import.meta.url), 'utf8')).toBe(keysDoc())
  })

  it('binds no key that terminals cannot send or that stops the terminal', () => {
    const keys = KEYMAP.flatMap((b) => b.keys)
    for (const bad of ['ctrl-s', 'ctrl-q', 'ctrl-i', 'ctrl-m', 'ctrl-h']) expect(keys).not.toContain(bad)
  })

  it('has a label for every binding that fits the help page', () => {
    for (const b of KEYMAP)
      if (b.unlisted !== true) expect(width(b.help?.[1] ?? b.label), b.label).toBeLessThanOrEqual(26)
  })

  it('hints only keys that work now, within the row', () => {
    const shown = hints(state, 78)
    expect(shown.reduce((n, h) => n + width(h.keys) + 1 + width(h.text) + 2, -2)).toBeLessThanOrEqual(78)
    expect(shown.map((h) => h.text)).toContain('keys')
    expect(shown.map((h) => h.text)).not.toContain('import')
    expect(workingBindings(state).map((b) => b.command)).not.toContain('rollback')
  })

  it('sends keys to an open dialog', () => {
    expect(commandOf(state, 'q')).toBe('quit')
    const asking = { ...state, dialog: { kind: 'quit', choice: 0 } as const }
    expect(commandOf(asking, 'q')).toBeNull()
    expect(commandOf(asking, 'esc')).toBe('dialog.close')
    expect(commandOf(asking, 'ctrl-c')).toBe('interrupt')
  })
})
