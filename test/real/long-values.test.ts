/**
 * Logs with long lines, or with bytes before their first line: an imported log can be validated, and one that could not
 * be is refused before anything is written.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Line } from '../support/catalog-kit.ts'
import { fsckOf, importOf, perform, validateOf } from './operation-kit.ts'

const MOST = 8 << 20
const metaData = METADATA['metaData'] as Line
const schemaOf = (comment: string): string => {
  const field = (name: string, type: string, more: Line): Line => ({ name, type, nullable: true, metadata: more })
  return JSON.stringify({ type: 'struct', fields: [field('id', 'long', { comment }), field('day', 'date', {})] })
}
/** Fields that may hold a long text. */
const FIELDS: Readonly<Record<string, (text: string) => Line>> = {
  name: (text) => ({ name: text }),
  description: (text) => ({ description: text }),
  configuration: (text) => ({ configuration: { 'a.b': text } }),
  schemaString: (text) => ({ schemaString: schemaOf(text) }),
}
const lineOf = (field: string, text: string): Line => ({ metaData: { ...metaData, ...FIELDS[field]?.(text) } })

/** A line of this length: the longest that is imported, or one character more. */
function lineAt(field: string, length: number): Line {
  const rest = JSON.stringify(lineOf(field, '')).length
  return lineOf(field, 'long '.repeat(length).slice(0, length - rest))
}

const LOG = (table: string, version: number): string =>
  join(table, '_delta_log', `${String(version).padStart(20, '0')}.json`)

test.each(Object.keys(FIELDS))('the longest imported %s can be validated', { timeout: 60_000 }, async (field) => {
  using folder = temporaryFolder()
  const table = join(folder.path, 't')
  const catalog = `sqlite:///${folder.path}/c.db`
  writeLog(table, [[PROTOCOL, lineAt(field, MOST), add('a')]])
  for (const operation of [importOf(table, catalog), validateOf(table, catalog)]) {
    const { finished } = await perform(operation)
    expect([operation.kind, finished.status, finished.error]).toEqual([operation.kind, 'ok', undefined])
  }
})

test.each(Object.keys(FIELDS))('a longer %s is refused with the limit', { timeout: 60_000 }, async (field) => {
  using folder = temporaryFolder()
  const table = join(folder.path, 't')
  const catalog = `sqlite:///${folder.path}/c.db`
  writeLog(table, [[PROTOCOL, lineAt(field, MOST + 1), add('a')]])
  const { finished } = await perform(importOf(table, catalog))
  expect(finished.error).toMatchObject({
    code: 'BAD_ACTION',
    message: expect.stringContaining(`the limit of a catalog is ${MOST}`),
  })
})

test('a longer line in a checkpoint is refused, too', { timeout: 60_000 }, async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 't')
  writeLog(table, [[add('a')]], 2)
  const lines = [
    { checkpointMetadata: { version: 1 } },
    {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ['v2Checkpoint'],
        writerFeatures: ['v2Checkpoint'],
      },
    },
    lineAt('description', MOST + 1),
  ]
  writeFileSync(
    join(table, '_delta_log', `${'1'.padStart(20, '0')}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`),
    lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
  )
  const { finished } = await perform(importOf(table, `sqlite:///${folder.path}/c.db`))
  expect(finished.error).toMatchObject({
    code: 'BAD_ACTION',
    message: expect.stringContaining(`the limit of a catalog is ${MOST}`),
  })
})

const MOST_OTHER = 32 << 20
const added = add('b')['add'] as Line
const OTHERS: Readonly<Record<string, (text: string) => Line>> = {
  add: (text) => ({ add: { ...added, tags: { text } } }),
  commitInfo: (notes) => ({ commitInfo: { timestamp: 1, operation: 'WRITE', notes } }),
  domainMetadata: (configuration) => ({ domainMetadata: { domain: 'd', configuration, removed: false } }),
}

test.each(Object.entries(OTHERS))(
  'a longer %s is refused before anything is written',
  { timeout: 60_000 },
  async (_, line) => {
    using folder = temporaryFolder()
    const [table, catalog] = [join(folder.path, 't'), `sqlite:///${folder.path}/c.db`]
    writeLog(table, [[PROTOCOL, METADATA, add('a')], [line('x'.repeat(MOST_OTHER))]])
    const { finished } = await perform(importOf(table, catalog))
    expect(finished.error).toMatchObject({
      code: 'BAD_ACTION',
      message: expect.stringContaining(`the limit of a catalog is ${MOST_OTHER}`),
    })
    expect((await perform(validateOf(table, catalog))).finished.error?.code).toBe('NO_SUCH_TABLE')
  },
)

test('the longest line that can be imported can be validated', { timeout: 60_000 }, async () => {
  using folder = temporaryFolder()
  const [table, catalog] = [join(folder.path, 't'), `sqlite:///${folder.path}/c.db`]
  const rest = JSON.stringify(OTHERS['domainMetadata']?.('')).length
  writeLog(table, [[PROTOCOL, METADATA, add('a')], [OTHERS['domainMetadata']?.('x'.repeat(MOST_OTHER - rest)) as Line]])
  for (const operation of [importOf(table, catalog), validateOf(table, catalog)]) {
    const { finished } = await perform(operation)
    expect([operation.kind, finished.status, finished.error]).toEqual([operation.kind, 'ok', undefined])
  }
})

test(
  'validate names a line above the limit, which older programs imported, if it cannot hold it in memory',
  { timeout: 60_000 },
  async () => {
    using folder = temporaryFolder()
    const [table, catalog] = [join(folder.path, 't'), `sqlite:///${folder.path}/c.db`]
    writeLog(table, [[PROTOCOL, METADATA, add('a')], [OTHERS['domainMetadata']?.('SHORT') as Line]])
    expect((await perform(importOf(table, catalog))).finished.status).toBe('ok')
    const long = 'x'.repeat(63e6)
    const log = LOG(table, 1)
    const refused = {
      code: 'BAD_ACTION',
      message: expect.stringMatching(
        new RegExp(`0001\\.json:1: the line has 630\\d{5} characters, and the limit of .* ${MOST_OTHER}`),
      ) as string,
    }
    writeFileSync(log, readFileSync(log, 'utf8').replace('SHORT', long))
    expect((await perform(validateOf(table, catalog))).finished.error).toMatchObject(refused)
  },
)

const BOM = '\ufeff'

test('a byte order mark at the beginning of a commit is skipped and reported', { timeout: 60_000 }, async () => {
  for (const version of [0, 1]) {
    using folder = temporaryFolder()
    const [table, catalog] = [join(folder.path, 't'), `sqlite:///${folder.path}/c.db`]
    writeLog(table, [[PROTOCOL, METADATA, add('a')], [add('b')]])
    writeFileSync(LOG(table, version), BOM + readFileSync(LOG(table, version), 'utf8'))
    expect((await perform(importOf(table, catalog))).finished).toMatchObject({ status: 'ok', totals: { files: '2' } })
    const validated = await perform(validateOf(table, catalog))
    expect(validated.finished.status).toBe('ok')
    const notes = validated.events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')
    expect(notes).toMatch(new RegExp(`0${version}.json begins with a byte order mark: delta-spark skips`))
    const { finished, events } = await perform(fsckOf(table))
    expect(finished.exitCode).toBe(1)
    expect(events.filter((event) => event.type === 'fsck.finding')).toContainEqual(
      expect.objectContaining({
        level: 'finding',
        finding: 'byte-order-mark',
        path: `_delta_log/${String(version).padStart(20, '0')}.json`,
      }),
    )
  }
})
