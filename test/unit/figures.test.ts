import { expect, it } from 'vitest'
import { factorText, sizeText } from '../../src/shared/figures.ts'

it.each([
  [999, '999 B', '999 B', '999 B'],
  [1000, '1.0 KB', '1.0 KB', '1 KB'],
  [99_949, '99.9 KB', '99.9 KB', '100 KB'],
  [148_200, '148 KB', '148.2 KB', '148 KB'],
  [999_500, '1.0 MB', '999.5 KB', '1 MB'],
  [999_950, '1.0 MB', '1.0 MB', '1 MB'],
  [500_000_000, '500 MB', '500.0 MB', '500 MB'],
  [10_000_000_000n, '10.0 GB', '10.0 GB', '10 GB'],
])('%s bytes are %s in three digits, %s with one place, %s with none', (bytes, three, one, none) => {
  expect([sizeText(bytes), sizeText(bytes, 1), sizeText(bytes, 0)]).toEqual([three, one, none])
})

it('factors have one format and the given sign', () => {
  expect([factorText(1.24), factorText(9.96, '×'), factorText(10_018.4, '×')]).toEqual(['1.2x', '10×', '10,018×'])
})
