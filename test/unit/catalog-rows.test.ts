/** Rows of the catalog by column name: a complete action fills every column. */
import { expect, test } from 'vitest'
import {
  actionRow,
  domainRow,
  importedFileRow,
  metadataRow,
  protocolRow,
  txnRow,
} from '../../src/catalog/import/rows.ts'
import {
  ACTION_COLUMNS,
  DOMAIN_COLUMNS,
  FILE_COLUMNS,
  METADATA_COLUMNS,
  PROTOCOL_COLUMNS,
  SOURCE,
  TXN_COLUMNS,
} from '../../src/catalog/relations.ts'
import type { SqlValue } from '../../src/model/run/sql-port.ts'

const named = (columns: readonly string[], row: readonly SqlValue[]): Readonly<Record<string, unknown>> => {
  expect(row).toHaveLength(columns.length)
  return Object.fromEntries(
    columns.map((name, i) => [name, row[i] instanceof Uint8Array ? Buffer.from(row[i]).toString() : row[i]]),
  )
}
const AT = { tableId: 't', version: 3, source: SOURCE.commit, line: 4 }
const PLACE = { table_id: 't', version: 3, source: 0, line: 4 }

test('a file', () => {
  const add = {
    path: 'p',
    partitionValues: { a: '1' },
    size: 5,
    modificationTime: 6,
    dataChange: true,
    stats: 's',
    tags: { x: 'y' },
    deletionVector: { storageType: 'u' as const, pathOrInlineDv: 'd', offset: 1, sizeInBytes: 2, cardinality: 3 },
    baseRowId: 7,
    defaultRowCommitVersion: 8,
    clusteringProvider: 'c',
  }
  const facts = { tableId: 't', add, raw: 'other', line: 4, version: 3, removedVersion: 9, dvId: 'ud@1', keyHash: 10 }
  const row = importedFileRow({ ...facts, records: 11, partitionValues: '{"a":"1"}', fromCheckpoint: false })
  expect(named(FILE_COLUMNS, row)).toEqual({
    // Both are set when the batch is written.
    file_no: null,
    partition_no: null,
    table_id: 't',
    path: 'p',
    dv_id: 'ud@1',
    added_version: 3,
    removed_version: 9,
    size: 5,
    modification_time: 6,
    num_records: 11,
    key_hash: 10,
    line: 4,
    data_change: 1,
    from_checkpoint: 0,
    partition_values: '{"a":"1"}',
    tags: '{"x":"y"}',
    deletion_vector: JSON.stringify(add.deletionVector),
    base_row_id: 7,
    default_row_commit_version: 8,
    clustering_provider: 'c',
    add_raw: 'other',
    stats: 's',
  })
})

test('all other rows', () => {
  const action = actionRow('t', 3, SOURCE.commit, 4, 'remove', 'raw')
  expect(named(ACTION_COLUMNS, action)).toEqual({ ...PLACE, kind: 'remove', raw: 'raw' })
  const metadata = metadataRow(AT, {
    id: 'm',
    name: 'n',
    description: 'd',
    format: { provider: 'parquet', options: { o: '1' } },
    schemaString: 's',
    partitionColumns: ['a'],
    configuration: { c: 'd' },
    createdTime: 5,
  })
  expect(named(METADATA_COLUMNS, metadata)).toEqual({
    ...PLACE,
    metadata_id: 'm',
    name: 'n',
    description: 'd',
    format_provider: 'parquet',
    format_options: '{"o":"1"}',
    schema_string: 's',
    partition_columns: '["a"]',
    configuration: '{"c":"d"}',
    created_time: 5,
  })
  const protocol = protocolRow(AT, {
    minReaderVersion: 1,
    minWriterVersion: 2,
    readerFeatures: ['r'],
    writerFeatures: ['w'],
  })
  expect(named(PROTOCOL_COLUMNS, protocol)).toEqual({
    ...PLACE,
    min_reader_version: 1,
    min_writer_version: 2,
    reader_features: '["r"]',
    writer_features: '["w"]',
  })
  const txn = txnRow(AT, { appId: 'a', version: '5', lastUpdated: 6 })
  expect(named(TXN_COLUMNS, txn)).toEqual({ ...PLACE, app_id: 'a', txn_version: 5n, last_updated: 6 })
  const domain = domainRow(AT, { domain: 'd', configuration: 'c', removed: true })
  expect(named(DOMAIN_COLUMNS, domain)).toEqual({ ...PLACE, domain: 'd', configuration: 'c', removed: 1 })
})
