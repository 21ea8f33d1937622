/** What comes from outside is read, and not taken for what it should be; bytes as texts have one spelling. */
import { expect, test } from 'vitest'
import { readSources } from './source-files.ts'

/** Ink asks for a whole stream, and uses what our screen has of it. */
const CASTS = new Set(['tui/run-tui.tsx'])

test('no value of one type is called another by way of unknown', () => {
  const found = readSources().filter(({ name, code }) => /\bas unknown as\b/.test(code) && !CASTS.has(name))
  expect(found.map(({ name }) => name)).toEqual([])
})

test('bytes become a text of a key in one place', () => {
  const found = readSources().filter(({ code }) => /\\\\x\$\{|replace\(\/\^\\\\x\//.test(code))
  expect(found.map(({ name }) => name).filter((name) => name !== 'shared/visible.ts')).toEqual([
    'model/copy/bytes-text.ts',
  ])
})
