/** Rows of an answer in the one spelling that both sides share: JSON text with sorted keys. Made outside of all timed parts. */
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'

export type PartitionValues = Readonly<Record<string, string | null>>

/** An empty value is null (PROTOCOL.md, "Partition Value Serialization"), and the order of keys says nothing. */
export function partitionText(values: PartitionValues | null | undefined): string {
  const entries = Object.entries(values ?? {}).map(
    ([name, value]) => [name, value === '' ? null : (value ?? null)] as const,
  )
  return JSON.stringify(Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))))
}

/** JSON text of partition values as an object; `{}` for what is none. */
export function parsePartitionValues(text: string | null): PartitionValues {
  const value: unknown = text === null || text === '' ? null : JSON.parse(text)
  return typeof value === 'object' && value !== null ? (value as PartitionValues) : {}
}

/** @param partition as `partitionText` gives it */
export function fileText(path: string, dvId: string | null, size: number, partition: string): string {
  return JSON.stringify([path, dvId, size, partition])
}

/** The schema is compared as a value: checkpoints may hold it spaced in another way than the commit did. */
export function stateText(version: number, protocol: ProtocolAction | null, metadata: MetadataAction | null): string {
  return JSON.stringify({
    version,
    protocol: protocol === null ? null : [protocol.minReaderVersion, protocol.minWriterVersion],
    readerFeatures: (protocol?.readerFeatures ?? []).toSorted(),
    writerFeatures: (protocol?.writerFeatures ?? []).toSorted(),
    id: metadata?.id ?? null,
    partitionColumns: metadata?.partitionColumns ?? [],
    configuration: sortedByName(metadata?.configuration ?? {}),
    schema: metadata === null ? null : sortedDeep(JSON.parse(metadata.schemaString)),
  })
}

export function countsText(files: number, bytes: bigint): string {
  return JSON.stringify({ files: String(files), bytes: String(bytes) })
}

export type CommitFacts = {
  readonly version: number
  /** ms since the epoch. */
  readonly time: number
  readonly operation: string | null
  readonly adds: number
  readonly removes: number
}

export function commitText({ version, time, operation, adds, removes }: CommitFacts): string {
  return JSON.stringify({ version, time, operation, adds, removes })
}

export type ChangeFacts = {
  readonly version: number
  readonly line: number
  readonly kind: string
  /** Canonical; null for what is about no file. */
  readonly path: string | null
  readonly dvId: string | null
  readonly size: number | null
}

export function changeText({ version, line, kind, path, dvId, size }: ChangeFacts): string {
  return JSON.stringify([version, line, kind, path, dvId, size])
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
