/**
 * Actions without fields that the protocol requires: readers based on delta-kernel refuse such a table, so `fsck` names
 * them.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { add, METADATA, PROTOCOL, remove, temporaryFolder, writeLog, type Line } from '../support/catalog-kit.ts'
import { fsckOf, perform } from './operation-kit.ts'

const metaData = METADATA['metaData'] as Line
const tracked = {
  protocol: { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['rowTracking', 'domainMetadata'] },
}
const trackedMetadata = { metaData: { ...metaData, configuration: { 'delta.enableRowTracking': 'true' } } }

/** `line` without a field, or with another value of it. */
function changed(line: Line, field: string, value?: unknown): Line {
  return Object.fromEntries(Object.entries(line).map(([kind, of]) => [kind, { ...(of as Line), [field]: value }]))
}

/** @returns kind, path and detail of each finding of these kinds */
async function found(lines: readonly (readonly Line[])[], kind: string): Promise<readonly (readonly unknown[])[]> {
  using folder = temporaryFolder()
  const table = join(folder.path, 't')
  writeLog(table, lines)
  const { events } = await perform(fsckOf(table))
  return events.flatMap((event) =>
    event.type === 'fsck.finding' && event.level === 'finding' && event.finding === kind
      ? [[event.path, event.detail]]
      : [],
  )
}

const COMMITS = [0, 1].map((version) => `_delta_log/${String(version).padStart(20, '0')}.json`)

const WITHOUT: readonly (readonly [string, Line])[] = [
  ['add.partitionValues is missing, of a', changed(add('a'), 'partitionValues')],
  ['add.partitionValues is missing, of a', changed(add('a'), 'partitionValues', null)],
  ['add.dataChange is missing, of a', changed(add('a', { stats: '{"dataChange":true}' }), 'dataChange')],
  ['remove.dataChange is missing, of a', changed(remove('a'), 'dataChange', null)],
  ['remove.deletionTimestamp is not a whole number, of a', changed(remove('a'), 'deletionTimestamp', 'x')],
  ...['format', 'schemaString', 'partitionColumns', 'configuration'].map(
    (field) => [`metaData.${field} is missing`, changed(METADATA, field)] as const,
  ),
  ['protocol.minReaderVersion is -1', changed(PROTOCOL, 'minReaderVersion', -1)],
  ['protocol.writerFeatures is missing, which minWriterVersion 7 requires', changed(PROTOCOL, 'minWriterVersion', 7)],
]

test.each(WITHOUT)('%s', async (detail, line) => {
  expect(await found([[PROTOCOL, METADATA, add('b')], [line]], 'action-fields')).toEqual([[COMMITS[1], detail]])
})

test('many lines of a commit are one finding, and complete ones are none', async () => {
  const bare = ['a', 'b', 'c'].map((path) => changed(add(path), 'dataChange'))
  const lines = [
    [PROTOCOL, METADATA, add('d', { tags: { dataChange: 'x', partitionValues: 'y' } })],
    [...bare, remove('d', { deletionTimestamp: null })],
  ]
  expect(await found(lines, 'action-fields')).toEqual([[COMMITS[1], 'add.dataChange is missing, of a and 2 more']])
})

const mapping = (id: number | null, physicalName: string | null): Line => ({
  ...(id !== null && { 'delta.columnMapping.id': id }),
  ...(physicalName !== null && { 'delta.columnMapping.physicalName': physicalName }),
})

function mapped(
  mode: string,
  ...columns: readonly (readonly [id: number | null, physicalName: string | null])[]
): Line {
  const leaf = (name: string, type: unknown, no: number): Line => ({
    name,
    type,
    nullable: true,
    metadata: mapping(...(columns[no] ?? [no + 1, `c${no}`])),
  })
  const inner = { type: 'struct', fields: [leaf('x', 'long', 2)] }
  const list = { type: 'array', elementType: inner, containsNull: true }
  const fields = [leaf('day', 'date', 0), leaf('a', list, 1)]
  const schemaString = JSON.stringify({ type: 'struct', fields })
  return { metaData: { ...metaData, schemaString, configuration: { 'delta.columnMapping.mode': mode } } }
}

test.each([
  ['name', mapped('name', [1, 'p'], [2, 'q'], [3, 'p']), []],
  ['none', mapped('none', [1, 'p'], [1, 'p']), []],
  [
    'name',
    mapped('name', [1, 'p'], [2, 'q'], [1, 'r']),
    ['columns day and a.element.x have the same delta.columnMapping.id'],
  ],
  ['id', mapped('id', [1, 'p'], [2, 'p']), ['columns day and a have the same delta.columnMapping.physicalName']],
  ['name', mapped('name', [1, 'p'], [2, null]), ['column a has no delta.columnMapping.physicalName']],
])('columns that are mapped by %s need their fields', async (_mode, schema, details) => {
  const protocol = { protocol: { minReaderVersion: 2, minWriterVersion: 5 } }
  expect(await found([[protocol, schema]], 'action-fields')).toEqual(details.map((detail) => [COMMITS[0], detail]))
})

test('a schema or protocol that a later commit replaces is no finding', async () => {
  const bare = [changed(PROTOCOL, 'minReaderVersion', -1), changed(METADATA, 'format')]
  expect(await found([bare, [PROTOCOL]], 'action-fields')).toEqual([[COMMITS[0], 'metaData.format is missing']])
  expect(await found([bare, [PROTOCOL, METADATA]], 'action-fields')).toEqual([])
})

test('a file without row ids is a finding in a table with row tracking', async () => {
  const first = add('a', { baseRowId: 0, defaultRowCommitVersion: 0, stats: '{"numRecords":2}' })
  const bare = [add('b'), add('c')]
  expect(await found([[tracked, trackedMetadata, first], bare], 'row-ids')).toEqual([
    [expect.stringMatching(/^[bc]$/), 'it has no baseRowId, and delta.enableRowTracking is true, like 1 more'],
  ])
  expect(await found([[tracked, METADATA, first], bare], 'row-ids')).toEqual([])
  expect(await found([[tracked, trackedMetadata, first]], 'row-ids')).toEqual([])
})

const rowsOf = (path: string, version: number): Line => {
  const baseRowId = path.charCodeAt(0) * 10
  return add(path, { baseRowId, defaultRowCommitVersion: version, stats: '{"numRecords":2}' })
}

test('row commit versions above the commit that adds the file are a finding', async () => {
  const first = [tracked, trackedMetadata, rowsOf('a', 0)]
  expect(await found([first, [rowsOf('b', 1)], [rowsOf('c', 1)]], 'row-ids')).toEqual([])
  expect(await found([first, [rowsOf('b', 2)], [rowsOf('c', 3), rowsOf('d', 4)]], 'row-ids')).toEqual([
    ['b', 'its defaultRowCommitVersion is 2, above commit 1 that adds it'],
    ['c', 'its defaultRowCommitVersion is 3, above commit 2 that adds it, like 1 more'],
  ])
})

test('row commit versions above the checkpoint with the file are a finding', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 't')
  writeLog(table, [[tracked]])
  const lines = [{ checkpointMetadata: { version: 0 } }, tracked, trackedMetadata, rowsOf('a', 0), rowsOf('b', 1)]
  const name = `${'0'.repeat(20)}.checkpoint.3a0d65cd-4056-49b8-937b-95f9e3ee90e5.json`
  writeFileSync(join(table, '_delta_log', name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  rmSync(join(table, COMMITS[0] as string))
  const { events } = await perform(fsckOf(table))
  const details = events.flatMap((event) =>
    event.type === 'fsck.finding' && event.finding === 'row-ids' ? [[event.path, event.detail]] : [],
  )
  expect(details).toEqual([['b', 'its defaultRowCommitVersion is 1, above checkpoint 0 that holds it']])
})

/** Metadata with these columns. */
function metadataOf(...fields: readonly (readonly [name: string, type: unknown])[]): Line {
  const schema = {
    type: 'struct',
    fields: fields.map(([name, type]) => ({ name, type, nullable: true, metadata: {} })),
  }
  return changed(METADATA, 'schemaString', JSON.stringify(schema))
}

const listing = (...readerFeatures: readonly string[]): Line => ({
  protocol: { minReaderVersion: 3, minWriterVersion: 7, readerFeatures, writerFeatures: readerFeatures },
})

test('names that differ only in case, and types without their feature, are findings', async () => {
  const inner = { type: 'struct', fields: [{ name: 'x', type: 'timestamp_ntz', nullable: true, metadata: {} }] }
  const list = { type: 'array', elementType: 'variant', containsNull: true }
  const odd = metadataOf(['a', 'long'], ['A', inner], ['b', list])
  expect(await found([[PROTOCOL, odd]], 'schema-refused')).toEqual([
    [undefined, 'columns a and A differ only in case'],
    [undefined, 'column A.x is timestamp_ntz, and the protocol lacks the reader feature timestampNtz'],
    [undefined, 'column b.element is variant, and the protocol lacks the reader feature variantType'],
  ])
  const usual = metadataOf(
    ['a', 'long'],
    ['b', { ...inner, fields: [...inner.fields, { ...inner.fields[0], name: 'a' }] }],
  )
  expect(await found([[listing('timestampNtz'), usual]], 'schema-refused')).toEqual([])
  const preview = metadataOf(['a', list])
  expect(await found([[listing('variantType-preview'), preview]], 'schema-refused')).toEqual([])
})
