import { expect, it } from 'vitest'
import { commonStart } from '../../src/shared/common-start.ts'

it.each([
  [[], ''],
  [['orders'], 'orders'],
  [['orders', 'ordinary', 'order'], 'ord'],
  [['order', 'orders'], 'order'],
  [['a', 'b'], ''],
])('%j begin with %j', (texts, shared) => {
  expect(commonStart(texts)).toBe(shared)
})

it('spells it as the first one does where letters are alike', () => {
  const alike = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()
  expect(commonStart(['Orders', 'ordinary'], alike)).toBe('Ord')
  expect(commonStart(['Orders', 'ordinary'])).toBe('')
})
