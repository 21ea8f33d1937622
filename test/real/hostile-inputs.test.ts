/**
 * Hostile inputs as a table: no command reads or changes anything outside of its table, no secret is printed, and no
 * frontend writes anything that a terminal or a CI runner would act on.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openOutput } from '../../src/cli/output/output.ts'
import { githubFrontend } from '../../src/cli/output/render-github.ts'
import { jsonFrontend } from '../../src/cli/output/render-json.ts'
import { textFrontend } from '../../src/cli/output/render-text.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import type { Event } from '../../src/model/run/event.ts'
import { redactText, redactValue } from '../../src/shared/redact.ts'
import { Memory } from '../cli/surroundings.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder, type Line } from '../support/catalog-kit.ts'
import { fsckOf, importOf, perform, validateOf } from './operation-kit.ts'

/** Content of files outside of each table and of an environment variable; no event may contain it. */
const SECRET = 'canary-7f3a91c2'
/** A terminal acts on the first pattern; a CI runner on the second, at the beginning of a line or anywhere. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{Bidi_Control}/u
const ORDER = /^\s*::(?:set-output|add-mask|error::z)|##\[error\]/m

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
  process.env['SLUICE_CANARY'] = SECRET
  for (const name of ['secret.txt', 'secret.parquet', 'secret.bin', 'secret.json'])
    writeFileSync(join(folder.path, name), `${SECRET}\n`)
})
afterAll(() => {
  delete process.env['SLUICE_CANARY']
  folder[Symbol.dispose]()
})

/** Names, sizes and times of everything below the folder, without the table's own folder. */
function outside(own: string): readonly string[] {
  const all = readdirSync(folder.path, { recursive: true, encoding: 'utf8' }).filter((name) => !name.startsWith(own))
  return all.toSorted().map((name) => {
    const { size, mtimeMs, mode } = statSync(join(folder.path, name), { throwIfNoEntry: false }) ?? {
      size: -1,
      mtimeMs: 0,
      mode: 0,
    }
    return `${name} ${size} ${mode} ${name.startsWith('secret') ? mtimeMs : ''}`
  })
}

/** What three frontends write for the events. */
async function written(events: readonly Event[]): Promise<string> {
  const [stdout, stderr] = [new Memory(), new Memory()]
  const output = openOutput(stdout, stderr)
  const redact = (text: string): string => redactText(text)
  const faces = [
    textFrontend(output, { quiet: false, verbose: true, color: false, github: true, redact }),
    jsonFrontend(output, (event) => redactValue(event)),
    githubFrontend(output, { summaryFile: undefined, redact }),
  ]
  for (const event of events) for (const face of faces) face.event(event, false)
  for (const face of faces) await face.close()
  await output.flushed()
  return stdout.text + stderr.text
}

/** @returns error code of each command */
async function holds(own: string, operations: readonly Operation[]): Promise<readonly string[]> {
  const before = outside(own)
  const codes: string[] = []
  for (const operation of operations) {
    const { finished, events } = await perform(operation)
    const text = await written(events)
    for (const pattern of [CONTROL, ORDER]) {
      const at = text.search(pattern)
      expect(at === -1 ? '' : `${operation.kind}: ${JSON.stringify(text.slice(Math.max(0, at - 60), at + 40))}`).toBe(
        '',
      )
    }
    expect(text, operation.kind).not.toContain(SECRET)
    // An internal error of sluice would end it like this.
    expect(finished.error?.code, `${operation.kind}: ${finished.error?.message}`).not.toBe('INTERNAL')
    codes.push(finished.error?.code ?? 'ok')
  }
  expect(outside(own)).toEqual(before)
  return codes
}

/** Every command that reads a log, and those that would write or roll back by it. */
const commandsOf = (name: string): readonly Operation[] => {
  const table = join(folder.path, name, 't')
  const catalog = `sqlite:///${join(folder.path, name)}/c.db`
  const at = { table, catalog, asOf: {} }
  return [
    { kind: 'discover', path: join(folder.path, name), recursive: true, exclude: [] },
    importOf(table, catalog),
    validateOf(table, catalog),
    fsckOf(table),
    fsckOf(table, { outside: true, deep: true }),
    { kind: 'files', ...at },
    { kind: 'history', table, catalog, limit: 20 },
    { kind: 'rollback', table, catalog, checkFiles: 'all', dryRun: true },
    { kind: 'export-log', table, catalog, to: join(folder.path, name, 'out') },
  ] as unknown as readonly Operation[]
}

let made = 0
/**
 * A table in a folder of its own, next to the secrets.
 * @returns the name of that folder
 */
function tableOf(commits: readonly (readonly Line[])[]): string {
  const name = `own-${made++}`
  writeLog(join(folder.path, name, 't'), commits)
  return name
}

const there = (name: string): string => join(folder.path, name)
/** Paths that lead out of the folder of a table, to an existing file. */
const WAYS: readonly (readonly [name: string, path: () => string])[] = [
  ['dots', () => '../../secret.parquet'],
  ['dots, encoded', () => '%2e%2e/%2e%2e/secret.parquet'],
  ['a slash, encoded', () => '..%2F..%2Fsecret.parquet'],
  ['encoded twice', () => '%252e%252e/%252e%252e/secret.parquet'],
  ['dots behind a folder', () => 'day=1/../../../secret.parquet'],
  ['backslashes', () => '..\\..\\secret.parquet'],
  ['absolute', () => there('secret.parquet')],
  ['absolute, twice the slash', () => `/${there('secret.parquet')}`],
  ['a file URL', () => `file://${there('secret.parquet')}`],
  ['a file URL with one slash', () => `file:${there('secret.parquet')}`],
  ['a file URL of a host', () => `file://localhost${there('secret.parquet')}`],
  ['dots in a file URL', () => `file://${folder.path}/x/../secret.parquet`],
  ['a pattern', () => '../../secret.*'],
  ['the environment', () => '${SLUICE_CANARY}/$SLUICE_CANARY/%SLUICE_CANARY%'],
  ['a device', () => '/dev/stdin'],
  ['a process', () => '/proc/self/environ'],
  ['a link', () => 'link.parquet'],
]

describe('a path that is outside of the table', { timeout: 60_000 }, () => {
  const vector = (pathOrInlineDv: string): Line => ({
    deletionVector: { storageType: 'p', pathOrInlineDv, offset: 1, sizeInBytes: 40, cardinality: 1 },
  })
  test.each([
    ['an add', (path: string) => add(path)],
    ['a remove', (path: string) => ({ remove: { path, dataChange: true, deletionTimestamp: 1 } })],
    ['change data', (path: string) => ({ cdc: { path, size: 1, partitionValues: {}, dataChange: false } })],
    ['a deletion vector', (path: string) => add(`v-${encodeURIComponent(path)}`, vector(path))],
  ] as const)('of %s: nothing there is shown or changed', async (_, line) => {
    const name = tableOf([[PROTOCOL, METADATA, add('a')], WAYS.map(([, path]) => line(path()))])
    symlinkSync(there('secret.parquet'), join(folder.path, name, 't', 'link.parquet'))
    await holds(name, commandsOf(name))
  })

  test('of a sidecar, and of _last_checkpoint: nothing there is shown or changed', async () => {
    const protocol = {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ['v2Checkpoint'],
        writerFeatures: ['v2Checkpoint'],
      },
    }
    const name = tableOf([[protocol, METADATA, add('a')], [add('b')]])
    const log = join(folder.path, name, 't', '_delta_log')
    const lines = [
      { checkpointMetadata: { version: 1 } },
      protocol,
      METADATA,
      ...WAYS.map(([, path]) => ({ sidecar: { path: path(), sizeInBytes: 10, modificationTime: 1 } })),
    ]
    const id = '80a083e8-7026-4e79-81be-64bd76c43a11'
    writeFileSync(
      join(log, `${'1'.padStart(20, '0')}.checkpoint.${id}.json`),
      lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    )
    const last = {
      version: 1,
      size: 1,
      v2Checkpoint: { path: '../../../secret.json', sizeInBytes: 10, modificationTime: 1 },
    }
    writeFileSync(join(log, '_last_checkpoint'), JSON.stringify(last))
    await holds(name, commandsOf(name))
  })
})

const ORDERS =
  '\u001b[31m\u001b]0;t\u0007\u001b]8;;http://x\u0007\u009b31m\r\b\u007f\u202e\u2066\u200f\u061c\n::set-output name=x::y\n::error::z\n##[error]w\u2028'

describe('text with control sequences', { timeout: 60_000 }, () => {
  const metaData = METADATA['metaData'] as Line
  const schema = (name: string): string =>
    JSON.stringify({
      type: 'struct',
      fields: [
        { name, type: 'long', nullable: true, metadata: { comment: ORDERS } },
        { name: 'day', type: 'date', nullable: true, metadata: {} },
      ],
    })
  test.each<readonly [string, readonly Line[]]>([
    ['name and description', [{ metaData: { ...metaData, name: ORDERS, description: ORDERS } }]],
    ['a property', [{ metaData: { ...metaData, configuration: { [ORDERS]: ORDERS } } }]],
    ['a column', [{ metaData: { ...metaData, schemaString: schema(ORDERS) } }]],
    ['a type', [{ metaData: { ...metaData, schemaString: schema('a').replace('"long"', JSON.stringify(ORDERS)) } }]],
    [
      'an unknown feature',
      [{ protocol: { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: [ORDERS], writerFeatures: [ORDERS] } }],
    ],
    ['a path', [add(encodeURIComponent(ORDERS)), add(ORDERS)]],
    ['a partition value', [add('p', { partitionValues: { day: ORDERS, [ORDERS]: ORDERS } })]],
    [
      'statistics',
      [
        add('s', { stats: `{"numRecords":1,"minValues":{"id":${JSON.stringify(ORDERS)}}}` }),
        add('r', { stats: ORDERS }),
      ],
    ],
    ['tags', [add('t', { tags: { [ORDERS]: ORDERS } })]],
    [
      'a commit',
      [
        {
          commitInfo: {
            timestamp: 1,
            operation: ORDERS,
            userName: ORDERS,
            engineInfo: ORDERS,
            operationParameters: { [ORDERS]: ORDERS },
          },
        },
      ],
    ],
    ['a transaction', [{ txn: { appId: ORDERS, version: 1 } }]],
    ['a domain', [{ domainMetadata: { domain: ORDERS, configuration: ORDERS, removed: false } }]],
    ['an unknown action', [{ [ORDERS]: { a: ORDERS } }]],
    [
      'a vector',
      [
        add('v', {
          deletionVector: { storageType: 'p', pathOrInlineDv: ORDERS, offset: 1, sizeInBytes: 4, cardinality: 1 },
        }),
      ],
    ],
    ['a sidecar', [{ sidecar: { path: ORDERS, sizeInBytes: 1, modificationTime: 1 } }]],
  ])('in %s is shown, and no frontend acts on it', async (_, lines) => {
    const name = tableOf([[PROTOCOL, METADATA, add('a')], lines])
    await holds(name, commandsOf(name))
  })

  test('in invalid lines, and in names of files and folders, has no effect', async () => {
    const name = tableOf([[PROTOCOL, METADATA, add('a')]])
    const table = join(folder.path, name, 't')
    const odd = ORDERS.replaceAll('/', '')
    mkdirSync(join(table, odd))
    writeFileSync(join(table, `${odd}.parquet`), ORDERS)
    writeFileSync(join(table, '_delta_log', odd), ORDERS)
    writeFileSync(join(table, '_delta_log', '_last_checkpoint'), ORDERS)
    writeFileSync(join(table, '_delta_log', `${'0'.repeat(20)}.crc`), ORDERS)
    await holds(name, commandsOf(name))
    writeFileSync(join(table, '_delta_log', `${'1'.padStart(20, '0')}.json`), `{"${ORDERS}\n`)
    expect(await holds(name, commandsOf(name).slice(1, 2))).toEqual(['BAD_ACTION'])
  })

  test('the JSON output parses to the events', async () => {
    const { events } = await perform({
      kind: 'discover',
      path: folder.path,
      recursive: false,
      exclude: [ORDERS],
    } as unknown as Operation)
    const all = [
      ...events,
      { v: 1, seq: 1, ts: '2026-01-01T00:00:00.000Z', runId: '1', type: 'row', values: [ORDERS] } as unknown as Event,
    ]
    const stdout = new Memory()
    const output = openOutput(stdout, new Memory())
    const face = jsonFrontend(output, (event) => event)
    for (const event of all) face.event(event, false)
    await output.flushed()
    expect(stdout.text).not.toMatch(/[\u007f-\u009f]|\p{Bidi_Control}/u)
    expect((JSON.parse(stdout.text.trim().split('\n').at(-1) ?? '') as { values: unknown }).values).toEqual([ORDERS])
  })
})

/** Passwords in every part of a URL; nothing listens at any of these. */
const URLS: readonly string[] = [
  `postgresql://me:${SECRET}@127.0.0.1:1/d?retry_seconds=0`,
  `postgresql://127.0.0.1:1/d?user=me&password=${SECRET}&retry_seconds=0`,
  `postgresql://me:${SECRET}@127.0.0.1:1/d?sslmode=verify-full&sslrootcert=/none`,
  `postgresql://me:${SECRET}@127.0.0.1:99999/d`,
  `postgresql://me:${SECRET}%zz@127.0.0.1:1/d`,
  `mysql://me:${SECRET}@127.0.0.1:1/d`,
  `mysql://me:${SECRET}@127.0.0.1:1/d?nonsense=1`,
  `mariadb://me:${SECRET}@127.0.0.1:1/d`,
  `cassandra://me:${SECRET}@127.0.0.1:1/d`,
  `oracle://me:${SECRET}@127.0.0.1:1/d`,
  `sqlite:///none/x.db?key=${SECRET}`,
  `d1://${SECRET}`,
]

test.each(URLS)('a password in a URL is in no event and in no output: %s', { timeout: 60_000 }, async (url) => {
  const name = tableOf([[PROTOCOL, METADATA, add('a')]])
  const table = join(folder.path, name, 't')
  const operations = [
    importOf(table, url),
    { kind: 'sql', catalog: url, query: 'SELECT 1', limit: 1, format: 'table', timeoutMs: 5000 },
  ] as unknown as readonly Operation[]
  if (url.startsWith('d1:') || url.startsWith('sqlite:')) {
    // This part is a name and no password: it may be printed.
    for (const operation of operations) expect((await perform(operation)).finished.status).not.toBe('ok')
    return
  }
  const codes = await holds(name, operations)
  expect(codes).not.toContain('ok')
})

test('files outside of the tables are unchanged', () => {
  for (const name of readdirSync(folder.path).filter((one) => one.startsWith('secret')))
    expect(readFileSync(join(folder.path, name), 'utf8'), relative(folder.path, name)).toBe(`${SECRET}\n`)
})
