/** Faults that the fuzz tests of `fuzz-log.test.ts` have found, each with the smallest log that shows it. */
import { chmodSync, cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commitName } from '../../src/delta/log-path.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import {
  add,
  dumpCatalog,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { folderOf, HAVE_TABLES, NEVER, parquet } from '../tables/shared-tables.ts'

const CHECKPOINT = '00000000000000000001.checkpoint.0e42c15b-17cc-4918-990d-2ff76e918e4d.json'

async function activePaths(table: string): Promise<{ paths: string[]; notes: readonly string[] }> {
  const delta = await DeltaTable.open(openLocalLog(table), parquet, NEVER)
  const snapshot = await delta.snapshot()
  const paths: string[] = []
  for await (const block of snapshot.files({ signal: NEVER })) paths.push(...block.map(({ path }) => path))
  return { paths: paths.toSorted(), notes: delta.notes }
}

function file(table: string, name: string): string {
  return join(table, '_delta_log', name)
}

function writeCheckpoint(table: string, lines: readonly Line[]): void {
  writeFileSync(file(table, CHECKPOINT), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
}

test.each([
  ['behind the path', (text: string) => text.replace('"path":"b",', '"path":"b",\n')],
  [
    'behind the first brace of the action',
    (text: string) => text.replace('{"add":{"path":"b"', '{"add":{\n"path":"b"'),
  ],
  ['in a remove', (text: string) => text.replace('{"remove":{"path":"a",', '{"remove":{"path":"a",\n')],
])('reader and importer read an action on two lines as one action: %s', async (_, broken) => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, [[PROTOCOL, METADATA, add('a')], [remove('a'), add('b')], [add('c')]])
  const commit = file(table, commitName(1))
  writeFileSync(commit, broken(readFileSync(commit, 'utf8')))
  expect((await activePaths(table)).paths).toEqual(['b', 'c'])
  await using database = await openCatalog(join(folder.path, 'catalog.db'))
  expect((await importInto(database, table)).files).toBe(2)
})

test('a checkpoint without a protocol is ignored, and the commits are read', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, [[PROTOCOL, METADATA, add('a')], [add('b')]])
  writeCheckpoint(table, [{ checkpointMetadata: { version: 1 } }, METADATA, add('a')])
  const { paths, notes } = await activePaths(table)
  expect(paths).toEqual(['a', 'b'])
  expect(notes).toEqual(['checkpoint 1 unreadable, using 2 commits from version 0'])
})

test('without commits, a checkpoint without metadata is refused with what it lacks', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, [[PROTOCOL, METADATA, add('a')], [add('b')]])
  writeCheckpoint(table, [{ checkpointMetadata: { version: 1 } }, PROTOCOL, add('a')])
  rmSync(file(table, commitName(0)))
  await expect(activePaths(table)).rejects.toThrow('no metadata action')
})

test.skipIf(!HAVE_TABLES)('a sidecar that is named twice is not read twice (../shared)', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  cpSync(folderOf('kernel-rs-packed/v2-checkpoints-json-with-last-checkpoint'), table, { recursive: true })
  const sound = await activePaths(table)
  const name = readdirSync(join(table, '_delta_log')).find((one) => /checkpoint\..*\.json$/.test(one)) ?? ''
  const lines = readFileSync(file(table, name), 'utf8').trimEnd().split('\n')
  const sidecar = lines.find((line) => line.startsWith('{"sidecar"')) ?? ''
  chmodSync(file(table, name), 0o644)
  writeFileSync(file(table, name), `${[...lines, sidecar].join('\n')}\n`)
  const { paths, notes } = await activePaths(table)
  expect(paths).toEqual(sound.paths)
  expect(notes).toEqual(['checkpoint 0 unreadable, using 1 commit from version 0'])
})

test('an unfinished import whose commits have changed since restarts, and mixes nothing', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, [[PROTOCOL, METADATA, add('a')], [add('b')], [add('c')], [add('d')]])
  const damage = (version: number, text: string): void => {
    const name = file(table, commitName(version))
    writeFileSync(name, text)
  }
  damage(0, `${[PROTOCOL, METADATA, add('A')].map((line) => JSON.stringify(line)).join('\n')}\n`)
  damage(3, '{"add":{"path":"d"}}\n')
  await using database = await openCatalog(join(folder.path, 'catalog.db'))
  await expect(importInto(database, table, { batchSize: 1 })).rejects.toThrow('add.size')
  writeLog(table, [[PROTOCOL, METADATA, add('a')], [add('b')], [add('c')], [add('d')]])
  const notes: string[] = []
  await importInto(database, table, { batchSize: 1, onNote: (note) => void notes.push(note) })
  expect(notes).toEqual(['commits of an unfinished import have changed since: importing all versions again'])
  await using clean = await openCatalog(join(folder.path, 'clean.db'))
  await importInto(clean, table, { batchSize: 1 })
  const body = (dump: string): string => dump.slice(0, dump.indexOf('migration_status'))
  expect(body(await dumpCatalog(database))).toBe(body(await dumpCatalog(clean)))
})

test.skipIf(!HAVE_TABLES)(
  'a checkpoint without a column for files is not read as an empty table (../shared)',
  async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    cpSync(folderOf('delta-rs/simple_table_with_checkpoint'), table, { recursive: true })
    const sound = await activePaths(table)
    const name = '00000000000000000010.checkpoint.parquet'
    const bytes = readFileSync(file(table, name))
    // The schema is at the start of the footer, and the struct in it is found by its name with the length before it.
    const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8)
    const at = bytes.indexOf(Buffer.from([3, 0x61, 0x64, 0x64]), footer)
    bytes[at + 1] = 0x62
    chmodSync(file(table, name), 0o644)
    writeFileSync(file(table, name), bytes)
    const { paths, notes } = await activePaths(table)
    expect(paths).toEqual(sound.paths)
    expect(notes).toEqual(['checkpoint 10 unreadable, using 11 commits from version 0'])
  },
)
