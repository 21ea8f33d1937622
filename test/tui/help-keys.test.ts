import { expect, it } from 'vitest'
import { helpLines } from '../../src/tui/dialogs/help.ts'
import { initialState } from '../../src/tui/state/state.ts'

it('separates long keys from their text', () => {
  const state = initialState({ columns: 120, rows: 40, ascii: false, lake: null, catalog: null, now: 0 })
  const lines = helpLines(state, 'shift-tab', 60).map((line) => line.map(({ text }) => text).join(''))
  const pair = lines.filter((text) => text.includes('tab shift-tab'))
  expect(pair.length).toBeGreaterThan(0)
  for (const text of pair) expect(text).toMatch(/tab shift-tab \S/)
})
