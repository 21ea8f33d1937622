/** Key range of a chunk in a group of chunks, as a map draws it. */
import { expect, test } from 'vitest'
import { keyRangeOfChunk } from '../../src/model/run/chunk-key-range.ts'

const all = (first: number, last: number, edges?: readonly (string | null)[]): readonly unknown[] =>
  Array.from({ length: last - first + 1 }, (_, i) =>
    keyRangeOfChunk({ first, last, state: 'proved', ...(edges === undefined ? {} : { edges }) }, first + i),
  )

test('begins after the chunk before it if each bound is known', () => {
  expect(all(4, 6, ['10', '19', '25', null])).toEqual([
    { from: ['10'], to: ['19'] },
    { from: ['20'], to: ['25'] },
    { from: ['26'], to: null },
  ])
  expect(all(4, 4, ['-9223372036854775808', '7'])).toEqual([{ from: ['-9223372036854775808'], to: ['7'] }])
})

test('is an equal share if only the bounds of the group are known', () => {
  expect(all(1, 3, ['1', '10'])).toEqual([
    { from: ['1'], to: ['3'] },
    { from: ['4'], to: ['6'] },
    { from: ['7'], to: ['10'] },
  ])
  expect(all(1, 2, [null, '10'])).toEqual([
    { from: null, to: ['10'] },
    { from: ['10'], to: ['10'] },
  ])
})

test('is unknown without bounds', () => {
  expect(all(1, 2)).toEqual([undefined, undefined])
})
