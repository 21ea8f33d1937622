/** Positions of PostgreSQL's WAL as texts. */
import { expect, test } from 'vitest'
import { lsnOf, lsnText, recordEnd } from '../../src/stores/postgresql/server/lsn.ts'

test.each([
  ['0/0', 0n],
  ['0/1A2B3C8', 0x1a2b3c8n],
  ['16/B374D848', 0x16b374d848n],
  ['FFFFFFFF/FFFFFFFF', 2n ** 64n - 1n],
])('%s is parsed, and printed as the same text', (text, position) => {
  expect(lsnOf(text)).toBe(position)
  expect(lsnText(position)).toBe(text)
})

test.each(['', '0', '0/', '/1', '0/123456789', 'G/1', '0/1 '])('%j is not a position', (text) => {
  expect(() => lsnOf(text)).toThrow('not a position')
})

test('an insert position after a page header is the end of the page before it', () => {
  expect(recordEnd(lsnOf('0/1802018'), 8192n)).toBe(lsnOf('0/1802000'))
  expect(recordEnd(lsnOf('0/2000028'), 8192n)).toBe(lsnOf('0/2000000'))
  // In a file's first page 40 bytes are its long header; elsewhere they are a header and the end of a record.
  expect(recordEnd(lsnOf('0/1802028'), 8192n)).toBe(lsnOf('0/1802028'))
  expect(recordEnd(lsnOf('0/1802000'), 8192n)).toBe(lsnOf('0/1802000'))
})
