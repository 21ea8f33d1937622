/** Positions of PostgreSQL's log as texts. */
import { expect, test } from 'vitest'
import { lsnOf, lsnText, recordEnd } from '../../src/stores/postgresql/server/lsn.ts'

test.each([
  ['0/0', 0n],
  ['0/1A2B3C8', 0x1a2b3c8n],
  ['16/B374D848', 0x16b374d848n],
  ['FFFFFFFF/FFFFFFFF', 2n ** 64n - 1n],
])('%s is a number and the same text again', (text, position) => {
  expect(lsnOf(text)).toBe(position)
  expect(lsnText(position)).toBe(text)
})

test.each(['', '0', '0/', '/1', '0/123456789', 'G/1', '0/1 '])('%j is no position', (text) => {
  expect(() => lsnOf(text)).toThrow('not a position')
})

test('an insert position behind the header of a page is the end of the page before it', () => {
  expect(recordEnd(lsnOf('0/1802018'), 8192n)).toBe(lsnOf('0/1802000'))
  expect(recordEnd(lsnOf('0/2000028'), 8192n)).toBe(lsnOf('0/2000000'))
  // In the middle of a file 40 bytes are a header and the end of a record that began on the page before.
  expect(recordEnd(lsnOf('0/1802028'), 8192n)).toBe(lsnOf('0/1802028'))
  expect(recordEnd(lsnOf('0/1802000'), 8192n)).toBe(lsnOf('0/1802000'))
})
