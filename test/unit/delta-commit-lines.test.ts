import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { ActionLine } from '../../src/delta/actions.ts'
import { actionLines, parseAction, readCommit } from '../../src/delta/commit-lines.ts'
import type { CommitBytes } from '../../src/delta/commit-lines.ts'
import { featureNames } from '../../src/delta/features.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { METADATA, NEVER, PROTOCOL, add, collect, lines, memoryLog, remove } from './delta-fixtures.ts'

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function read(text: string | Buffer, chunk = 1 << 20): Promise<ActionLine[]> {
  return collect(actionLines(inChunks(Buffer.from(text), chunk), 'log.json', { signal: NEVER }))
}

async function failure(text: string | Buffer, chunk?: number): Promise<SluiceError> {
  const thrown: unknown = await read(text, chunk).then(
    () => null,
    (error: unknown) => error,
  )
  if (!(thrown instanceof SluiceError)) throw new Error('should have failed')
  return thrown
}

const ACTIONS = [PROTOCOL, METADATA, add('a=ü/x', 5), add('b\u2028c', 6, { stats: '{"numRecords":1}' }), remove('d')]

describe('half of a character', () => {
  test.each([
    [
      'a path',
      String.raw`{"add":{"path":"f\ud800x","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}`,
    ],
    [
      'a partition value',
      String.raw`{"add":{"path":"f","partitionValues":{"p":"\uDC00"},"size":1,"modificationTime":1,"dataChange":true}}`,
    ],
    ['a name', String.raw`{"commitInfo":{"operationParameters":{"\ud83d":"x"}}}`],
  ])('in %s is refused with the line', async (_, line) => {
    const error = await failure(`${JSON.stringify(PROTOCOL)}\n${line}\n`)
    expect(error).toMatchObject({ code: 'BAD_ACTION', where: 'log.json:2' })
    expect(error.message).toMatch(/contains an unpaired surrogate/)
  })

  test('is accepted if both halves are present, and if the backslash is only text', async () => {
    const found = await read(String.raw`{"commitInfo":{"operation":"\ud83d\ude00","engineInfo":"C:\\ud800"}}`)
    expect(found[0]?.action).toMatchObject({ commitInfo: { operation: '😀', engineInfo: String.raw`C:\ud800` } })
  })
})

describe('commits as lines', () => {
  test.each([1, 2, 3, 7, 64, 1 << 20])('are the same in chunks of %i bytes', async (chunk) => {
    const found = await read(lines(ACTIONS), chunk)
    expect(found.map(({ raw }) => JSON.parse(raw) as unknown)).toEqual(ACTIONS)
    expect(found.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5])
    expect(found.map(({ action }) => action.kind)).toEqual(['protocol', 'metaData', 'add', 'add', 'remove'])
  })

  test.each([5, 1 << 20])(
    'blank lines are counted, CR and BOM tolerated, the last line break optional (%i)',
    async (chunk) => {
      const text = `\ufeff${JSON.stringify(PROTOCOL)}\r\n\n  \t\n${JSON.stringify(add('x'))}`
      const found = await read(text, chunk)
      expect(found.map(({ line }) => line)).toEqual([1, 4])
      expect(found[0]?.raw).toBe(JSON.stringify(PROTOCOL))
    },
  )

  test.each([3, 1 << 20])('an empty file has no actions (%i)', async (chunk) => {
    expect(await read('', chunk)).toEqual([])
    expect(await read('\n\n', chunk)).toEqual([])
  })

  test.each([10, 1 << 20])('pretty-printed objects are read whole (%i)', async (chunk) => {
    const text = ACTIONS.map((action) => JSON.stringify(action, null, 2)).join('\n')
    const found = await read(text, chunk)
    expect(found.map(({ raw }) => JSON.parse(raw) as unknown)).toEqual(ACTIONS)
    expect(found.map(({ line }) => line)).toEqual([1, 7, 19, 28, 38])
  })

  test('reports size and digest of what it read', async () => {
    const text = lines(ACTIONS)
    let bytes: CommitBytes | null = null
    const log = memoryLog({ '_delta_log/00000000000000000000.json': text }, 10)
    const file = { name: '00000000000000000000.json', version: 0, size: -1, modified: 0 }
    await collect(readCommit(log, file, NEVER, (found) => (bytes = found)))
    expect(bytes).toEqual({ bytes: Buffer.byteLength(text), digest: createHash('sha256').update(text).digest() })
  })

  test.each([4, 1 << 20])('truncated and invalid lines are refused with the line number (%i)', async (chunk) => {
    const good = JSON.stringify(add('x'))
    for (const [text, where] of [
      [`${good}\n${good.slice(0, -5)}`, 'log.json:2'],
      [`${good}\n${good.slice(0, -5)}\n${good}\n`, 'log.json:2'],
      [`${good}\n\n{"add":{"path":"x\n${good}\n`, 'log.json:3'],
      [`${good}\n[1]\n`, 'log.json:2'],
      [`${good}\nnull\n`, 'log.json:2'],
      [`${good}\n${good}}\n`, 'log.json:2'],
      [`{\n"add"\n:\n{\n`, 'log.json:1'],
      [`\n{\n"add": nonsense }\n`, 'log.json:2'],
    ] as const) {
      const error = await failure(text, chunk)
      expect([text, error.code, error.where]).toEqual([text, 'BAD_ACTION', where])
    }
  })

  test('bytes that are not UTF-8 are refused with the line number', async () => {
    const bytes = Buffer.concat([Buffer.from(`${JSON.stringify(PROTOCOL)}\n`), Buffer.from([0x7b, 0xff, 0x7d, 0x0a])])
    expect(await failure(bytes)).toMatchObject({ code: 'BAD_ACTION', where: 'log.json:2' })
  })

  test('an abort ends the reading', async () => {
    const abort = new AbortController()
    abort.abort()
    const reading = collect(actionLines(inChunks(Buffer.from(lines(ACTIONS)), 10), 'x', { signal: abort.signal }))
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('a line of several megabytes is one line', async () => {
    const big = add('x', 1, { stats: 'y'.repeat(5 << 20) })
    const found = await read(lines([big, PROTOCOL]), 1 << 16)
    expect(found.map(({ raw }) => raw.length > 1000)).toEqual([true, false])
  })
})

const parse = (raw: string) => parseAction(raw, () => 'f:1')
const message = (raw: string): string => {
  try {
    parse(raw)
    return 'fine'
  } catch (error) {
    return error instanceof SluiceError ? `${error.code} ${error.message}` : String(error)
  }
}

describe('parsing one action', () => {
  test('two actions on one line are refused, whichever kind is read', async () => {
    const two = `${JSON.stringify(add('x')).slice(0, -1)} , "metaData":{"id":"m"}}`
    for (const kinds of [new Set(['metaData'] as const), new Set(['add'] as const), undefined]) {
      const chunks = inChunks(Buffer.from(`${two}\n`), 100)
      const reading = collect(actionLines(chunks, 'x', { signal: NEVER, ...(kinds === undefined ? {} : { kinds }) }))
      await expect(reading).rejects.toMatchObject({
        code: 'BAD_ACTION',
        message: expect.stringContaining('two actions') as string,
      })
    }
  })

  test('configuration entries without a value enable no feature', () => {
    const configuration = { 'delta.columnMapping.mode': null, 'delta.appendOnly': null }
    const line = JSON.stringify({ metaData: { ...METADATA.metaData, configuration, format: { options: { a: null } } } })
    const action = parse(line)
    expect(action).toMatchObject({ kind: 'metaData', metaData: { configuration, format: { options: { a: null } } } })
    if (action.kind !== 'metaData') throw new Error('no metaData')
    expect(featureNames({ minReaderVersion: 1, minWriterVersion: 5 }, action.metaData)).toEqual([])
  })

  test('an unknown action has the first name of its text', () => {
    expect(parse('{"future":{},"1":{}}')).toEqual({ kind: 'unknown', name: 'future' })
  })

  test('unknown actions and fields are accepted', () => {
    expect(parse('{"futureAction":{"a":1}}')).toEqual({ kind: 'unknown', name: 'futureAction' })
    expect(parse('{}')).toEqual({ kind: 'unknown', name: '' })
    expect(parse(JSON.stringify(add('x', 1, { future: [1] }))).kind).toBe('add')
    expect(parse('{"txn":null,"protocol":{"minReaderVersion":1,"minWriterVersion":2},"add":null}').kind).toBe(
      'protocol',
    )
    expect(parse('{"commitInfo":{"operationParameters":{"a":[1,{"b":null}]}}}').kind).toBe('commitInfo')
  })

  test.each([
    ['{"add":{"size":1,"modificationTime":1}}', /add\.path should be text, is missing/],
    [JSON.stringify(add('x', -1)), /add\.size should be a whole number from 0/],
    [JSON.stringify(add('x', 1.5)), /add\.size/],
    ['{"add":{"path":"x","size":9007199254740993,"modificationTime":1}}', /add\.size/],
    ['{"add":{"path":"x","size":"1","modificationTime":1}}', /add\.size .* is "1"/],
    ['{"add":{"path":"x","size":1,"modificationTime":1e300}}', /add\.modificationTime/],
    [
      JSON.stringify(add('x', 1, { partitionValues: { a: 1 } })),
      /add\.partitionValues should be an object of texts \('a' is not one\)/,
    ],
    [JSON.stringify(add('x', 1, { stats: {} })), /add\.stats/],
    [JSON.stringify(add('x', 1, { deletionVector: { storageType: 'u' } })), /add\.deletionVector\.pathOrInlineDv/],
    [JSON.stringify(add('x', 1, { baseRowId: 2 ** 60 })), /add\.baseRowId/],
    ['{"add":[]}', /add should be an object/],
    ['{"add":"x"}', /add should be an object/],
    ['{"add":{},"remove":{}}', /two actions on one line: add and remove/],
    ['{"txn":{"appId":"a","version":1,"version":2}}', /the name "version" occurs twice in one object/],
    ['{"add":{"path":"a","path" :"b"}}', /the name "path" occurs twice in one object/],
    ['{"add":{"path":"a","p\\u0061th":"b"}}', /the name "path" occurs twice in one object/],
    ['{"metaData":{"id":"a","format":{"provider":{}},"schemaString":""}}', /metaData.format.provider should be text/],
    ['{"protocol":{"minReaderVersion":"1"}}', /protocol\.minReaderVersion/],
    ['{"metaData":{"id":1}}', /metaData\.id/],
    ['{"txn":{"appId":"a","version":1.5}}', /txn\.version/],
    ['{"txn":{"appId":"a","version":99999999999999999999}}', /txn\.version should be a 64-bit/],
    ['{"domainMetadata":{"domain":"d","configuration":1}}', /domainMetadata\.configuration/],
    ['{"sidecar":{"path":"x"}}', /sidecar\.sizeInBytes/],
  ])('%s is refused, and the error names the field', (raw, expected) => {
    expect(message(raw)).toMatch(expected)
    expect(message(raw)).toMatch(/^BAD_ACTION f:1: /)
  })

  test.each([
    ['{"txn":{"appId":"a","version":9223372036854775807}}', '9223372036854775807'],
    ['{"txn":{"appId":"a","version":-9223372036854775808,"lastUpdated":1}}', '-9223372036854775808'],
    ['{ "txn" : { "version" : 9007199254740993 , "appId" : "\\"version\\":7" } }', '9007199254740993'],
    [
      '{"txn":{"x":{"version":1},"appId":"version","version":9007199254740993,"y":{"version":2}},"z":{"txn":{"version":3}}}',
      '9007199254740993',
    ],
    ['{"txn":{"appId":"a","version":7}}', '7'],
    ['{"txn":{"appId":"a","version":-0}}', '0'],
  ])('txn.version is exact in %s', (raw, version) => {
    expect(parse(raw)).toMatchObject({ kind: 'txn', txn: { version } })
  })

  test('times out of range are null, and no error', () => {
    expect(parse('{"txn":{"appId":"a","version":1,"lastUpdated":1e400}}')).toMatchObject({ txn: { lastUpdated: null } })
    expect(parse('{"remove":{"path":"x","deletionTimestamp":9223372036854775807}}')).toMatchObject({
      remove: { deletionTimestamp: null },
    })
    expect(parse(JSON.stringify({ metaData: { ...METADATA.metaData, createdTime: 1e30 } })).kind).toBe('metaData')
  })
})
