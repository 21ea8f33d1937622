/** Rows of an answer in the one form that both sides share: as many fields as both have. Made outside of all timed parts. */
import type { DeletionVectorDescriptor, MetadataAction, ProtocolAction } from '../../../delta/actions.ts'
import { isNestedDeeper } from '../../../model/lake/json-nesting.ts'
import type { AnswerRow } from './answer.ts'

export type PartitionValues = Readonly<Record<string, string | null>>

/** An empty value is null (PROTOCOL.md, "Partition Value Serialization"), and the order of keys says nothing. */
export function partitionText(values: PartitionValues | null | undefined): string {
  const entries = Object.entries(values ?? {}).map(
    ([name, value]) => [name, value === '' ? null : (value ?? null)] as const,
  )
  return JSON.stringify(sortedByName(Object.fromEntries(entries)))
}

/** JSON text of partition values as an object; `{}` for what is none. */
export function parsePartitionValues(text: string | null): PartitionValues {
  return objectOf(text) as PartitionValues
}

/** JSON text as a value; a text that is none, or nested too deep, stands for itself, so that it differs and breaks nothing. */
export function parsed(text: string | null): unknown {
  if (text === null || text === '') return null
  try {
    const value: unknown = JSON.parse(text)
    return isNestedDeeper(value) ? text : value
  } catch {
    return text
  }
}

function objectOf(text: string | null): object {
  const value = parsed(text)
  return typeof value === 'object' && value !== null ? value : value === null ? {} : { '': value }
}

export type FileFacts = {
  /** Canonical. */
  readonly path: string
  readonly dvId: string | null
  readonly size: number
  readonly modificationTime: number
  readonly partitionValues: PartitionValues | null | undefined
  /** A `DeletionVectorDescriptor`; on the side of SQL what the catalog has in its place. */
  readonly deletionVector: unknown
  readonly tags: unknown
  readonly baseRowId: number | null | undefined
  readonly defaultRowCommitVersion: number | null | undefined
  readonly clusteringProvider: string | null | undefined
  readonly stats: string | null | undefined
  /** By the statistics; null where those do not say. */
  readonly rows: number | null
}

/**
 * What a checkpoint keeps of a file (PROTOCOL.md, "Action Reconciliation") is the same on both sides. `dataChange` is not kept, and statistics may be
 * dropped or written anew: they are compared as far as both sides have them.
 */
export function fileRow(file: FileFacts): AnswerRow {
  const { path, dvId, size, modificationTime, stats, rows } = file
  return {
    about: path,
    fields: {
      dvId,
      size,
      modificationTime,
      partitionValues: partitionText(file.partitionValues),
      deletionVector: vectorOf(file.deletionVector),
      tags: tagsOf(file.tags),
      baseRowId: file.baseRowId ?? null,
      defaultRowCommitVersion: file.defaultRowCommitVersion ?? null,
      clusteringProvider: file.clusteringProvider ?? null,
    },
    loose: { stats: stats ?? null, rows: rows === null ? null : String(rows) },
  }
}

function vectorOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value ?? null
  const { storageType, pathOrInlineDv, offset = null, sizeInBytes, cardinality } = value as DeletionVectorDescriptor
  return { storageType, pathOrInlineDv, offset, sizeInBytes, cardinality }
}

/** No tags and tags without a value say nothing. */
function tagsOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value ?? null
  const entries = Object.entries(value).filter(([, one]) => one !== null)
  return entries.length === 0 ? null : sortedByName(Object.fromEntries(entries))
}

/** The schema is compared as a value: checkpoints may hold it spaced in another way than the commit did. */
export function stateRow(version: number, protocol: ProtocolAction | null, metadata: MetadataAction | null): AnswerRow {
  return {
    about: 'the newest version',
    fields: {
      version,
      protocol: protocol === null ? null : [protocol.minReaderVersion, protocol.minWriterVersion],
      readerFeatures: (protocol?.readerFeatures ?? []).toSorted(),
      writerFeatures: (protocol?.writerFeatures ?? []).toSorted(),
      id: metadata?.id ?? null,
      name: metadata?.name ?? null,
      description: metadata?.description ?? null,
      createdTime: metadata?.createdTime ?? null,
      format: [metadata?.format?.provider ?? null, sortedByName(metadata?.format?.options ?? {})],
      partitionColumns: metadata?.partitionColumns ?? [],
      configuration: sortedByName(metadata?.configuration ?? {}),
      schema: metadata === null ? null : sortedDeep(parsed(metadata.schemaString)),
    },
  }
}

/** @param rows null where some file does not say how many it has */
export function countsRow(files: number, bytes: bigint, rows: bigint | number | null): AnswerRow {
  return {
    about: 'all files together',
    fields: { files: String(files), bytes: String(bytes) },
    loose: { rows: rows === null ? null : String(rows) },
  }
}

/** @param version of the commit that added the file that was asked for */
export function originRow(version: number): AnswerRow {
  return { about: 'the commit that added the file', fields: { version } }
}

export type CommitFacts = {
  readonly version: number
  /** ms since the epoch. */
  readonly time: number
  readonly inCommitTime: boolean
  readonly operation: string | null
  /** `engineInfo` of the commitInfo. */
  readonly engine: string | null
  readonly adds: number
  readonly removes: number
  readonly addedBytes: bigint | number
  /** The object in the line. */
  readonly commitInfo: unknown
}

export function commitRow({ version, time, inCommitTime, addedBytes, commitInfo, ...facts }: CommitFacts): AnswerRow {
  const { operation, engine, adds, removes } = facts
  return {
    about: `commit ${version}`,
    fields: {
      time,
      inCommitTime,
      operation,
      engine,
      adds,
      removes,
      addedBytes: String(addedBytes),
      commitInfo: sortedDeep(commitInfo ?? null),
    },
  }
}

export type ChangeFacts = {
  readonly version: number
  readonly line: number
  readonly kind: string
  /** Canonical; null for what is about no file. */
  readonly path: string | null
  readonly dvId: string | null
  readonly size: number | null
  /** The line of the log, word for word. */
  readonly raw: string
}

export function changeRow({ version, line, ...fields }: ChangeFacts): AnswerRow {
  return { about: `line ${line} of commit ${version}`, fields }
}

function sortedDeep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedDeep)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(sortedByName(value as Record<string, unknown>)).map(([key, one]) => [key, sortedDeep(one)]),
  )
}

function sortedByName<T>(values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}
