/**
 * docs/explain/security.md names the code of each defence and its test: all files exist, and each threat has a test or
 * a note that it has none.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const document = readFileSync(join(ROOT, 'docs/explain/security.md'), 'utf8')
const named = (text: string, folder: string): readonly string[] =>
  [...text.matchAll(new RegExp(`\`(${folder}/[^\`]+)\``, 'g'))].map(([, file = '']) => file)

test('every file in it exists', () => {
  const files = [...named(document, 'src'), ...named(document, 'test')]
  expect(files.length).toBeGreaterThan(60)
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([])
})

test('every threat has code, and a test or a note that there is none', () => {
  const rows = document.split('\n').filter((line) => line.startsWith('| ') && line.includes('`src/'))
  expect(rows.length).toBeGreaterThan(30)
  for (const row of rows) {
    if (!row.includes('| no test')) expect([row, named(row, 'test').length]).not.toEqual([row, 0])
  }
})

test('every section has a paragraph on what is not defended', () => {
  const parts = document.split('\n## ').slice(1)
  const open = parts.filter((part) => !part.includes('**Not defended:**')).map((part) => part.split('\n')[0])
  expect(open).toEqual(['Telling us'])
})
