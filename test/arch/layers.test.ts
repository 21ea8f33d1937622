import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf, layerOf, readSources, ROOT, targetOf, withoutComments } from './source-files.ts'

/** Layers that a layer may import besides itself, from the table "The house" in docs/ARCHITECTURE.md. */
const MAY_IMPORT = saidByArchitecture()
/** Layers that may import the ports of stores, but no system. */
const PORTS_ONLY = new Set(['catalog', 'archive', 'partition'])
/** Parts of the engine that a part may import besides itself. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  run: [],
  lake: ['run'],
  copy: ['run'],
  follow: ['run', 'copy'],
}
const DRIVER = /^(?:better-sqlite3|@duckdb\/.+|pg|pg-.+|mysql2|cassandra-driver)(?:\/|$)/
const UI = /^(?:ink|react|@inkjs)(?:[-/]|$)/
const LONG = 400
const TOO_LONG = 600

const sources = readSources()
const edges = sources.flatMap((file) => file.imports.map((found) => ({ file: file.name, ...found })))

/** Layers by folder name, each with the layers that its row of the table names. */
function saidByArchitecture(): Readonly<Record<string, readonly string[]>> {
  const text = fs.readFileSync(path.join(ROOT, 'docs/ARCHITECTURE.md'), 'utf8')
  const house = text.slice(text.indexOf('\n## The house\n'), text.indexOf('\n## Programs and threads'))
  const rows = [...house.matchAll(/^\| `src\/(\w+)` +\|[^|]*\|([^|]*)\|$/gm)].map(
    ([, name = '', imports = '']) => [name, imports] as const,
  )
  const layers = rows.map(([name]) => name)
  return Object.fromEntries(
    rows.map(([name, imports]) => [name, layers.filter((layer) => new RegExp(`\\b${layer}\\b`).test(imports))]),
  )
}

const said = (edge: { file: string; specifier: string }): string => `${edge.file} imports ${edge.specifier}`

describe('importsOf', () => {
  test('finds all forms of import, and none in comments', () => {
    const code = withoutComments(`
import a from 'a' // import no from 'no1'
import type { B } from 'b'
import {
  c,
  d,
} from 'c'
export * from 'd'
export type { E } from "e"
import 'f'
const g = await import('g')
type H = typeof import('h')
/* import no from 'no2' */
const url = 'http://no3' + /'/.source
const i = createRequire(import.meta.url)('x'), j = require('j')
`)
    expect(importsOf(code).map((found) => found.specifier)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j'])
  })

  test('reads the sources', () => {
    expect(sources.length).toBeGreaterThan(10)
    expect(edges.length).toBeGreaterThan(sources.length / 2)
  })
})

describe('directions of dependency', () => {
  test('the table of the house names every layer', () => {
    expect(Object.keys(MAY_IMPORT).toSorted()).toEqual(
      [...new Set(sources.map(({ name }) => layerOf(name)))].toSorted(),
    )
    expect(MAY_IMPORT['shared']).toEqual([])
    expect(MAY_IMPORT['model']).toEqual(['shared'])
  })

  test('every file belongs to a layer', () => {
    expect(sources.map((file) => file.name).filter((name) => MAY_IMPORT[layerOf(name)] === undefined)).toEqual([])
  })

  test('layers import only what lies below them', () => {
    const wrong = edges.filter((edge) => {
      const target = targetOf(edge.file, edge.specifier)
      if (target === undefined) return false
      const from = layerOf(edge.file)
      const to = layerOf(target)
      return from !== to && !MAY_IMPORT[from]?.includes(to)
    })
    expect(wrong.map(said)).toEqual([])
  })

  test('layers that know only the ports of stores import no folder of a system', () => {
    const wrong = edges.filter((edge) => {
      const target = targetOf(edge.file, edge.specifier)
      return PORTS_ONLY.has(layerOf(edge.file)) && target !== undefined && /^stores\/(?!common\/).+\//.test(target)
    })
    expect(wrong.map(said)).toEqual([])
  })

  test('parts of the engine import only what lies below them', () => {
    const roomOf = (name: string): string => /^engine\/(\w+)\//.exec(name)?.[1] ?? ''
    const upward = edges
      .map((edge) => ({ ...edge, from: roomOf(edge.file), to: roomOf(targetOf(edge.file, edge.specifier) ?? '') }))
      .filter(({ from, to }) => from !== '' && to !== '' && from !== to && !ROOMS[from]?.includes(to))
    expect(upward.map(said)).toEqual([])
    const inEngine = sources.map(({ name }) => name).filter((name) => layerOf(name) === 'engine')
    expect([...new Set(inEngine.map(roomOf))].toSorted()).toEqual(Object.keys(ROOMS).toSorted())
  })

  test('there is no import cycle, types included', () => {
    const to = new Map(sources.map(({ name, imports }) => [name, imports.flatMap(({ specifier }) => targetOf(name, specifier) ?? [])])) // prettier-ignore
    const done = new Set<string>()
    const circles: string[] = []
    const walk = (name: string, way: readonly string[]): void => {
      const at = way.indexOf(name)
      if (at >= 0) circles.push([...way.slice(at), name].join(' -> '))
      if (at >= 0 || done.has(name)) return
      for (const next of to.get(name) ?? []) walk(next, [...way, name])
      done.add(name)
    }
    for (const { name } of sources) walk(name, [])
    expect(circles).toEqual([])
  })

  test('relative imports name existing files, inside src', () => {
    const names = new Set(sources.map((file) => file.name))
    const wrong = edges.filter((edge) => {
      const target = targetOf(edge.file, edge.specifier)
      return target !== undefined && !names.has(target) && !target.endsWith('/package.json')
    })
    expect(wrong.map(said)).toEqual([])
  })

  test('cli imports tui dynamically, in one place', () => {
    const to = edges.filter(
      (edge) => layerOf(edge.file) === 'cli' && layerOf(targetOf(edge.file, edge.specifier) ?? '') === 'tui',
    )
    expect(to.filter((edge) => !edge.dynamic).map(said)).toEqual([])
    expect(to.length).toBeLessThanOrEqual(1)
  })

  test('only tui imports the UI library', () => {
    expect(edges.filter((edge) => UI.test(edge.specifier) && layerOf(edge.file) !== 'tui').map(said)).toEqual([])
    expect(
      sources.filter((file) => file.name.endsWith('.tsx') && layerOf(file.name) !== 'tui').map((file) => file.name),
    ).toEqual([])
  })

  test('outside stores a chunk writer is opened by withWriter only, which refuses a conflicting one', () => {
    const opens = /\btarget(?:\(\))?\s*\.open\(/
    const wrong = sources.filter(({ name, code }) => layerOf(name) !== 'stores' && opens.test(code))
    expect(wrong.map(({ name }) => name)).toEqual([])
  })

  test('only stores imports a driver, including types', () => {
    expect(edges.filter((edge) => DRIVER.test(edge.specifier) && layerOf(edge.file) !== 'stores').map(said)).toEqual([])
  })

  test('the validator shares no replay and no Parquet path with the importer', () => {
    const shared = /^(?:catalog\/import[/.-]|delta\/(?:replay|snapshot|checkpoint|commit-lines)|.*\/parquet-rows)/
    const wrong = edges.filter((edge) => {
      const target = targetOf(edge.file, edge.specifier)
      return edge.file.startsWith('catalog/validate/') && target !== undefined && shared.test(target)
    })
    expect(wrong.map(said)).toEqual([])
  })
})

describe('the source', () => {
  test(`no file is longer than ${TOO_LONG} lines`, ({ annotate }) => {
    const lengths = sources.map((file) => ({ name: file.name, lines: file.text.split('\n').length - 1 }))
    const long = lengths.filter((file) => file.lines > LONG).map((file) => `${file.lines} ${file.name}`)
    void annotate(`files of more than ${LONG} lines: ${long.length === 0 ? 'none' : long.join(', ')}`)
    expect(lengths.filter((file) => file.lines > TOO_LONG)).toEqual([])
  })

  test('does not call the recursive mkdir of Node, which never returns in /proc', () => {
    const makes = /\bmkdir(?:Sync)?\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\brecursive\b/
    expect(sources.filter((file) => makes.test(file.code)).map((file) => file.name)).toEqual([])
  })

  test('prints only through its renderers', () => {
    expect(sources.filter((file) => /\bconsole\s*\./.test(file.code)).map((file) => file.name)).toEqual([])
  })

  test('has no any, and suppresses no checker', () => {
    const any = /:\s*any\b|\bas\s+any\b|<any\b|\bany\[\]/
    // A linter rule may be disabled for one line, with a reason: `oxlint-disable-next-line rule -- reason`.
    const hush = /@ts-(?:ignore|expect-error|nocheck)|eslint-disable|oxlint-disable(?!-(?:next-)?line [\w/-]+ -- \S)/
    expect(sources.filter((file) => any.test(file.code)).map((file) => file.name)).toEqual([])
    expect(sources.filter((file) => hush.test(file.text)).map((file) => file.name)).toEqual([])
  })
})

describe('packages', () => {
  const read = (name: string): string => fs.readFileSync(path.join(ROOT, name), 'utf8')

  test('are pinned exactly', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>
    const pins = Object.entries({ ...manifest['dependencies'], ...manifest['devDependencies'] })
    expect(pins.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual([])
  })

  test('the lock file names no host', () => {
    const lock = read('package-lock.json')
    expect(lock.match(/"resolved"/g)).toBeNull()
    // Pages for donations are links of the packages' authors; npm does not load from them.
    const urls = [...lock.matchAll(/"([^"]+)": "(?:https?|git|ssh)[^"]*:\/\/[^"]*"/g)].map((match) => match[1])
    expect(urls.filter((key) => key !== 'url' && key !== 'funding')).toEqual([])
  })

  test('scripts fetch no tool that is not in the lock file', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    expect(Object.values(scripts).filter((line) => /\bnpx\b|npm (?:i|install|exec)\b/.test(line))).toEqual([])
  })
})
