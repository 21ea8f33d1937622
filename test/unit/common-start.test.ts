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

it('takes the spelling of the first text if letters compare as equal', () => {
  const alike = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()
  expect(commonStart(['Orders', 'ordinary'], alike)).toBe('Ord')
  expect(commonStart(['Orders', 'ordinary'])).toBe('')
})
