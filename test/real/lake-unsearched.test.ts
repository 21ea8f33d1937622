/** Folders of a lake that cannot be read may hold tables: each is named, and no run that skipped one succeeds. */
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { listLakeTables } from '../../src/engine/lake/queries/tables.ts'
import { openLakeStore } from '../../src/engine/run/registry.ts'
import { walkLake } from '../../src/engine/lake/walk.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog } from '../support/catalog-kit.ts'
import { S3_AVAILABLE, startS3 } from '../support/servers/s3.ts'
import { NEVER } from '../tables/shared-tables.ts'
import { perform, type Performed } from './operation-kit.ts'

/** Folders that root cannot read either, and the cause. */
const HIDDEN: readonly [string, (lake: string) => void][] = [
  ['a loop of links', (lake) => symlinkSync('hidden', join(lake, 'hidden'))],
  ['a link to a folder that is away', (lake) => symlinkSync('/nowhere/at/all', join(lake, 'hidden'))],
  [
    'a log that is a link to a folder that is away',
    (lake) => {
      mkdirSync(join(lake, 'hidden'))
      symlinkSync('/nowhere/at/all', join(lake, 'hidden/_delta_log'))
    },
  ],
  [
    'a log that is a loop of links',
    (lake) => {
      mkdirSync(join(lake, 'hidden'))
      symlinkSync('_delta_log', join(lake, 'hidden/_delta_log'))
    },
  ],
  [
    'a log that is a file',
    (lake) => {
      mkdirSync(join(lake, 'hidden'))
      writeFileSync(join(lake, 'hidden/_delta_log'), '')
    },
  ],
]

function writeTable(path: string): void {
  writeLog(path, [[PROTOCOL, METADATA, add('f')]])
}

async function imported(lake: string, catalog: string, more: object = {}): Promise<Performed> {
  return perform({
    kind: 'batch-import',
    path: lake,
    catalog,
    recursive: false,
    exclude: [],
    parallel: 1,
    batchSize: 10_000,
    waitMs: 0,
    dryRun: false,
    resume: false,
    verbose: false,
    ...more,
  })
}

const warnings = ({ events }: Performed): readonly string[] =>
  events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event.message] : []))

describe.each([
  ['sqlite', HIDDEN],
  ['duckdb', HIDDEN.slice(0, 1)],
] as const)('a catalog of %s', (system, hidden) => {
  test.each(hidden)('a lake with %s is not reported as imported', async (_name, hide) => {
    using work = temporaryFolder()
    const lake = join(work.path, 'lake')
    const catalog = `${system}:///${work.path}/catalog.db`
    writeTable(join(lake, 'seen'))
    hide(lake)
    for (const recursive of [false, true]) {
      const planned = await imported(lake, catalog, { recursive, dryRun: true })
      const run = await imported(lake, catalog, { recursive })
      for (const one of [planned, run]) {
        expect(warnings(one)).toEqual([expect.stringMatching(/^cannot read the folder \S+\/hidden: ./)])
        expect(one.finished).toMatchObject({
          exitCode: 1,
          totals: { tables: '1', failed: '0', unsearched: '1' },
          error: { code: 'TABLES_FAILED', message: expect.stringMatching(/searched for tables: hidden$/) },
        })
      }
      expect((await imported(lake, catalog, { recursive, exclude: ['hidden'] })).finished.exitCode).toBe(0)
      expect((await imported(lake, catalog, { recursive, only: ['seen'] })).finished.exitCode).toBe(0)
      expect((await imported(lake, catalog, { recursive, only: ['seen', 'hidden/x'] })).finished.exitCode).toBe(1)
    }
  })
})

test('an exclusion that is not a pattern is refused by name', async () => {
  using work = temporaryFolder()
  writeTable(join(work.path, 'seen'))
  const { finished } = await perform({ kind: 'discover', path: work.path, recursive: true, exclude: ['[z-a]'] })
  expect(finished.error).toMatchObject({ code: 'BAD_FLAG', message: '--exclude [z-a] is not a pattern' })
})

test.each(HIDDEN)('discover and the list of tables name a lake with %s', async (_name, hide) => {
  using work = temporaryFolder()
  writeTable(join(work.path, 'seen'))
  hide(work.path)
  for (const recursive of [false, true]) {
    const said = await perform({ kind: 'discover', path: work.path, recursive, exclude: [] })
    expect(said.finished).toMatchObject({ exitCode: 1, totals: { tables: '1', unsearched: '1' } })
    expect(warnings(said)).toEqual([expect.stringMatching(/hidden/)])
  }
  const rows = await listLakeTables(work.path, null, NEVER)
  expect(rows.map(({ name, error }) => [name, error === null])).toEqual([
    ['hidden/', false],
    ['seen', true],
  ])
})

test('a lake of which nothing can be read is not reported as empty', async () => {
  using work = temporaryFolder()
  symlinkSync('hidden', join(work.path, 'hidden'))
  const { finished } = await imported(work.path, `sqlite:///${work.path}/catalog.db`)
  expect(finished).toMatchObject({ exitCode: 1, error: { code: 'TABLES_FAILED' } })
  expect(finished.error?.message).toContain('hidden')
})

test('links of data files to a disk that is not mounted hide no table', async () => {
  using work = temporaryFolder()
  writeTable(join(work.path, 'seen'))
  for (const name of ['seen/part-0.parquet', 'seen/part', 'notes.csv', '.hidden'])
    symlinkSync('/nowhere', join(work.path, name))
  const { finished } = await imported(work.path, `sqlite:///${work.path}/catalog.db`, { recursive: true })
  expect(finished).toMatchObject({ exitCode: 0 })
})

test('folders that only --recursive searches are named', async () => {
  using work = temporaryFolder()
  const lake = join(work.path, 'lake')
  const catalog = `sqlite:///${work.path}/catalog.db`
  for (const table of ['a', 'b', 'deep/c']) writeTable(join(lake, table))
  const flat = await imported(lake, catalog)
  expect(flat.notes).toContain('folders below deep were not searched for tables: --recursive (-r) searches them, too')
  expect(flat.finished.exitCode).toBe(0)
  expect((await imported(lake, catalog, { recursive: true })).notes.join()).not.toContain('--recursive')
  writeTable(join(lake, 'a/inner'))
  expect((await imported(join(lake, 'a'), catalog)).notes).toContain(
    'folders below inner were not searched for tables: --recursive (-r) searches them, too',
  )
})

/** What another user finds, who may not read everything. */
async function asOther(lake: string, recursive: boolean): Promise<readonly unknown[]> {
  const found: unknown[] = []
  process.seteuid?.(65_534)
  try {
    for await (const one of walkLake(lake, { recursive, exclude: [], signal: NEVER }))
      found.push([one.kind, one.name, ...(one.kind === 'unreadable' ? [one.error.code] : [])])
  } finally {
    process.seteuid?.(0)
  }
  return found
}

test.runIf(process.getuid?.() === 0)('folders that another user may not read', async () => {
  using work = temporaryFolder()
  chmodSync(work.path, 0o755)
  const lake = join(work.path, 'lake')
  for (const table of ['closed', 'listed', 'named', 'seen', 'away']) writeTable(join(lake, table))
  // The log of `named` is read by its name; other folders in it cannot be listed. The root of a disk has lost+found.
  mkdirSync(join(lake, 'lost+found'))
  const rights = { 'lost+found': 0o700, closed: 0, listed: 0o744, named: 0o711, locked: 0o700 }
  mkdirSync(join(work.path, 'locked'))
  renameSync(join(lake, 'away/_delta_log'), join(work.path, 'locked/log'))
  symlinkSync(join(work.path, 'locked/log'), join(lake, 'away/_delta_log'))
  for (const [name, mode] of Object.entries(rights)) chmodSync(join(name === 'locked' ? work.path : lake, name), mode)
  const denied = (name: string): readonly unknown[] => ['unreadable', name, 'SOURCE_DENIED']
  const flat = [
    denied('away'),
    denied('closed'),
    denied('listed'),
    ['excluded', 'lost+found'],
    ['table', 'named'],
    ['table', 'seen'],
  ]
  expect(await asOther(lake, false)).toEqual(flat)
  expect(await asOther(lake, true)).toEqual([...flat.slice(0, 5), denied('named'), ...flat.slice(5)])
})

test.skipIf(!S3_AVAILABLE)(
  'a folder of a bucket that cannot be listed is not reported as one without tables',
  async () => {
    const before = process.env
    await using server = await startS3()
    process.env = { ...before, ...server.env }
    try {
      server.put('lake/closed/_delta_log/00000000000000000000.json', '{}')
      server.put('lake/plain/a', '')
      const lake = await openLakeStore(server.url('lake'))
      const closed = server.url('lake/closed')
      server.failNext(1, 403, 'AccessDenied')
      expect(await lake.isPlainFolder(closed, NEVER)).toBe(false)
      expect(await lake.inspect(closed, NEVER)).toMatchObject({ is: 'denied', error: { code: 'SOURCE_DENIED' } })
      expect(await lake.isPlainFolder(server.url('lake/plain'), NEVER)).toBe(true)
    } finally {
      process.env = before
    }
  },
)
