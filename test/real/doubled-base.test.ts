/** Base checkpoints that list a file twice: readers see its rows twice, until a commit removes the file. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import {
  add,
  importInto,
  METADATA,
  openCatalog,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { importOf, perform, validateOf } from './operation-kit.ts'

const V2 = ['v2Checkpoint']
const PROTOCOL = { protocol: { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: V2, writerFeatures: V2 } }
const rows = (numRecords: number): Line => ({ stats: JSON.stringify({ numRecords }) })

const work = temporaryFolder()
afterAll(() => work[Symbol.dispose]())
let places = 0

/** A log that begins with checkpoint 0, which lists `a` as its second and last file. */
function doubled(second: Line, ...commits: readonly (readonly Line[])[]): { table: string; catalog: string } {
  return doubledAround([], second, ...commits)
}

/** The same with other files between both. */
function doubledAround(
  between: readonly Line[],
  second: Line,
  ...commits: readonly (readonly Line[])[]
): { table: string; catalog: string } {
  const table = join(work.path, `t${places++}`)
  writeLog(table, [[PROTOCOL, METADATA], ...commits])
  const log = join(table, '_delta_log')
  const lines = [
    { checkpointMetadata: { version: 0 } },
    PROTOCOL,
    METADATA,
    add('b', rows(5)),
    add('a', rows(3)),
    ...between,
    second,
  ]
  const name = `${'0'.repeat(20)}.checkpoint.3a0d65cd-4056-49b8-937b-95f9e3ee90e5.json`
  writeFileSync(join(log, name), lines.map((one) => `${JSON.stringify(one)}\n`).join(''))
  rmSync(join(log, `${'0'.repeat(20)}.json`))
  return { table, catalog: `sqlite:///${table}.db` }
}

async function stateOf(catalog: string): Promise<readonly unknown[]> {
  await using database = await openCatalog(catalog.slice('sqlite:///'.length))
  const files = await database.all('SELECT path FROM delta_files WHERE removed_version IS NULL ORDER BY path, file_no')
  const totals = await database.all('SELECT num_files, num_records FROM delta_commits ORDER BY version DESC LIMIT 1')
  return [files.map(([path]) => path), ...(totals[0] ?? []).map(Number)]
}

const ENDS: readonly (readonly [string, readonly Line[], readonly unknown[]])[] = [
  ['stays', [add('c', rows(1))], [['a', 'a', 'b', 'c'], 4, 12]],
  ['is removed', [remove('a')], [['b'], 1, 5]],
  ['is added again', [add('a', rows(7))], [['a', 'b'], 2, 12]],
]

test.each(ENDS)('a file listed twice that %s: catalog and log agree after any import', async (_what, commit, state) => {
  const whole = doubled(add('a', rows(3)), commit)
  const part = doubled(add('a', rows(3)))
  await perform(importOf(part.table, part.catalog))
  writeLog(part.table, [commit], 1)
  for (const { table, catalog } of [whole, part]) {
    expect((await perform(importOf(table, catalog))).finished.exitCode).toBe(0)
    const { finished, notes } = await perform(validateOf(table, catalog))
    expect([finished.exitCode, ...(await stateOf(catalog))]).toEqual([0, ...state])
    expect(notes.join('\n')).toContain(
      'checkpoint 0 lists a twice: readers have its rows twice until a commit removes it',
    )
  }
})

test.each(ENDS)(
  'a file listed twice that %s, and a stop between both: as without a stop',
  async (_what, commit, [, ...end]) => {
    const many = 5000
    const between = Array.from({ length: many }, (_, i) => add(`f${i}`, rows(1)))
    const { table, catalog } = doubledAround(between, add('a', rows(3)), commit)
    const file = catalog.slice('sqlite:///'.length)
    await using database = await openCatalog(file)
    const interrupt = new Interrupter()
    const stopped = await importInto(database, table, {
      batchSize: 10,
      interrupt,
      onProgress: () => interrupt.requestStop(),
    })
    expect(stopped).toMatchObject({ status: 'stopped', version: null })
    const written = await database.all(`SELECT count(*) FROM delta_files WHERE path = 'a'`)
    expect(written.flat().map(Number)).toEqual([1])
    expect(await importInto(database, table)).toMatchObject({ status: 'completed', resumed: true })
    await using undisturbed = await openCatalog(`${file}.whole.db`)
    await importInto(undisturbed, table)
    const asked = 'SELECT path, added_version, removed_version FROM delta_files ORDER BY path, added_version, line'
    expect(await database.all(asked)).toEqual(await undisturbed.all(asked))
    const [, ...totals] = await stateOf(catalog)
    expect(totals).toEqual(end.map((count) => Number(count) + many))
  },
)

test('two entries of one file with different sizes and rows both count', async () => {
  const { table, catalog } = doubled(add('a', { ...rows(4), size: 200 }), [remove('b')])
  await perform(importOf(table, catalog))
  const { finished } = await perform(validateOf(table, catalog))
  expect([finished.exitCode, ...(await stateOf(catalog))]).toEqual([0, ['a', 'a'], 2, 7])
})
