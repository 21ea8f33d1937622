/** Converts actions of the log to rows of the catalog. */
import type { AddAction, DomainMetadataAction, MetadataAction, ProtocolAction, TxnAction } from '../../delta/actions.ts'
import type { SqlValue } from '../../model/run/sql-port.ts'
import {
  ACTION_COLUMNS,
  DOMAIN_COLUMNS,
  FILE_COLUMNS,
  METADATA_COLUMNS,
  columnPlaces,
  PROTOCOL_COLUMNS,
  rowOf,
  TXN_COLUMNS,
  type SOURCE,
} from '../relations.ts'
import { isRebuilt } from '../rebuild.ts'

export type FileRow = SqlValue[]

// Rows are filled by position, because an object for each file and remove would cost more.
export const FILE = columnPlaces(FILE_COLUMNS)
const ACTION = columnPlaces(ACTION_COLUMNS)
const NO_FILE: readonly SqlValue[] = FILE_COLUMNS.map(() => null)
const NO_ACTION: readonly SqlValue[] = ACTION_COLUMNS.map(() => null)

export type ImportedFileFacts = {
  readonly tableId: string
  readonly add: AddAction
  readonly raw: string
  readonly line: number
  readonly version: number
  readonly removedVersion: number | null
  readonly dvId: string | null
  readonly keyHash: number
  readonly records: number | null
  readonly partitionValues: string
  readonly fromCheckpoint: boolean
}

/** Totals of the lines of one version. */
type Tally = {
  adds: number
  removes: number
  addedBytes: number
  removedBytes: number
  lines: number
  info: { readonly line: number; readonly raw: string; readonly value: Readonly<Record<string, unknown>> } | null
  firstFile: number | null
  /** Number of the first file, if an earlier part of this version is already written. */
  firstFileNo: number | null
}

export const emptyTally = (): Tally => ({
  adds: 0,
  removes: 0,
  addedBytes: 0,
  removedBytes: 0,
  lines: 0,
  info: null,
  firstFile: null,
  firstFileNo: null,
})

/** A file row; `file_no` and `partition_no` are still null. */
export function importedFileRow(facts: ImportedFileFacts): FileRow {
  const { add } = facts
  const tags = jsonOrNull(add.tags)
  const deletionVector = jsonOrNull(add.deletionVector)
  const stats = add.stats ?? null
  const baseRowId = add.baseRowId ?? null
  const defaultRowCommitVersion = add.defaultRowCommitVersion ?? null
  const clusteringProvider = add.clusteringProvider ?? null
  const asRebuilt =
    facts.fromCheckpoint ||
    isRebuilt(facts.raw, {
      path: add.path,
      partitionValues: facts.partitionValues,
      tags,
      deletionVector,
      stats,
      size: add.size,
      modificationTime: add.modificationTime,
      dataChange: add.dataChange,
      baseRowId,
      defaultRowCommitVersion,
      clusteringProvider,
    })
  const row = NO_FILE.slice()
  row[FILE.table_id] = facts.tableId
  row[FILE.path] = add.path
  row[FILE.dv_id] = facts.dvId
  row[FILE.added_version] = facts.version
  row[FILE.removed_version] = facts.removedVersion
  row[FILE.size] = add.size
  row[FILE.modification_time] = add.modificationTime
  row[FILE.num_records] = facts.records
  row[FILE.key_hash] = facts.keyHash
  row[FILE.line] = facts.line
  row[FILE.data_change] = add.dataChange ? 1 : 0
  row[FILE.from_checkpoint] = facts.fromCheckpoint ? 1 : 0
  row[FILE.partition_values] = facts.partitionValues
  row[FILE.tags] = tags
  row[FILE.deletion_vector] = deletionVector
  row[FILE.base_row_id] = baseRowId
  row[FILE.default_row_commit_version] = defaultRowCommitVersion
  row[FILE.clustering_provider] = clusteringProvider
  row[FILE.add_raw] = asRebuilt ? null : Buffer.from(facts.raw)
  row[FILE.stats] = stats
  return row
}

type Source = (typeof SOURCE)[keyof typeof SOURCE]

export function actionRow(
  tableId: string,
  version: number,
  source: Source,
  line: number,
  kind: string,
  raw: string,
): SqlValue[] {
  const row = NO_ACTION.slice()
  row[ACTION.table_id] = tableId
  row[ACTION.version] = version
  row[ACTION.source] = source
  row[ACTION.line] = line
  row[ACTION.kind] = kind
  row[ACTION.raw] = Buffer.from(raw)
  return row
}

/** Version, source and line from which an action was read. */
export type ActionPlace = {
  readonly tableId: string
  readonly version: number
  readonly source: Source
  readonly line: number
}

const atRow = ({ tableId, version, source, line }: ActionPlace) => ({ table_id: tableId, version, source, line })

export function metadataRow(at: ActionPlace, m: MetadataAction): SqlValue[] {
  return rowOf<typeof METADATA_COLUMNS, SqlValue>(METADATA_COLUMNS, {
    ...atRow(at),
    metadata_id: m.id,
    name: m.name ?? null,
    description: m.description ?? null,
    format_provider: m.format?.provider ?? null,
    format_options: jsonOrNull(m.format?.options),
    schema_string: m.schemaString,
    partition_columns: JSON.stringify(m.partitionColumns ?? []),
    configuration: JSON.stringify(m.configuration ?? {}),
    created_time: m.createdTime ?? null,
  })
}

export function protocolRow(at: ActionPlace, p: ProtocolAction): SqlValue[] {
  return rowOf<typeof PROTOCOL_COLUMNS, SqlValue>(PROTOCOL_COLUMNS, {
    ...atRow(at),
    min_reader_version: p.minReaderVersion,
    min_writer_version: p.minWriterVersion,
    reader_features: jsonOrNull(p.readerFeatures),
    writer_features: jsonOrNull(p.writerFeatures),
  })
}

export function txnRow(at: ActionPlace, t: TxnAction): SqlValue[] {
  return rowOf<typeof TXN_COLUMNS, SqlValue>(TXN_COLUMNS, {
    ...atRow(at),
    app_id: t.appId,
    txn_version: BigInt(t.version),
    last_updated: t.lastUpdated ?? null,
  })
}

export function domainRow(at: ActionPlace, d: DomainMetadataAction): SqlValue[] {
  return rowOf<typeof DOMAIN_COLUMNS, SqlValue>(DOMAIN_COLUMNS, {
    ...atRow(at),
    domain: d.domain,
    configuration: d.configuration,
    removed: d.removed ? 1 : 0,
  })
}

function jsonOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value)
}
