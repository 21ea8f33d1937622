/** Actions of the log as rows of the catalog. Values are in the order of the column lists in relations.ts. */
import type { AddAction, DomainMetadataAction, MetadataAction, ProtocolAction, TxnAction } from '../../delta/actions.ts'
import type { SqlValue } from '../../stores/port.ts'
import type { SOURCE } from '../relations.ts'
import { isRebuilt } from '../rebuild.ts'

export type FileRow = SqlValue[]

/** Places in a file row that are filled when the batch is written. */
export const FILE_NO_AT = 0
export const PARTITION_NO_AT = 9

export type FileFacts = {
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

/** A life of a file; `file_no` and `partition_no` are still null. */
export function fileRow(facts: FileFacts): FileRow {
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
  return [
    null,
    facts.tableId,
    add.path,
    facts.dvId,
    facts.version,
    facts.removedVersion,
    add.size,
    add.modificationTime,
    facts.records,
    null,
    facts.keyHash,
    facts.line,
    add.dataChange ? 1 : 0,
    facts.fromCheckpoint ? 1 : 0,
    facts.partitionValues,
    tags,
    deletionVector,
    baseRowId,
    defaultRowCommitVersion,
    clusteringProvider,
    asRebuilt ? null : Buffer.from(facts.raw),
    stats,
  ]
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
  return [tableId, version, source, line, kind, Buffer.from(raw)]
}

export function metadataRow(
  tableId: string,
  version: number,
  source: Source,
  line: number,
  m: MetadataAction,
): SqlValue[] {
  return [
    tableId,
    version,
    source,
    line,
    m.id,
    m.name ?? null,
    m.description ?? null,
    m.format?.provider ?? null,
    jsonOrNull(m.format?.options),
    m.schemaString,
    JSON.stringify(m.partitionColumns ?? []),
    JSON.stringify(m.configuration ?? {}),
    m.createdTime ?? null,
  ]
}

export function protocolRow(
  tableId: string,
  version: number,
  source: Source,
  line: number,
  p: ProtocolAction,
): SqlValue[] {
  return [
    tableId,
    version,
    source,
    line,
    p.minReaderVersion,
    p.minWriterVersion,
    jsonOrNull(p.readerFeatures),
    jsonOrNull(p.writerFeatures),
  ]
}

export function txnRow(tableId: string, version: number, source: Source, line: number, t: TxnAction): SqlValue[] {
  return [tableId, version, source, line, t.appId, BigInt(t.version), t.lastUpdated ?? null]
}

export function domainRow(
  tableId: string,
  version: number,
  source: Source,
  line: number,
  d: DomainMetadataAction,
): SqlValue[] {
  return [tableId, version, source, line, d.domain, d.configuration, d.removed ? 1 : 0]
}

function jsonOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value)
}
