/** Tables inside the folders of other tables: found and imported, from a folder and a bucket. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { walkLake } from '../../src/engine/lake/walk.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { NEVER } from '../tables/shared-tables.ts'
import { perform } from './operation-kit.ts'

const TABLES = ['a', 'a/deep/er/inner', 'a/inner', 'a/inner/most', 'b']

async function found(path: string, recursive = true): Promise<readonly string[]> {
  const names: string[] = []
  for await (const one of walkLake(path, { recursive, exclude: [], signal: NEVER })) {
    if (one.kind === 'table') names.push(one.name)
  }
  return names.toSorted()
}

describe('tables inside other tables', () => {
  let work: Folder
  beforeAll(() => {
    work = temporaryFolder()
    for (const table of TABLES) writeLog(join(work.path, table), [[PROTOCOL, METADATA, add('f')]])
    // Folders of data are not searched: a log in one of them is no table.
    for (const data of ['a/p=1', 'a/_change_data', 'a/.hidden']) {
      mkdirSync(join(work.path, data, '_delta_log'), { recursive: true })
      writeFileSync(join(work.path, data, '_delta_log/00000000000000000000.json'), '{}')
    }
  })
  afterAll(() => work[Symbol.dispose]())

  test('in a folder', async () => {
    expect(await found(work.path)).toEqual(TABLES)
    expect(await found(join(work.path, 'a'))).toEqual(['.', 'deep/er/inner', 'inner', 'inner/most'])
    expect(await found(work.path, false)).toEqual(['a', 'b'])
  })

  test.each([
    ['several tables beside a folder', ['a', 'b', 'c/d/e'], 'c'],
    ['one table', ['a'], null],
    ['a table with others in it', ['.', 'inner', 'more/most'], 'inner, more'],
    ['a folder with one table, which has others in it', ['only', 'only/inner'], 'only/inner'],
  ])('discover without --recursive names the option if it did not list all: %s', async (_name, tables, expected) => {
    using folder = temporaryFolder()
    for (const table of tables) writeLog(join(folder.path, table), [[PROTOCOL, METADATA, add('f')]])
    const { events } = await perform({ kind: 'discover', path: folder.path, recursive: false, exclude: [] })
    const notes = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
    const note = `folders below ${expected} were not listed: --recursive (-r) lists them, too`
    expect(notes).toEqual(expected === null ? [] : [note])
  })

  test.skipIf(!S3_AVAILABLE)(`in a bucket${S3_AVAILABLE ? '' : ` (skipped: ${S3_MISSING})`}`, async () => {
    const before = process.env
    await using server: S3Server = await startS3()
    process.env = { ...before, ...server.env }
    try {
      server.putFolder(work.path, 'nested')
      expect(await found(server.url('nested'))).toEqual(TABLES)
    } finally {
      process.env = before
    }
  })
})

const SKIPPED = S3_AVAILABLE ? '' : ` (skipped: ${S3_MISSING})`
const COMMIT = [PROTOCOL, METADATA, add('f')].map((line) => JSON.stringify(line)).join('\n')

/**
 * A server whose bucket has a table `t` with so many files and data folders, and tables before, between and after them.
 */
async function wideTable(options: {
  readonly pageKeys?: number
  readonly files: number
  readonly days: number
}): Promise<{
  readonly server: S3Server
  readonly names: readonly string[]
}> {
  const server = await startS3(options)
  const inner = ['Early', 'between', 'late', 'part-0005', 'part-9', 'zone/deep']
  for (const table of ['', ...inner.map((name) => `/${name}`)]) {
    server.put(`lake/t${table}/_delta_log/00000000000000000000.json`, COMMIT)
  }
  for (let i = 0; i < options.files; i++) server.put(`lake/t/part-${String(i).padStart(5, '0')}.parquet`, '')
  for (let i = 0; i < options.days; i++) server.put(`lake/t/day=${String(i).padStart(5, '0')}/f.parquet`, '')
  return { server, names: ['t', ...inner.map((name) => `t/${name}`)] }
}

test('a lake with deeper tables is not reported as empty without --recursive', async () => {
  using folder = temporaryFolder()
  writeLog(join(folder.path, 'sales/2024/orders'), [[PROTOCOL, METADATA]])
  const flat = { kind: 'discover', path: folder.path, recursive: false, exclude: [] } as const
  const said = await perform(flat)
  expect(said.finished.totals).toMatchObject({ tables: '0' })
  expect(said.notes).toEqual([expect.stringContaining('--recursive')])
  expect((await perform({ ...flat, recursive: true })).notes).toEqual([])
  writeLog(join(folder.path, 'flat'), [[PROTOCOL, METADATA]])
  expect((await perform(flat)).notes).toEqual([expect.stringContaining('folders below sales were not listed')])
})

describe.skipIf(!S3_AVAILABLE)(`tables inside of a table with many files in a bucket${SKIPPED}`, () => {
  const before = process.env
  afterEach(() => {
    process.env = before
  })

  test('are found after its first thousand keys, and data folders cost no page each', async () => {
    const { server, names } = await wideTable({ files: 1_300, days: 1_800 })
    await using running = server
    process.env = { ...before, ...running.env }
    expect(await found(running.url('lake'))).toEqual(names)
    const { finished } = await perform({
      kind: 'discover',
      path: running.url('lake'),
      recursive: true,
      exclude: [],
    })
    expect(finished.totals).toMatchObject({ tables: String(names.length) })
    running.reset()
    expect(await found(running.url('lake/t'))).toHaveLength(names.length)
    const ofTable = running.requests().log.filter(({ query }) => query.get('prefix') === 'lake/t/')
    // One page ends within the days and the next begins after them; the files take one more.
    expect(ofTable.map(({ query }) => query.get('start-after'))).toEqual([null, 'lake/t/day>', null])
    running.reset()
    expect(await found(running.url('lake'), false)).toEqual(['t'])
    // Without a search inside tables, their keys are not listed to the end.
    expect(running.requests().log.filter(({ query }) => query.get('prefix') === 'lake/t/')).toHaveLength(1)
  })

  test('are found if the store ignores where a listing is to begin', async () => {
    const { server, names } = await wideTable({ pageKeys: 50, files: 120, days: 120 })
    await using running = server
    process.env = { ...before, ...running.env }
    running.forget('start-after')
    expect(await found(running.url('lake'))).toEqual(names)
  })

  test('are searched in the first hundred pages, and the rest is reported', async () => {
    const { server } = await wideTable({ pageKeys: 10, files: 1_100, days: 0 })
    await using running = server
    process.env = { ...before, ...running.env }
    const { finished, notes } = await perform({
      kind: 'discover',
      path: running.url('lake'),
      recursive: true,
      exclude: [],
    })
    expect(finished).toMatchObject({ exitCode: 0, totals: { tables: '5' } })
    expect(notes).toEqual([
      `only the first 1,010 names in ${running.url('lake/t')}, up to part-01004.parquet, were searched for tables: to use a table after that name, give its path`,
    ])
    expect(await found(running.url('lake/t/zone'))).toEqual(['deep'])
  })
})
