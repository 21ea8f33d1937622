import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { compiledEntry } from '../../src/shared/compiled-entry.ts'

const ROOT = join(import.meta.dirname, '../..')
const NAMES = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('-main.ts'))
  .map((file) => file.slice(0, -3))

it.each(['cli/bin', ...NAMES])('finds the entry %s, which the program has, too', (name) => {
  const here = fileURLToPath(compiledEntry(name))
  expect(relative(ROOT, here)).toBe(`build/${name}.js`)
  for (const folder of ['build', 'dist']) expect(existsSync(join(ROOT, folder, `${name}.js`))).toBe(true)
})

it.each([
  ['build/shared/compiled-entry.js', 'build'],
  ['dist/chunks/base.js', 'dist'],
])('finds it from %s in %s/', async (from, folder) => {
  const chunks = readdirSync(join(ROOT, 'dist/chunks')).filter((file) => file.startsWith('base-'))
  expect(chunks).toHaveLength(1)
  const file = join(ROOT, from.replace('base.js', chunks[0] ?? ''))
  const exported = Object.values((await import(file)) as Readonly<Record<string, unknown>>)
  const [own] = exported.filter((one) => typeof one === 'function' && one.name === 'compiledEntry')
  const entry = (own as typeof compiledEntry)('cli/bin')
  expect(relative(ROOT, fileURLToPath(entry))).toBe(`${folder}/cli/bin.js`)
})
