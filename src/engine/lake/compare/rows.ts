/** Rows of an answer in the common form: the fields that files and SQL both have. Built outside of all timed parts. */
import type { DeletionVectorDescriptor, MetadataAction, ProtocolAction } from '../../../delta/actions.ts'
import { isNestedDeeper } from '../../../model/lake/json-nesting.ts'
import type { AnswerRow } from './answer.ts'

export type AddPartitionValues = Readonly<Record<string, string | null>>

/**
 * Partition values as comparable text. An empty value is null (PROTOCOL.md, "Partition Value Serialization"), and the
 * order of keys is ignored.
 */
export function partitionValuesText(values: AddPartitionValues | null | undefined): string {
  const entries = Object.entries(values ?? {}).map(
    ([name, value]) => [name, value === '' ? null : (value ?? null)] as const,
  )
  return JSON.stringify(sortedByName(Object.fromEntries(entries)))
}

/** JSON text of partition values as an object; `{}` for null or an empty text. */
export function parsePartitionValues(text: string | null): AddPartitionValues {
  return objectOf(text) as AddPartitionValues
}

/**
 * JSON text as a value. A text that is not JSON, or nested too deep, is returned unchanged, so that it shows as a
 * difference.
 */
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

export type ComparedFileFacts = {
  /** Canonical path. */
  readonly path: string
  readonly dvId: string | null
  readonly size: number
  readonly modificationTime: number
  readonly partitionValues: AddPartitionValues | null | undefined
  /** A `DeletionVectorDescriptor`; for SQL the catalog's copy of it. */
  readonly deletionVector: unknown
  readonly tags: unknown
  readonly baseRowId: number | null | undefined
  readonly defaultRowCommitVersion: number | null | undefined
  readonly clusteringProvider: string | null | undefined
  readonly stats: string | null | undefined
  /** Row count in the statistics; null if they have none. */
  readonly rows: number | null
}

/**
 * Row with the fields that checkpoints keep for a file (PROTOCOL.md, "Action Reconciliation"), so without
 * `dataChange`. A checkpoint may drop or rewrite statistics. The catalog must not: the answer by SQL needs every value
 * that the files have.
 */
export function comparedFileRow(file: ComparedFileFacts): AnswerRow {
  const { path, dvId, size, modificationTime, stats, rows } = file
  return {
    about: path,
    fields: {
      dvId,
      size,
      modificationTime,
      partitionValues: partitionValuesText(file.partitionValues),
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

/** Missing tags are equal to tags without values. */
function tagsOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value ?? null
  const entries = Object.entries(value).filter(([, one]) => one !== null)
  return entries.length === 0 ? null : sortedByName(Object.fromEntries(entries))
}

/** The schema is compared as a value: checkpoints may format its JSON differently from the commit. */
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

/** @param rows null if some file has no row count */
export function countsRow(files: number, bytes: bigint, rows: bigint | number | null): AnswerRow {
  return {
    about: 'all files together',
    fields: { files: String(files), bytes: String(bytes) },
    loose: { rows: rows === null ? null : String(rows) },
  }
}

/** @param version of the commit that added the file */
export function originRow(version: number): AnswerRow {
  return { about: 'the commit that added the file', fields: { version } }
}

export type ComparedCommitFacts = {
  readonly version: number
  /** Time of the commit, ms since the epoch. */
  readonly time: number
  readonly inCommitTime: boolean
  readonly operation: string | null
  /** `engineInfo` of the commitInfo. */
  readonly engine: string | null
  readonly adds: number
  readonly removes: number
  readonly addedBytes: bigint | number
  /** The parsed object, not the line. */
  readonly commitInfo: unknown
}

export function commitRow({
  version,
  time,
  inCommitTime,
  addedBytes,
  commitInfo,
  ...facts
}: ComparedCommitFacts): AnswerRow {
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
  /** Canonical path; null for actions that are not about a file. */
  readonly path: string | null
  readonly dvId: string | null
  readonly size: number | null
  /** The line of the log, unchanged. */
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
