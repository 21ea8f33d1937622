import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { copyExamples, systemNamed, systemOf, systemOfFile } from '../../src/engine/run/systems.ts'
import { redactUrl } from '../../src/shared/redact.ts'
import { LAKES, SYSTEMS } from '../../src/stores/systems.ts'
import { layerOf, readSources, ROOT, targetOf } from './source-files.ts'

const sources = readSources()

/** Literals in code, including `${}` parts: a name in such a part is a name in code. */
const LITERAL =
  /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[=(,:[!&|?{};\n]\s*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g
const NAMES = new Set(SYSTEMS.flatMap(({ name, schemes }) => [name, ...schemes]))
const NAME = new RegExp(`(?<![\\w./$-])(?:${[...NAMES].join('|')}|postgres\\(\\?:ql\\)\\?)(?![\\w.-])`)
/** An object key that is the name of a system. */
const KEY = new RegExp(`^\\s*(?:readonly )?(?:${[...NAMES].join('|')})\\??:`, 'm')

/** Files above the port that may name a system, with the reason. */
const MAY_NAME: Readonly<Record<string, string>> = {
  'catalog/dialect.ts': 'the list of dialects that catalogs are written in: a line a dialect',
  'cli/cdm/': 'reads the settings of the Cassandra Data Migrator, which name its systems',
  'cli/session.ts': 'passwords that both databases of the Cassandra Data Migrator begin with',
  'cli/config/script-variables.ts': 'reads the variables of a script that copies from PostgreSQL to D1',
  'cli/flags/catalog-choice.ts': 'the catalog that a lake gets without a word is a file of SQLite',
  'engine/copy/operations/copy/option-types.ts': 'what a run wishes of Cassandra alone goes by its name',
  'engine/copy/operations/copy/declaration.ts': 'what a run wishes of Cassandra alone goes by its name',
  'engine/copy/operations/diff/declaration.ts': 'what a run wishes of Cassandra alone goes by its name',
  'engine/copy/operations/copy/script-copy.ts': 'sets what a run wishes of Cassandra',
  'cli/commands/': 'what a run wishes of Cassandra alone goes by its name',
  'cli/settings/flags.ts': 'sets what a run wishes of Cassandra',
  'model/run/sql-port.ts': 'names of the dialects of SQL',
  'model/copy/ring.ts': 'names of partitioners',
  'model/copy/column-type.ts': 'names of partitioners',
}
/** An example URL in a text for users: `postgresql://user@host/database`. */
const EXAMPLE = new RegExp(`(?<!\\w)(?:${[...NAMES].join('|')}):\\/\\/\\S*`, 'g')

describe('names of systems', () => {
  test('are in no code above the port', () => {
    const wrong: string[] = []
    for (const { name, code } of sources) {
      if (layerOf(name) === 'stores' || Object.keys(MAY_NAME).some((allowed) => name.startsWith(allowed))) continue
      const texts = [...code.matchAll(LITERAL)].map(([text]) => text)
      for (const text of texts) {
        if (/^['"`][./]*[\w./-]+\.ts['"`]$/.test(text)) continue
        // A URL alone is code that distinguishes systems, or builds one; within a sentence it is an example.
        const isWords = / /.test(text)
        if (NAME.test(isWords ? text.replaceAll(EXAMPLE, '') : text)) wrong.push(`${name}: ${text}`)
      }
      const key = KEY.exec(code.replaceAll(LITERAL, "''"))
      if (key !== null) wrong.push(`${name}: ${key[0].trim()}`)
    }
    expect(wrong).toEqual([])
  })

  test('are in no import above the port', () => {
    const folders = new RegExp(`^stores/(?:${[...SYSTEMS.map(({ name }) => name), 'local', 's3'].join('|')})/`)
    const wrong = sources
      .filter(({ name }) => layerOf(name) !== 'stores')
      .flatMap(({ name, imports }) =>
        imports.map(({ specifier }) => ({ name, target: targetOf(name, specifier) ?? '' })),
      )
      .filter(({ target }) => folders.test(target))
    expect(wrong.map(({ name, target }) => `${name} imports ${target}`)).toEqual([])
  })

  test('are allowed only in files that still contain one', () => {
    const stale = Object.keys(MAY_NAME).filter(
      (allowed) => !sources.some(({ name, code }) => name.startsWith(allowed) && (NAME.test(code) || KEY.test(code))),
    )
    expect(stale).toEqual([])
  })
})

/** Allowed imports of a system's folder from other folders of stores, with the reason. */
const MAY_IMPORT: Readonly<Record<string, string>> = {
  'stores/systems.ts': 'the list',
  'stores/ledger-dialect.ts': 'the list of dialects that ledgers are written in',
  'stores/parquet.ts': 'the engine that reads and writes Parquet',
  'stores/run-history.ts': 'the book of runs is a file of SQLite, and so is the memory of alerts beside it',
  'stores/declaration.ts imports stores/cassandra/copy/index.ts': 'what a run wishes of Cassandra alone',
  'stores/common/derived/': 'the entries of a map of Cassandra are spelled as Cassandra does',
  'stores/cassandra/ledger/index.ts imports stores/sqlite/copy/errors.ts':
    'its log is applied to a database of SQLite in memory',
  'stores/duckdb/parquet-footers.ts imports stores/local/index.ts': 'a data file of a folder fails as the folder does',
}

describe('folders of systems', () => {
  const folders = new Set(
    sources.flatMap(({ name }) => (name.endsWith('/declared.ts') ? [name.slice(0, -'/declared.ts'.length)] : [])),
  )
  const folderOf = (name: string): string => name.split('/').slice(0, 2).join('/')
  const across = sources
    .filter(({ name }) => layerOf(name) === 'stores')
    .flatMap(({ name, imports }) => imports.map(({ specifier }) => ({ name, target: targetOf(name, specifier) ?? '' })))
    .filter(({ name, target }) => folders.has(folderOf(target)) && folderOf(target) !== folderOf(name))
    .map(({ name, target }) => `${name} imports ${target}`)

  test('do not import each other: shared code has a folder of its own', () => {
    const allowed = Object.keys(MAY_IMPORT)
    expect(across.filter((found) => !allowed.some((one) => found.startsWith(one)))).toEqual([])
    expect(allowed.filter((one) => !across.some((found) => found.startsWith(one)))).toEqual([])
  })
})

describe('the list of systems', () => {
  test('has every folder of stores with a declaration', () => {
    const folders = fs.readdirSync(path.join(ROOT, 'src/stores'), { recursive: true, encoding: 'utf8' })
    const declared = folders.filter((name) => name.endsWith(`${path.sep}declared.ts`))
    expect(declared).toHaveLength(SYSTEMS.length + LAKES.length)
    expect(new Set(SYSTEMS.map(({ name }) => name)).size).toBe(SYSTEMS.length)
    const schemes = SYSTEMS.flatMap((system) => system.schemes)
    expect(new Set(schemes).size).toBe(schemes.length)
  })

  test("loads no module of a system's folder before it is needed", () => {
    const early = sources
      .filter(({ name }) => name.endsWith('/declared.ts'))
      .flatMap(({ name, imports }) =>
        imports
          .filter(
            ({ dynamic, typeOnly, specifier }) =>
              !dynamic &&
              !typeOnly &&
              targetOf(name, specifier) !== 'stores/declaration.ts' &&
              // This file has only names, and no imports.
              specifier !== './offered.ts',
          )
          .map(({ specifier }) => `${name} imports ${specifier}`),
      )
    expect(early).toEqual([])
  })

  test.each(SYSTEMS)(
    '$name: its example and names are recognized, and a password in its URL is never printed',
    (system) => {
      expect(systemOf(system.example)).toBe(system)
      expect(systemNamed(system.name)).toBe(system)
      expect(copyExamples()).toContain(system.example)
      for (const scheme of system.schemes) {
        expect(systemOf(`${scheme.toUpperCase()}://x`)).toBe(system)
        if (system.file === undefined)
          expect(redactUrl(`${scheme}://user:pa/ss@word@host/x`)).toBe(`${scheme}://user@host/x`)
      }
      expect(systemOf(system.name)).toBeNull()
    },
  )

  test.each(SYSTEMS)('$name: the declared transactions are those of its stores', ({ name, copies }) => {
    const { code = '' } = sources.find((file) => file.name === `stores/${name}/copy/index.ts`) ?? {}
    expect(/\batomic: '(\w+)'/.exec(code)?.[1]).toBe(copies?.atomic)
  })

  test('recognizes files by their first bytes', () => {
    expect(systemOfFile(Buffer.from('SQLite format 3\0'))?.title).toBe('SQLite')
    expect(systemOfFile(Buffer.from('\0\0\0\0\0\0\0\0DUCK\0\0\0\0'))?.title).toBe('DuckDB')
    expect(systemOfFile(Buffer.alloc(16))).toBeNull()
  })
})
