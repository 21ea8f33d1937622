/** Columns of a checkpoint to read for each kind of action. */
import type { ParquetSelection } from '../model/lake/parquet-rows.ts'
import type { ActionKind } from './actions.ts'

/**
 * Fields of file actions to read from Parquet. `identity`: path, deletion vector and size. `counts`: these fields and
 * `numRecords` of the statistics. `structs`: as `all`, with the structs that repeat stats and partition values in the
 * table's types. Other fields are absent or 0. JSON checkpoints always return all fields.
 */
export type FileFields = 'all' | 'identity' | 'counts' | 'structs'

const words = (text: string): readonly string[] => text.split(' ')

type Wanted = { readonly add: readonly string[]; readonly remove: readonly string[] }

const ALL: Wanted = {
  add: words(
    'path partitionValues size modificationTime dataChange stats tags deletionVector baseRowId defaultRowCommitVersion ' +
      'clusteringProvider',
  ),
  remove: words(
    'path deletionTimestamp dataChange extendedFileMetadata partitionValues size stats tags deletionVector baseRowId ' +
      'defaultRowCommitVersion',
  ),
}

/** Fields in the order of a rendered row. */
const FILE_FIELDS: Readonly<Record<FileFields, Wanted>> = {
  all: ALL,
  structs: { add: [...ALL.add, 'stats_parsed', 'partitionValues_parsed'], remove: ALL.remove },
  identity: { add: words('path size deletionVector'), remove: words('path deletionVector') },
  counts: { add: words('path size stats.numRecords deletionVector'), remove: words('path deletionVector') },
}

const OTHER_FIELDS: readonly (readonly [ActionKind, readonly string[]])[] = [
  ['protocol', words('minReaderVersion minWriterVersion readerFeatures writerFeatures')],
  ['metaData', words('id name description format schemaString partitionColumns configuration createdTime')],
  ['txn', words('appId version lastUpdated')],
  ['domainMetadata', words('domain configuration removed')],
  ['checkpointMetadata', words('version tags')],
  ['sidecar', words('path sizeInBytes modificationTime tags')],
]

/** Columns to read for `kinds`; for all kinds of actions if it is undefined. */
export function selectionOf(kinds: ReadonlySet<ActionKind> | undefined, fields: FileFields): ParquetSelection {
  const files = FILE_FIELDS[fields]
  const all: (readonly [ActionKind, readonly string[]])[] = [
    ...OTHER_FIELDS,
    ['add', files.add],
    ['remove', files.remove],
  ]
  return all
    .filter(([kind]) => kinds === undefined || kinds.has(kind))
    .map(([column, wanted]) => ({ column, fields: wanted }))
}
