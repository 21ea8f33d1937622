/** The sum of a period says how keys were compared. */
import { expect, test } from 'vitest'
import { byBytesText } from '../../src/archive/plan/period-sum.ts'
import type { Column } from '../../src/model/copy/column-type.ts'

const column = (name: string, more: Partial<Column> = {}): Column => ({
  name,
  type: { kind: 'text' },
  native: 'varchar(20)',
  nullable: false,
  ...more,
})

test('names key columns that only the database can compare', () => {
  const columns = [
    column('code', { collation: 'utf8mb4_general_ci' }),
    column('no'),
    column('b', { collation: 'x_ci' }),
  ]
  expect(byBytesText({ columns, key: ['code', 'no'] })).toBe(
    ', by the bytes of code (collation utf8mb4_general_ci), which the database compares otherwise',
  )
  expect(byBytesText({ columns, key: ['no'] })).toBe('')
  const sorted = [column('code', { collation: 'de_DE', sortsOnly: true }), column('low', { collation: 'NOCASE' })]
  expect(byBytesText({ columns: sorted, key: ['code', 'low'] })).toBe('')
})
