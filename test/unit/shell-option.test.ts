/** Options in commands that are printed to be copied. */
import { expect, test } from 'vitest'
import { shellOption, shellQuote } from '../../src/shared/shell.ts'

test('a value that begins with a dash is no option of its own', () => {
  expect(shellOption('--accept-lossy', shellQuote('--'))).toBe('--accept-lossy=--')
  expect(shellOption('--accept-lossy', shellQuote('- a'))).toBe(`--accept-lossy='- a'`)
  expect(shellOption('--accept-lossy', shellQuote('a b'))).toBe(`--accept-lossy 'a b'`)
})
