import { expect, it } from 'vitest'
import { commandForms } from '../../src/cli/ui/forms.ts'
import { paletteEntries } from '../../src/tui/dialogs/palette.ts'
import { shownTableName } from '../../src/tui/views/table-name.ts'
import { initialState } from '../../src/tui/state/state.ts'
import type { State } from '../../src/tui/state/state.ts'

function found(text: string): readonly string[] {
  const state = initialState({
    columns: 80,
    rows: 24,
    ascii: false,
    lake: './lake',
    catalog: 'sqlite:///x',
    now: 0,
    forms: commandForms(),
  })
  const field = { text, at: text.length }
  return paletteEntries({ ...state, dialog: { kind: 'palette', field, cursor: 0 } } as unknown as State).map((entry) =>
    'form' in entry ? `form ${entry.form.words.join(' ')}` : `key ${entry.binding.command}`,
  )
}

it('a command with exactly the typed name comes before longer names', () => {
  expect(found('copy')[0]).toBe('form copy')
  expect(found('copy ')[0]).toBe('form copy')
  expect(found('sync')[0]).toMatch(/sync$/)
})

it('a table has the same name as on the Tables screen', () => {
  expect(shownTableName('./lake/sales/orders', './lake')).toBe('sales/orders')
  expect(shownTableName('s3://b/lake/sales/orders', 's3://b/lake/')).toBe('sales/orders')
  expect(shownTableName('./lake', './lake')).toBe('./lake')
  expect(shownTableName('./lakes/t', './lake')).toBe('./lakes/t')
  expect(shownTableName('./other/t', null)).toBe('./other/t')
})
