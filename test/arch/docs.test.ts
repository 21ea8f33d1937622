/**
 * Documents for contributors: their paths and names exist, recipes name every place of their example, and their words
 * are those of the glossary.
 */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesPage } from './files-page.ts'
import { readSources, ROOT } from './source-files.ts'

const read = (file: string): string => fs.readFileSync(path.join(ROOT, file), 'utf8')
const architecture = read('docs/ARCHITECTURE.md')
const recipes = read('docs/dev/recipes.md')
const rooms = read('docs/dev/rooms.md')
const sources = readSources()

/** Paths of the project in code spans, without those that have a placeholder in capitals. */
function pathsOf(text: string): readonly string[] {
  const spans = [...text.matchAll(/`((?:src|test|docs|scripts)\/[\w./-]+)`/g)].map(([, one = '']) => one)
  return spans.filter((one) => !/\/[A-Z]+(?:\/|$)/.test(one))
}

const missing = (files: readonly string[]): readonly string[] =>
  files.filter((file) => !fs.existsSync(path.join(ROOT, file)))

const spansOf = (text: string): readonly string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one)

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

  test('names only existing paths', () => {
    expect(missing(pathsOf(architecture))).toEqual([])
  })

  test('links every page of docs/dev', () => {
    const pages = fs.readdirSync(path.join(ROOT, 'docs/dev'))
    expect(pages.filter((page) => !architecture.includes(`(dev/${page})`))).toEqual([])
  })
})

type Recipe = {
  readonly title: string
  readonly examples: readonly string[]
  /** Folders that are searched for the example. */
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
    return {
      title: text.slice(0, text.indexOf('\n')),
      examples: spansOf(examples),
      within: within === '' ? ['src'] : spansOf(within),
      files: [...text.matchAll(/^- `(src\/[^`]+)`:/gm)].map(([, one = '']) => one),
    }
  })

/** @returns true if a file has one of the examples as a whole word */
function has(text: string, examples: readonly string[]): boolean {
  return examples.some((one) => {
    const escaped = one.replaceAll(/[^\w ]/g, String.raw`\$&`)
    return new RegExp(`(?<!\\w)${escaped}(?!\\w)`).test(text)
  })
}

describe('a recipe', () => {
  test('exists for each kind of extension', () => {
    expect(RECIPES).toHaveLength(11)
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

  test('names only existing paths', () => {
    expect(missing(pathsOf(recipes))).toEqual([])
  })
})

/** Files in the tables of a page. A short name is in the folder of its column heading, or else of the first column. */
function filesOfTables(text: string): readonly string[] {
  const found: string[] = []
  let heads: readonly string[] = []
  const lines = text.split('\n')
  for (const [at, line] of lines.entries()) {
    if (!line.startsWith('|') || line.startsWith('| -')) continue
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => spansOf(cell))
    if (lines[at + 1]?.startsWith('| -') === true) {
      heads = cells.map(([head = '']) => head)
      continue
    }
    const folder = cells[0]?.find((span) => span.startsWith('src/')) ?? ''
    for (const [column, spans] of cells.entries()) {
      const files = spans.filter((span) => /^[\w./-]+\.tsx?$/.test(span))
      const above = heads[column] ?? ''
      found.push(...files.map((file) => (file.startsWith('src/') ? file : `${above === '' ? folder : above}/${file}`)))
    }
  }
  return found
}

describe('rooms', () => {
  test('names only existing files and folders', () => {
    const files = filesOfTables(rooms)
    expect(files.length).toBeGreaterThan(1000)
    expect(missing(files)).toEqual([])
    expect(missing(pathsOf(rooms))).toEqual([])
  })

  test('lists every folder of three or more files', () => {
    const sizes = new Map<string, number>()
    for (const { name } of sources) {
      const folder = `src/${path.posix.dirname(name)}`
      sizes.set(folder, (sizes.get(folder) ?? 0) + 1)
    }
    const named = new Set(spansOf(rooms))
    const large = [...sizes].filter(([, files]) => files >= 3).map(([folder]) => folder)
    expect(large.length).toBeGreaterThan(100)
    expect(large.filter((folder) => !named.has(folder))).toEqual([])
  })
})

test('files has a sentence for each file', async () => {
  await expect(filesPage(sources)).toMatchFileSnapshot(path.join(ROOT, 'docs/dev/files.md'))
})

/** Replaced words that a page may use, because recorded results and tests contain them. */
const RIGHT_IN: Readonly<Record<string, readonly string[]>> = {
  'docs/dev/set-back.md': ['anew'],
  // A verdict in recorded results: the finding could not be made.
  'docs/guides/partitions.md': ['looked'],
  // A state in the metric `sluice_queue_workers`, in a generated table.
  'docs/reference/METRICS.md': ['lives'],
}

/** @returns words of sentences, without code, link addresses and headings (which are anchors) */
function wordsOf(text: string): readonly string[] {
  const sentences = text
    .replaceAll(/^```.*?^```/gms, '')
    .replaceAll(/^#+ .*$/gm, '')
    .replaceAll(/`[^`\n]*`/g, '')
    .replaceAll(/\]\([^)]*\)/g, ']')
  return sentences.toLowerCase().match(/[a-z_]+/g) ?? []
}

describe('docs/reference/GLOSSARY.md', () => {
  const GLOSSARY = 'docs/reference/GLOSSARY.md'
  const rows = [...read(GLOSSARY).matchAll(/^\| ([^|]+?) +\| ([^|]+?) +\| ([^|]*?) *\|$/gm)]
    .map(([, word = '', meaning = '', old = '']) => ({ word, meaning, old: old.split(', ').filter(Boolean) }))
    .filter(({ word }) => word !== 'word' && !word.startsWith('--'))
  const old = new Set(rows.flatMap((row) => row.old))
  const files = fs.readdirSync(path.join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  const pages = [
    ...files.filter((file) => file.endsWith('.md')).map((file) => `docs/${file.replaceAll(path.sep, '/')}`),
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
  ].filter((page) => page !== GLOSSARY)
  const oldWordsOf = (page: string): readonly string[] =>
    wordsOf(read(page)).filter((word) => old.has(word) && RIGHT_IN[page]?.includes(word) !== true)

  test('has a meaning for each word, and names the words that it replaces', () => {
    expect(rows.length).toBeGreaterThan(50)
    expect(old.size).toBeGreaterThan(15)
    expect(rows.filter(({ meaning }) => !meaning.endsWith('.'))).toEqual([])
  })

  test.each(pages)('%s uses no replaced word', (page) => {
    expect([...new Set(oldWordsOf(page))]).toEqual([])
  })
})
