/** What ARCHITECTURE and the recipes say of files is so: paths and names exist, and a recipe names every place of its example. */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { readSources, ROOT } from './source-files.ts'

const read = (file: string): string => fs.readFileSync(path.join(ROOT, file), 'utf8')
const architecture = read('docs/ARCHITECTURE.md')
const recipes = read('docs/dev/recipes.md')
const sources = readSources()

/** Paths of the project in code spans; one with a placeholder in capitals is none. */
function pathsOf(text: string): readonly string[] {
  const spans = [...text.matchAll(/`((?:src|test|docs|scripts)\/[\w./-]+)`/g)].map(([, one = '']) => one)
  return spans.filter((one) => !/\/[A-Z]+(?:\/|$)/.test(one))
}

describe('ARCHITECTURE', () => {
  const steps = [...architecture.matchAll(/^\d+\. `(\S+)` `(\w+)`: .*$/gm)].map(
    ([line, file = '', name = '']) => [file, name, line] as const,
  )

  test('has four walks of ten lines', () => {
    expect(architecture.match(/^\d+\. /gm)).toHaveLength(40)
    expect(steps).toHaveLength(40)
  })

  test.each(steps)('%s has %s', (file, name) => {
    expect(read(file)).toMatch(new RegExp(`\\b${name}\\b`))
  })

  test('names no path that is not there', () => {
    expect(pathsOf(architecture).filter((one) => !fs.existsSync(path.join(ROOT, one)))).toEqual([])
  })

  test('links every page of dev', () => {
    const pages = fs.readdirSync(path.join(ROOT, 'docs/dev'))
    expect(pages.filter((page) => !architecture.includes(`(dev/${page})`))).toEqual([])
  })
})

type Recipe = {
  readonly title: string
  readonly examples: readonly string[]
  /** Where the example is looked for. */
  readonly within: readonly string[]
  readonly files: readonly string[]
}

const RECIPES: readonly Recipe[] = recipes
  .split('\n## ')
  .slice(1)
  .flatMap((text) => {
    const [, said] = /^Example: (.*)$/m.exec(text) ?? []
    if (said === undefined) return []
    const [examples = '', within = ''] = said.split(', in ')
    const spans = (line: string): string[] => [...line.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one)
    return {
      title: text.slice(0, text.indexOf('\n')),
      examples: spans(examples),
      within: within === '' ? ['src'] : spans(within),
      files: [...text.matchAll(/^- `(src\/[^`]+)`:/gm)].map(([, one = '']) => one),
    }
  })

/** @returns whether a file has one of the examples as a word of its own */
function has(text: string, examples: readonly string[]): boolean {
  return examples.some((one) => {
    const escaped = one.replaceAll(/[^\w ]/g, String.raw`\$&`)
    return new RegExp(`(?<!\\w)${escaped}(?!\\w)`).test(text)
  })
}

describe('a recipe', () => {
  test('there is one for each thing that people add', () => {
    expect(RECIPES).toHaveLength(10)
  })

  test.each(RECIPES)('names every place of its example: $title', ({ examples, within, files }) => {
    const found = sources
      .filter(({ text }) => has(text, examples))
      .map(({ name }) => `src/${name}`)
      .filter((name) => within.some((folder) => name.startsWith(`${folder}/`)))
    const covers = (file: string, name: string): boolean => (file.endsWith('/') ? name.startsWith(file) : name === file)
    expect(found.filter((name) => !files.some((file) => covers(file, name)))).toEqual([])
    expect(files.filter((file) => !found.some((name) => covers(file, name)))).toEqual([])
  })

  test('names no path that is not there', () => {
    expect(pathsOf(recipes).filter((one) => !fs.existsSync(path.join(ROOT, one)))).toEqual([])
  })
})
