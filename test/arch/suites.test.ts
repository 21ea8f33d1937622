/** The lists of suites in vitest.config.ts: each pattern names files that are there, and no file is dealt to two days. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './source-files.ts'

const config = readFileSync(path.join(ROOT, 'vitest.config.ts'), 'utf8')
const patterns = [...config.matchAll(/'(test\/[^'\n]+\.test\.[^'\n]*)'/g)].map(([, one = '']) => one)
const files = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).map((name) => `test/${name}`)

/** `**`, `*`, `{a,b}` and `[a-z]`, which is all that the lists use. */
function toRegExp(pattern: string): RegExp {
  const source = pattern.replaceAll(/\*\*\/|\*|\{|\}|,|\./g, (found) => {
    if (found === '**/') return '(?:.*/)?'
    return { '*': '[^/]*', '{': '(?:', '}': ')', ',': '|', '.': String.raw`\.` }[found] ?? found
  })
  return new RegExp(`^${source}$`)
}

test('each pattern names a file', () => {
  expect(patterns.length).toBeGreaterThan(100)
  expect(patterns.filter((one) => !files.some((file) => toRegExp(one).test(file)))).toEqual([])
})

test('no suite is dealt to two days', () => {
  const list = config.slice(config.indexOf('const LONGEST'), config.indexOf('] as const'))
  const named = [...list.matchAll(/'([^']+)'/g)].map(([, one = '']) => one)
  expect(named.length).toBeGreaterThan(100)
  expect(named.filter((one, i) => named.indexOf(one) !== i)).toEqual([])
})

test('paths of documents and fixtures in tests and scripts are there', () => {
  const missing = ['test', 'scripts'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.m?tsx?$|\.mjs$/.test(name))
      .flatMap((name) => {
        const file = path.join(ROOT, folder, name)
        const named = [...readFileSync(file, 'utf8').matchAll(/'((?:\.\.\/)+(?:docs|fixtures)\/[\w./-]+)'/g)]
        return named
          .map(([, one = '']) => one)
          .filter((one) => !existsSync(path.resolve(path.dirname(file), one)))
          .map((one) => `${folder}/${name}: ${one}`)
      }),
  )
  expect(missing).toEqual([])
})
