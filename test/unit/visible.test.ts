/** Names that a terminal would change, or that look alike, are told apart wherever they are printed. */
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

it('keeps a message of several lines a message', () => expect(oneLine('a\r\nb\tc\nd')).toBe('a b c d'))

it('keeps a password out in either form', () => {
  const secret = 'pass\u001bw\u200bord'
  expect(redactText(`${secret} ${visible(secret)}`, [secret])).toBe('*** ***')
})

it('leaves a value of JSON what it is', () => {
  const value = { name: 'a\u009b\u202e\u2028##[error]' }
  expect(JSON.parse(visibleJson(value))).toEqual(value)
})
