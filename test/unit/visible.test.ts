/** Names with control characters or look-alikes are printed escaped everywhere. */
import { expect, it } from 'vitest'
import { redactText } from '../../src/shared/redact.ts'
import { visibleJson, oneLine, visible } from '../../src/shared/visible.ts'

it.each([
  ['a\u001b[2Jb', String.raw`a\x1b[2Jb`],
  ['a\u202eb', String.raw`a\u{202e}b`],
  ['a\u200bb', String.raw`a\u{200b}b`],
  ['a\u00adb', String.raw`a\xadb`],
  ['a\u034fb', String.raw`a\u{34f}b`],
  ['a\u{e0000}\u{e0001}\u{e0041}\u{e007f}b', String.raw`a\u{e0000}\u{e0001}\u{e0041}\u{e007f}b`],
  ['a\u3164\ufeffb', String.raw`a\u{3164}\u{feff}b`],
  ['a\rb', String.raw`a\rb`],
  ['größe ١ 表', 'größe ١ 表'],
])('%j', (text, seen) => {
  expect(visible(text)).toBe(seen)
  expect(oneLine(text)).toBe(seen)
  expect(oneLine(seen)).toBe(seen)
})

it('puts a message of several lines on one line', () => expect(oneLine('a\r\nb\tc\nd')).toBe('a b c d'))

it('masks a password in escaped and unescaped form', () => {
  const secret = 'pass\u001bw\u200bord'
  expect(redactText(`${secret} ${visible(secret)}`, [secret])).toBe('*** ***')
})

it('does not change a JSON value', () => {
  const value = { name: 'a\u009b\u202e\u2028##[error]' }
  expect(JSON.parse(visibleJson(value))).toEqual(value)
})
