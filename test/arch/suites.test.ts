/** The lists of suites: each pattern matches a file, and no file runs on two days. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ALL_ONLY, CATALOG, CI_EACH_DAY, LIGHT, LONG, LONGER, LONGEST } from '../setup/suites.ts'
import { ROOT } from './source-files.ts'

const patterns = [...CATALOG, ...LONG, ...LONGER, ...LIGHT, ...CI_EACH_DAY, ...LONGEST, ...ALL_ONLY]
const files = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).map((name) => `test/${name}`)

/** Supports `**`, `*`, `{a,b}` and `[a-z]`, the only forms in the lists. */
function toRegExp(pattern: string): RegExp {
  const source = pattern.replaceAll(/\*\*\/|\*|\{|\}|,|\./g, (found) => {
    if (found === '**/') return '(?:.*/)?'
    return { '*': '[^/]*', '{': '(?:', '}': ')', ',': '|', '.': String.raw`\.` }[found] ?? found
  })
  return new RegExp(`^${source}$`)
}

test('each pattern matches a file', () => {
  expect(patterns.length).toBeGreaterThan(100)
  expect(patterns.filter((one) => !files.some((file) => toRegExp(one).test(file)))).toEqual([])
})

test('no suite is listed for two days, or both for each day and for one', () => {
  const named: readonly string[] = [...LONGEST, ...CI_EACH_DAY]
  expect(LONGEST.length).toBeGreaterThan(100)
  expect(named.filter((one, i) => named.indexOf(one) !== i)).toEqual([])
  const soaks = ALL_ONLY.map(toRegExp)
  expect(named.filter((one) => soaks.some((soak) => soak.test(one)))).toEqual([])
})

test('paths of documents and fixtures in tests and scripts exist', () => {
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
