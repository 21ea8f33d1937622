/**
 * A commit that sets one item of the table state twice, and statistics of a file that name one column twice. deltalake,
 * polars and DuckDB (delta-kernel) take the first metaData of a commit, delta-spark and sluice the last. `fsck` reports
 * where readers differ.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { fsckOf, perform } from './operation-kit.ts'

const work = temporaryFolder()
afterAll(() => work[Symbol.dispose]())
let places = 0

const PROTOCOL = { protocol: { minReaderVersion: 1, minWriterVersion: 2 } }
function metaData(...columns: readonly string[]): object {
  const fields = columns.map((name) => ({ name, type: 'long', nullable: true, metadata: {} }))
  return {
    metaData: {
      id: 'a0000000-0000-0000-0000-000000000000',
      format: { provider: 'parquet', options: {} },
      schemaString: JSON.stringify({ type: 'struct', fields }),
      partitionColumns: [],
      configuration: {},
      createdTime: 1,
    },
  }
}
const txn = (appId: string, version: number): object => ({ txn: { appId, version } })
const domain = (name: string, configuration: string): object => ({
  domainMetadata: { domain: name, configuration, removed: false },
})
const add = (stats: string): object => ({
  add: { path: 'f.parquet', partitionValues: {}, size: 1, modificationTime: 1, dataChange: true, stats },
})

/** Findings of fsck on a log with these commits after version 0. */
async function found(
  kind: string,
  ...commits: readonly (readonly object[])[]
): Promise<readonly (readonly [level: string, path: string | undefined, detail: string])[]> {
  const folder = join(work.path, `table-${places++}`)
  mkdirSync(join(folder, '_delta_log'), { recursive: true })
  for (const [version, lines] of [[PROTOCOL, metaData('id')], ...commits].entries()) {
    const name = `${String(version).padStart(20, '0')}.json`
    writeFileSync(join(folder, '_delta_log', name), lines.map((one) => JSON.stringify(one)).join('\n'))
  }
  writeFileSync(join(folder, 'f.parquet'), 'x')
  const { events } = await perform(fsckOf(folder))
  return events.flatMap((event) =>
    event.type === 'fsck.finding' && event.finding === kind ? [[event.level, event.path, event.detail] as const] : [],
  )
}

const commit = (version: number): string => `_delta_log/${String(version).padStart(20, '0')}.json`
const DIFFER = 'some readers use the first line, others, like sluice, the last one, and the lines differ'

test('two schemas in one commit are a finding', async () => {
  expect(await found('actions-doubled', [metaData('id', 'a'), metaData('id', 'b')])).toEqual([
    ['finding', commit(1), `commit 1 has 2 actions metaData: ${DIFFER}`],
  ])
})

test('two protocols, two transactions of one application and two configurations of one domain are findings', async () => {
  const lines = [
    { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
    { protocol: { minReaderVersion: 1, minWriterVersion: 3 } },
    txn('app', 1),
    txn('app', 2),
    txn('other', 1),
    domain('d', 'x'),
    domain('d', 'y'),
    domain('e', 'x'),
  ]
  expect(await found('actions-doubled', lines)).toEqual([
    ['finding', commit(1), `commit 1 has 2 actions protocol: ${DIFFER}`],
    ['finding', commit(1), `commit 1 has 2 actions txn of "app": ${DIFFER}`],
    ['finding', commit(1), `commit 1 has 2 actions domainMetadata of "d": ${DIFFER}`],
  ])
})

test('a conflict that a later commit resolves is a note, and so is the same line twice', async () => {
  const twice = [metaData('id', 'a'), metaData('id', 'b')]
  expect(await found('actions-doubled', twice, [metaData('id')])).toEqual([
    ['note', commit(1), `commit 1 has 2 actions metaData: ${DIFFER}`],
  ])
  expect(await found('actions-doubled', [txn('app', 1), txn('app', 1)])).toEqual([
    ['note', commit(1), 'commit 1 has 2 actions txn of "app", with the same text'],
  ])
  expect(await found('actions-doubled', [txn('app', 1)], [txn('app', 2)])).toEqual([])
})

test('a name that occurs twice in statistics is a finding', async () => {
  const stats = '{"numRecords":2,"minValues":{"id":500},"minValues":{"id":0},"maxValues":{"id":2}}'
  expect(await found('statistics-unreadable', [add(stats)])).toEqual([
    [
      'finding',
      'f.parquet',
      'its statistics have the name "minValues" twice in one object: readers take the first or the last',
    ],
  ])
  expect(await found('statistics-unreadable', [add('{"numRecords":2,"minValues":{"id":0}}')])).toEqual([])
})
