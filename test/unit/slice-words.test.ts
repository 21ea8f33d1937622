/** Values of `--slices`. */
import { describe, expect, test } from 'vitest'
import { slicesIn } from '../../src/cli/parse/words.ts'

describe('--slices', () => {
  test.each([
    ['week', { unit: 'week' }],
    [' Month ', { unit: 'month' }],
    ['1-6', { unit: 'week', numbers: { from: 1, through: 6 } }],
    ['4', { unit: 'week', numbers: { from: 4, through: 4 } }],
    ['week:7-13', { unit: 'week', numbers: { from: 7, through: 13 } }],
    ['month:2', { unit: 'month', numbers: { from: 2, through: 2 } }],
  ] as const)('%s', (text, options) => {
    expect(slicesIn(text)).toEqual(options)
  })

  test.each(['', '0', '0-3', '6-1', 'quarter', 'week:', 'week:1,2', '1-', '-3', '1-99999', 'month-1'])(
    'refuses %j',
    (text) => {
      expect(() => slicesIn(text)).toThrow('is not a unit or a range of slices')
    },
  )
})
