/** Columns of a classic checkpoint as DuckDB's types (PROTOCOL.md, "Checkpoint Schema"). */
import type { CheckpointKind } from '../../model/lake/checkpoint-writer.ts'
import { identifier, sqlLiteral } from './instance.ts'

type Fields = Readonly<Record<string, string>>

const MAP = 'MAP(VARCHAR, VARCHAR)'
const TEXTS = 'VARCHAR[]'

function struct(fields: Fields): string {
  return `STRUCT(${Object.entries(fields)
    .map(([name, type]) => `${identifier(name)} ${type}`)
    .join(', ')})`
}

const DELETION_VECTOR = struct({
  storageType: 'VARCHAR',
  pathOrInlineDv: 'VARCHAR',
  offset: 'INTEGER',
  sizeInBytes: 'INTEGER',
  cardinality: 'BIGINT',
})

const FIELDS: Readonly<Record<CheckpointKind, Fields>> = {
  txn: { appId: 'VARCHAR', version: 'BIGINT', lastUpdated: 'BIGINT' },
  add: {
    path: 'VARCHAR',
    partitionValues: MAP,
    size: 'BIGINT',
    modificationTime: 'BIGINT',
    dataChange: 'BOOLEAN',
    tags: MAP,
    deletionVector: DELETION_VECTOR,
    baseRowId: 'BIGINT',
    defaultRowCommitVersion: 'BIGINT',
    clusteringProvider: 'VARCHAR',
    stats: 'VARCHAR',
  },
  // Neither stats nor tags: removes of a checkpoint have none.
  remove: {
    path: 'VARCHAR',
    deletionTimestamp: 'BIGINT',
    dataChange: 'BOOLEAN',
    extendedFileMetadata: 'BOOLEAN',
    partitionValues: MAP,
    size: 'BIGINT',
    deletionVector: DELETION_VECTOR,
    baseRowId: 'BIGINT',
    defaultRowCommitVersion: 'BIGINT',
  },
  metaData: {
    id: 'VARCHAR',
    name: 'VARCHAR',
    description: 'VARCHAR',
    format: struct({ provider: 'VARCHAR', options: MAP }),
    schemaString: 'VARCHAR',
    partitionColumns: TEXTS,
    configuration: MAP,
    createdTime: 'BIGINT',
  },
  protocol: {
    minReaderVersion: 'INTEGER',
    minWriterVersion: 'INTEGER',
    readerFeatures: TEXTS,
    writerFeatures: TEXTS,
  },
  domainMetadata: { domain: 'VARCHAR', configuration: 'VARCHAR', removed: 'BOOLEAN' },
}

/** Argument `columns` of `read_json`. */
export const CHECKPOINT_COLUMNS = `{${Object.entries(FIELDS)
  .map(([kind, fields]) => `${sqlLiteral(kind)}: ${sqlLiteral(struct(fields))}`)
  .join(', ')}}`

/** A field that every row of a kind has, to count its rows in a file. */
export const CHECKPOINT_KEYS: Readonly<Record<CheckpointKind, string>> = {
  txn: 'appId',
  add: 'path',
  remove: 'path',
  metaData: 'id',
  protocol: 'minReaderVersion',
  domainMetadata: 'domain',
}
