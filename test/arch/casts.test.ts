/** Values from outside are validated, not cast; bytes have one text form. */
import { expect, test } from 'vitest'
import { readSources } from './source-files.ts'

/** Ink requires a whole stream, but uses only the members that our screen has. */
const CASTS = new Set(['tui/run-tui.tsx'])

test('no value is cast by way of unknown', () => {
  const found = readSources().filter(({ name, code }) => /\bas unknown as\b/.test(code) && !CASTS.has(name))
  expect(found.map(({ name }) => name)).toEqual([])
})

test('bytes of a key become text in one module', () => {
  const found = readSources().filter(({ code }) => /\\\\x\$\{|replace\(\/\^\\\\x\//.test(code))
  expect(found.map(({ name }) => name).filter((name) => name !== 'shared/visible.ts')).toEqual([
    'model/copy/bytes-text.ts',
  ])
})
