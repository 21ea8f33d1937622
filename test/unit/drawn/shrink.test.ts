/** The shrinker reduces a planted fault to one column and one row. */
import { expect, test } from 'vitest'
import { shrink } from '../../drawn/support/shrink.ts'
import { rowsOf, type DrawnTable } from '../../drawn/support/shape.ts'

const DRAWN: DrawnTable = {
  system: 'sqlite',
  name: 'odd "name"',
  columns: ['a b', 'select', 'C', 'd'].map((name, at) => ({
    name,
    type: at === 2 ? 'REAL' : 'TEXT',
    values: ['1', '2', '3', '4'].map((text) => (at === 2 && text === '3' ? `'bad'` : `'${text}'`)),
  })),
  key: [0, 2],
  options: 'STRICT',
  settings: ['PRAGMA one', 'PRAGMA two'],
}

const isBad = (table: DrawnTable): boolean => rowsOf(table).some((row) => row.includes(`'bad'`))

test('a fault of one value is reduced to that value', async () => {
  const found = await shrink(DRAWN, async (table) => isBad(table), 5000)
  expect(found).toEqual({
    system: 'sqlite',
    name: 't',
    columns: [{ name: 'c0', type: 'REAL', values: [`'bad'`] }],
    key: [],
    options: '',
    settings: [],
  })
})

test('parts that the fault needs are kept', async () => {
  const needs = (table: DrawnTable): boolean =>
    isBad(table) && table.key.length === 2 && table.settings.includes('PRAGMA two') && rowsOf(table).length > 1
  const found = await shrink(DRAWN, async (table) => needs(table), 5000)
  expect(found).toMatchObject({ name: 't', key: [0, 1], settings: ['PRAGMA two'] })
  expect(found.columns.map(({ name }) => name)).toEqual(['c0', 'c1'])
  expect(rowsOf(found)).toHaveLength(2)
})
