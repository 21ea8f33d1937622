/**
 * Logs that name files by paths that no store can have: each is named, the other files are checked all the same, and no
 * command fails.
 */
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { FsckFindingEvent } from '../../src/model/run/event.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder, type Line } from '../support/catalog-kit.ts'
import { makeHealthyTable, type HealthyTable } from '../support/fsck-table.ts'
import { fsckOf, importOf, perform, validateOf, type Performed } from './operation-kit.ts'

/** Paths for which no store can have a file. */
const UNUSABLE = [
  '..%00/x',
  'a%00b',
  '%00',
  'file:///%00/x',
  'http://example.com/x.parquet',
  'HTTPS://user:password@example.com/x',
  'ftp:/example.com/x',
  '..',
  '',
  '/',
  'folder/',
  's3:///x',
  's3://b ucket/x',
] as const
/** Valid paths of missing files. */
const MISSING = [`${'d/'.repeat(3000)}x`, 'x'.repeat(5000), '%2e%2e%5Cx', 'a%250ab%25zz/x', '%', '%ff'] as const
/** Paths that lead out of the table, to places that may exist. */
const ELSEWHERE = ['file://elsewhere/etc/passwd', 'hdfs://name:8020/x', 'abfss://c@a.dfs.core.windows.net/x'] as const
const ALL = [...UNUSABLE, ...MISSING, ...ELSEWHERE]

const vector = (pathOrInlineDv: string): Line => ({
  deletionVector: { storageType: 'p', pathOrInlineDv, offset: 1, sizeInBytes: 40, cardinality: 1 },
})
const found = ({ events }: Performed): readonly FsckFindingEvent[] =>
  events.filter((event) => event.type === 'fsck.finding')
const named = (performed: Performed, kind: string): readonly (string | undefined)[] =>
  found(performed).flatMap(({ finding, path }) => (finding === kind ? [path] : []))

let folder: Folder
let healthy: HealthyTable
beforeAll(async () => {
  folder = temporaryFolder()
  healthy = await makeHealthyTable(join(folder.path, 'healthy'))
})
afterAll(() => folder[Symbol.dispose]())

/** A log of files by these paths, and one missing file. */
function tableOf(name: string, files: readonly Line[]): string {
  const table = join(folder.path, name)
  writeLog(table, [[PROTOCOL, METADATA, ...files, add('gone.parquet')]])
  return table
}

describe.each([false, true])('fsck, outside %s', (outside) => {
  test('names each path of a data file that no store can have, and continues', async () => {
    const performed = await perform(
      fsckOf(
        tableOf(
          `files-${outside}`,
          ALL.map((path) => add(path)),
        ),
        { outside },
      ),
    )
    expect(performed.finished.error?.code).toBe('DIFFERENCES')
    expect(named(performed, 'path-unusable')).toEqual(UNUSABLE)
    expect(named(performed, 'file-missing')).toEqual([...MISSING, 'gone.parquet'])
    expect(named(performed, 'not-read')).toEqual(outside ? ELSEWHERE : [])
  })

  test('names each path of a deletion vector that no store can have, and continues', async () => {
    const files = ALL.map((path, i) => add(`file-${i}`, vector(path)))
    const performed = await perform(fsckOf(tableOf(`vectors-${outside}`, files), { outside }))
    expect(performed.finished.error?.code).toBe('DIFFERENCES')
    const nameOf = (path: string): string => `file-${ALL.indexOf(path)}`
    expect(named(performed, 'vector-damaged')).toEqual(UNUSABLE.map(nameOf))
    expect(named(performed, 'vector-missing')).toEqual(MISSING.map(nameOf))
    expect(named(performed, 'not-read')).toEqual(outside ? ELSEWHERE.map(nameOf) : [])
    expect(named(performed, 'file-missing')).toEqual([...ALL.map(nameOf), 'gone.parquet'])
  })
})

test('files in unsupported places are named, and are no finding', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1')
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, 'nobody')
  const away = [
    'abfss://c@a.dfs.core.windows.net/x',
    'gs://b/x',
    'hdfs://name:8020/x',
    's3://away/x/one',
    's3://away/x/two',
  ]
  const table = join(folder.path, 'away')
  writeLog(table, [[PROTOCOL, METADATA, ...away.map((path) => add(path))]])
  try {
    const performed = await perform(fsckOf(table, { outside: true }))
    expect(named(performed, 'not-read')).toEqual(away)
    expect(performed.finished).toMatchObject({ exitCode: 0, totals: { findings: '0' } })
  } finally {
    vi.unstubAllEnvs()
  }
})

test('a deletion vector whose path is a folder of the table is damaged, and the check continues', async () => {
  const table = tableOf('vector-folder', [add('a', vector('sub')), add('b')])
  mkdirSync(join(table, 'sub'))
  const performed = await perform(fsckOf(table))
  expect(named(performed, 'vector-missing')).toEqual(['a'])
  expect(named(performed, 'file-missing')).toEqual(['a', 'b', 'gone.parquet'])
})

/** Checkpoint 1 of the table, with the sidecar path of the log. */
function withSidecar(name: string, path: string): string {
  const table = tableOf(name, [])
  writeLog(table, [[add('second')]], 1)
  const features = { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ['v2Checkpoint'] }
  const lines: readonly Line[] = [
    { checkpointMetadata: { version: 1 } },
    { protocol: { ...features, writerFeatures: ['v2Checkpoint'] } },
    METADATA,
    { sidecar: { path, sizeInBytes: 1900, modificationTime: 1 } },
  ]
  writeFileSync(
    join(table, '_delta_log', `${'1'.padStart(20, '0')}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`),
    lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
  )
  return table
}

test('each invalid path of a sidecar is named, and the files are checked all the same', async () => {
  for (const [i, path] of ALL.entries()) {
    const table = withSidecar(`sidecar-${i}`, path)
    const performed = await perform(fsckOf(table))
    expect([path, performed.finished.error?.code]).toEqual([path, 'DIFFERENCES'])
    expect([path, named(performed, 'sidecar-missing')]).toEqual([path, [path]])
    expect([path, named(performed, 'file-missing')]).toEqual([path, ['second', 'gone.parquet']])
  }
})

test('every command continues with such paths, and a rollback names those whose files are missing', async () => {
  const files = [...ALL.map((path) => add(path)), ...ALL.map((path, i) => add(`file-${i}`, vector(path)))]
  const table = tableOf('commands', files)
  const catalog = `sqlite:///${folder.path}/commands.db`
  const operations: readonly Operation[] = [
    importOf(table, catalog),
    validateOf(table, catalog),
    { kind: 'files', table, catalog, asOf: {} },
    { kind: 'export-log', table, to: join(folder.path, 'exported'), catalog },
  ]
  for (const operation of operations) {
    const { finished } = await perform(operation)
    expect([operation.kind, finished.status, finished.error]).toEqual([operation.kind, 'ok', undefined])
  }
  const checked = await perform(fsckOf(table, { catalog }))
  expect(named(checked, 'path-unusable')).toEqual(UNUSABLE)
  const { finished } = await perform({ kind: 'verify-rollback', table, catalog, checkFiles: 'all' })
  expect(finished.error).toMatchObject({ code: 'NOT_SAFE', message: expect.stringContaining('missing: ..\0/x, a\0b') })
})

describe.runIf(process.getuid?.() === 0)('as a user without rights', () => {
  /** Runs fsck as a user with no other rights in the table than the modes of its folders give. */
  async function asOther(table: string): Promise<Performed> {
    // The folders of a test run are closed to others; modules that are loaded late are loaded while everything can be
    // read.
    for (let at = folder.path; at !== dirname(at); at = dirname(at)) chmodSync(at, statSync(at).mode | 0o011)
    await perform(fsckOf(healthy.folder, { deep: true }))
    process.seteuid?.(65_534)
    try {
      return await perform(fsckOf(table))
    } finally {
      process.seteuid?.(0)
    }
  }

  test('a folder that cannot be listed is named, and the rest is checked', async () => {
    const closed = join(healthy.folder, 'part=1')
    chmodSync(closed, 0o700)
    const performed = await asOther(healthy.folder)
    chmodSync(closed, 0o755)
    expect(performed.finished).toMatchObject({ status: 'ok', totals: { files: '3', footers: '2', olderMissing: '0' } })
    expect(found(performed).map(({ level, finding, path }) => [level, finding, path])).toEqual([
      ['note', 'not-read', 'part=1'],
      ['note', 'not-read', 'part=1/file-1.parquet'],
    ])
  })

  test('a folder without which the log cannot be read ends the run and is named', async () => {
    const table = withSidecar('sidecar-closed', 'a.parquet')
    const closed = join(table, '_delta_log/_sidecars')
    mkdirSync(closed)
    chmodSync(closed, 0o700)
    const { finished } = await asOther(table)
    expect(finished.error).toMatchObject({ code: 'SOURCE_DENIED', where: expect.stringContaining('_sidecars') })
  })
})
