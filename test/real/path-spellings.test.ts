/**
 * One file under two spellings of its path. deltalake and DuckDB compare undecoded paths, and keep a file whose remove
 * has another spelling; readers that decode paths do not. Both readings are named, and no checkpoint is written that
 * hides the difference.
 */
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Operation } from '../../src/app/operations/list.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { fsckOf, importOf, perform, validateOf, type Performed } from './operation-kit.ts'

const work = temporaryFolder()
const sample = join(work.path, 'sample.parquet')
let places = 0
beforeAll(async () => {
  const duckdb = await (await DuckDBInstance.create()).connect()
  await duckdb.run(`COPY (SELECT 1::BIGINT AS id) TO '${sample}' (FORMAT parquet)`)
  duckdb.closeSync()
})
afterAll(() => work[Symbol.dispose]())

const SCHEMA = { type: 'struct', fields: [{ name: 'id', type: 'long', nullable: true, metadata: {} }] }
const HEAD = [
  { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
  {
    metaData: {
      id: 'a0000000-0000-0000-0000-000000000000',
      format: { provider: 'parquet', options: {} },
      schemaString: JSON.stringify(SCHEMA),
      partitionColumns: [],
      configuration: {},
      createdTime: 1,
    },
  },
]

type Said = { readonly add: string } | { readonly remove: string }

function lineOf(said: Said, folder: string): object {
  const path = ('add' in said ? said.add : said.remove).replace('ROOT', folder)
  if ('remove' in said) return { remove: { path, deletionTimestamp: Date.now(), dataChange: true } }
  const facts = { size: statSync(sample).size, modificationTime: 1, dataChange: true, partitionValues: {} }
  return { add: { path, ...facts } }
}

/** A table with one file for each name, and the commits after version 0. */
function tableOf(names: readonly string[], commits: readonly (readonly Said[])[]): string {
  const folder = join(work.path, `table-${places++}`)
  mkdirSync(join(folder, '_delta_log'), { recursive: true })
  for (const name of names) copyFileSync(sample, join(folder, name))
  for (const [version, actions] of [HEAD, ...commits.map((one) => one.map((said) => lineOf(said, folder)))].entries()) {
    const name = `${String(version).padStart(20, '0')}.json`
    writeFileSync(join(folder, '_delta_log', name), `${actions.map((one) => JSON.stringify(one)).join('\n')}\n`)
  }
  return folder
}

function spelled({ events }: Performed): readonly (readonly [string | undefined, string])[] {
  const found = events.filter((event) => event.type === 'fsck.finding')
  return found.flatMap(({ finding, level, path, detail }) =>
    finding === 'path-spellings' && level === 'finding' ? [[path, detail] as const] : [],
  )
}

const exportOf = (table: string, catalog: string, to: string, checkpoint: 'base' | 'latest'): Operation => ({
  kind: 'export-log',
  table,
  catalog,
  to,
  checkpoint,
})

const REMOVED =
  'which is one file: sluice decodes paths, and treats it as removed; readers that compare undecoded paths read it'
const ONCE =
  'which is one file: sluice decodes paths, and reads it once; readers that compare undecoded paths read it 2 times'
const apart: readonly (readonly [string, string, readonly (readonly Said[])[], string])[] = [
  [
    'escaped in the remove',
    'é.parquet',
    [[{ add: 'é.parquet' }], [{ remove: '%C3%A9.parquet' }]],
    `commit 1 adds "é.parquet", commit 2 removes "%C3%A9.parquet", ${REMOVED}`,
  ],
  [
    'escaped in the add',
    'a b.parquet',
    [[{ add: 'a%20b.parquet' }], [{ remove: 'a b.parquet' }]],
    `commit 1 adds "a%20b.parquet", commit 2 removes "a b.parquet", ${REMOVED}`,
  ],
  [
    'removed by its absolute path',
    'x.parquet',
    [[{ add: 'x.parquet' }], [{ remove: 'file://ROOT/x.parquet' }]],
    `commit 1 adds "x.parquet", commit 2 removes "file://ROOT/x.parquet", ${REMOVED}`,
  ],
  [
    'added in both',
    'e+f.parquet',
    [[{ add: 'e+f.parquet' }], [{ add: 'e%2Bf.parquet' }]],
    `commit 1 adds "e+f.parquet", commit 2 adds "e%2Bf.parquet", ${ONCE}`,
  ],
]

test.each(apart)('%s: both readings are named, and no checkpoint is written', async (_name, file, commits, detail) => {
  const table = tableOf([file], commits)
  const fsck = await perform(fsckOf(table, { deep: true }))
  expect(spelled(fsck).map(([, said]) => said)).toEqual([detail.replace('ROOT', table)])
  expect(fsck.finished.exitCode).toBe(1)

  const catalog = `sqlite:///${table}.db`
  expect((await perform(importOf(table, catalog))).finished.status).toBe('ok')
  const validated = await perform(validateOf(table, catalog))
  expect(validated.finished.status).toBe('ok')
  expect(validated.notes.join('\n')).toContain(
    'one file is spelled in several ways in the commits: readers that compare undecoded paths see other files at version 2',
  )

  const refused = await perform(exportOf(table, catalog, `${table}-latest`, 'latest'))
  expect(refused.finished.error).toMatchObject({
    code: 'DIFFERENCES',
    message: 'a checkpoint of version 2 would change how other readers see one file',
    reason: detail.replace('ROOT', table),
  })
  expect(existsSync(`${table}-latest/_delta_log`)).toBe(false)
  // Commits alone mean the same to every reader as before.
  expect((await perform(exportOf(table, catalog, `${table}-base`, 'base'))).finished.status).toBe('ok')
})

const alike: readonly (readonly [string, string, readonly (readonly Said[])[]])[] = [
  ['one spelling throughout', 'é.parquet', [[{ add: '%C3%A9.parquet' }], [{ remove: '%C3%A9.parquet' }]]],
  ['removed in both spellings', 'x y', [[{ add: 'x y' }], [{ remove: 'x%20y' }], [{ remove: 'x y' }]]],
  ['added again as at first', 'x y', [[{ add: 'x y' }], [{ remove: 'x%20y' }], [{ add: 'x y' }]]],
  ['an escape of an escape is another file', 'x y', [[{ add: 'x%20y' }], [{ remove: 'x%2520y' }]]],
]

test.each(alike)('%s: every reader has the same files, and nothing is reported', async (_name, file, commits) => {
  const table = tableOf([file], commits)
  expect(spelled(await perform(fsckOf(table)))).toEqual([])
  const catalog = `sqlite:///${table}.db`
  expect((await perform(importOf(table, catalog))).finished.status).toBe('ok')
  const validated = await perform(validateOf(table, catalog))
  expect(validated.finished.status).toBe('ok')
  expect(validated.notes.join('\n')).not.toContain('spelled')
  expect((await perform(exportOf(table, catalog, `${table}-out`, 'latest'))).finished.status).toBe('ok')
})

/** Bytes that this process has read so far, from files and from pipes. */
const bytesRead = (): number => Number(/^rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])

test.skipIf(process.platform !== 'linux')(
  'spellings are checked with what fsck reads anyway, escaped ones too',
  async () => {
    const files = Array.from({ length: 4 }, (_, i) => `file ${i}.parquet`)
    const padding = 'x'.repeat(1_000_000)
    const tables = ['file 0.parquet', 'file%200.parquet'].map((first) => {
      const folder = tableOf(
        files,
        files.map((name, i) => [{ add: i === 0 ? first : name }]),
      )
      for (let version = 0; version <= files.length; version++) {
        const commit = join(folder, '_delta_log', `${String(version).padStart(20, '0')}.json`)
        appendFileSync(commit, `${JSON.stringify({ commitInfo: { padding } })}\n`)
      }
      return folder
    })
    const passes: number[] = []
    for (const table of [tables[0] as string, ...tables]) {
      const before = bytesRead()
      expect((await perform(fsckOf(table))).finished.exitCode).toBe(0)
      passes.push((bytesRead() - before) / padding.length / (files.length + 1))
    }
    const [, plain = 0, escaped = 0] = passes.map((one) => Math.round(one))
    // For protocol and metadata, the number of files, the files, tombstones (as the first), and the history.
    expect(plain).toBeLessThanOrEqual(6)
    expect(escaped).toBe(plain)
  },
)
