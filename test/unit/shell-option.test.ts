/** Options in printed commands. */
import { expect, test } from 'vitest'
import { shellOption, shellQuote } from '../../src/shared/shell.ts'

test('a value that begins with a dash is not parsed as an option', () => {
  expect(shellOption('--accept-lossy', shellQuote('--'))).toBe('--accept-lossy=--')
  expect(shellOption('--accept-lossy', shellQuote('- a'))).toBe(`--accept-lossy='- a'`)
  expect(shellOption('--accept-lossy', shellQuote('a b'))).toBe(`--accept-lossy 'a b'`)
})
