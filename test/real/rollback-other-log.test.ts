/**
 * A rollback removes what can be imported again, or is refused: a log with the same counts only is not the one that was
 * imported.
 */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  openCatalog,
  add,
  METADATA,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { importOf, perform, type Performed } from './operation-kit.ts'

/** Four one-row files of the same sizes, with another letter in each. */
function write(table: string, letter: string, last: readonly Line[] = []): void {
  const files = [0, 1, 2, 3].map((no) => `${letter}${no}.parquet`)
  writeLog(
    table,
    files.map((name, no) => [
      { commitInfo: { timestamp: 1_700_000_000_000 + no, operation: 'WRITE', engineInfo: 'writer-1' } },
      ...(no === 0 ? [PROTOCOL, METADATA] : []),
      add(name),
      ...(no === 3 ? last : []),
    ]),
  )
  mkdirSync(table, { recursive: true })
  for (const name of files) writeFileSync(join(table, name), 'x'.repeat(100))
}

async function asked(
  table: string,
  catalog: string,
  checkFiles: 'none' | 'sample' = 'sample',
): Promise<readonly Performed[]> {
  const checked = { table, catalog, checkFiles }
  return [
    await perform({ kind: 'verify-rollback', ...checked }),
    await perform({ kind: 'rollback', ...checked, dryRun: false, confirm: table }),
  ]
}

/** Both commands refuse, and report what would be lost. */
async function expectRefused(table: string, catalog: string, lost: RegExp, checkFiles?: 'none'): Promise<void> {
  for (const { finished } of await asked(table, catalog, checkFiles)) {
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'NOT_SAFE' } })
    expect(finished.error?.message).toMatch(lost)
    expect(finished.error?.hint).toContain('--forget')
  }
}

async function imported(work: string, table: string): Promise<string> {
  const catalog = `sqlite:///${work}/catalog.db`
  expect((await perform(importOf(table, catalog))).finished.status).toBe('ok')
  return catalog
}

test('another table of the same shape in the same folder is not the imported one', async () => {
  using work = temporaryFolder()
  const table = join(work.path, 'x')
  write(table, 'a')
  const catalog = await imported(work.path, table)
  rmSync(table, { recursive: true })
  write(table, 'b')
  await expectRefused(table, catalog, /commits 0 to 3 .*a0\.parquet.*data files are missing: .*a0\.parquet/)
  const letGo = { table, catalog, checkFiles: 'sample', dryRun: false, confirm: table, forget: true } as const
  const { events, finished } = await perform({ kind: 'rollback', ...letGo })
  expect(finished.status).toBe('ok')
  expect(
    events.some((event) => event.type === 'log' && /^removing .* may lose data: .*a0\.parquet/.test(event.message)),
  ).toBe(true)
})

test('two tables whose folders were swapped are refused', async () => {
  using work = temporaryFolder()
  const [one, two, between] = ['one', 'two', 'between'].map((name) => join(work.path, name)) as [string, string, string]
  write(one, 'a')
  write(two, 'b')
  const catalog = await imported(work.path, one)
  await imported(work.path, two)
  renameSync(one, between)
  renameSync(two, one)
  renameSync(between, two)
  await expectRefused(one, catalog, /a0\.parquet/)
  await expectRefused(two, catalog, /b0\.parquet/)
})

test('a commit in the middle that was written again is refused', async () => {
  using work = temporaryFolder()
  const table = join(work.path, 'x')
  write(table, 'a')
  const catalog = await imported(work.path, table)
  const file = join(table, '_delta_log/00000000000000000001.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace('writer-1', 'writer-2'))
  utimesSync(file, 1_700_000_001, 1_700_000_001)
  await expectRefused(table, catalog, /commit 1 /)
})

test('a catalog with the same counts and another file is refused', async () => {
  using work = temporaryFolder()
  const table = join(work.path, 'x')
  write(table, 'a')
  const catalog = await imported(work.path, table)
  const database = await openCatalog(join(work.path, 'catalog.db'))
  await database.write((transaction) =>
    transaction.run("UPDATE delta_files SET path = 'z9.parquet' WHERE path = 'a2.parquet'", []),
  )
  await database.close()
  await expectRefused(table, catalog, /log and catalog hold different tables.*z9\.parquet/)
})

test('a copy of the lake in the same folder is the imported one, whatever its times', async () => {
  using work = temporaryFolder()
  const table = join(work.path, 'x')
  write(table, 'a')
  const catalog = await imported(work.path, table)
  cpSync(table, `${table}-copy`, { recursive: true })
  rmSync(table, { recursive: true })
  renameSync(`${table}-copy`, table)
  for (const { finished } of await asked(table, catalog)) expect(finished).toMatchObject({ exitCode: 0 })
})

describe('a log that begins at a checkpoint', () => {
  const V2 = ['v2Checkpoint']
  const protocol = { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: V2, writerFeatures: V2 }
  const COMMITS: readonly (readonly Line[])[] = [
    [{ protocol }, METADATA, add('a'), add('b')],
    [add('c')],
    [remove('a'), add('d')],
    [remove('b'), add('e')],
    [add('f')],
    [add('g')],
  ]

  /** A catalog of versions 1 to 5; the log has checkpoints 1 and 4, and commits 2 to 5. */
  async function based(work: string): Promise<{ readonly table: string; readonly catalog: string; base: string }> {
    const table = join(work, 't')
    writeLog(table, COMMITS)
    for (const version of [1, 4]) writeCheckpoint(table, version, checkpointOf(COMMITS, version))
    dropCommits(table, 0, 1)
    const log = join(table, '_delta_log')
    const name = readdirSync(log).find((one) => one.includes('1.checkpoint')) ?? ''
    return { table, catalog: await imported(work, table), base: join(log, name) }
  }

  test('is refused if that checkpoint cannot be read', async () => {
    using work = temporaryFolder()
    const { table, catalog, base } = await based(work.path)
    truncateSync(base, statSync(base).size - 20)
    await expectRefused(table, catalog, /only the catalog has versions 1 to 3/, 'none')
  })

  test('is refused if that checkpoint names a sidecar that is gone', async () => {
    using work = temporaryFolder()
    const { table, catalog, base } = await based(work.path)
    const sidecar = { sidecar: { path: 'gone.parquet', sizeInBytes: 1, modificationTime: 0 } }
    appendFileSync(base, `${JSON.stringify(sidecar)}\n`)
    await expectRefused(table, catalog, /only the catalog has versions 1 to 3/, 'none')
  })

  test('is refused if that checkpoint has lost a file', async () => {
    using work = temporaryFolder()
    const { table, catalog, base } = await based(work.path)
    const lines = readFileSync(base, 'utf8').split('\n')
    writeFileSync(base, lines.filter((line) => !line.includes('"path":"b"')).join('\n'))
    await expectRefused(table, catalog, /different tables at version 1: only in the catalog: b/, 'none')
  })

  test('is refused if its only checkpoint cannot be read', async () => {
    using work = temporaryFolder()
    const { table, catalog, base } = await based(work.path)
    truncateSync(base, statSync(base).size - 20)
    rmSync(base.replace('1.checkpoint', '4.checkpoint'))
    await expectRefused(table, catalog, /checkpoint 1 cannot be read.*only the catalog has versions 1 to 5/, 'none')
  })

  test('is the imported one if it is whole', async () => {
    using work = temporaryFolder()
    const { table, catalog } = await based(work.path)
    for (const { finished } of await asked(table, catalog, 'none')) expect(finished).toMatchObject({ exitCode: 0 })
  })
})
