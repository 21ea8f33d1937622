import { expect, test } from 'vitest'
import { rowWriter } from '../../src/render/row-writer.ts'

test('NULL and the text NULL are different in a table', () => {
  const lines: string[] = []
  const writer = rowWriter('table', (text) => void lines.push(text))
  writer.columns(['id', 'note'])
  writer.row([1, null])
  writer.row([2, 'NULL'])
  writer.row([3, 'null'])
  writer.end()
  expect(
    lines
      .join('')
      .split('\n')
      .map((line) => line.trim()),
  ).toEqual(['id  note', '1  NULL', "2  'NULL'", '3  null', ''])
})
