/** Facts of a table as texts, field by field: equal values have equal texts. */
import {
  VECTOR_FIELDS,
  type AddAction,
  type MetadataAction,
  type ProtocolAction,
  type RemoveAction,
} from '../../../delta/actions.ts'
import { dvId } from '../../../delta/paths.ts'
import { isWellFormed } from '../../../shared/well-formed.ts'

/** One fact: key and field values; null for an absent value. */
export type Fact = { readonly key: string; readonly values: readonly (string | null)[] }

/** Values of a file; its key is the canonical path and the deletion vector, `path` is as in the log. */
export const FILE_FIELDS = [
  'path',
  'deletion vector',
  'size',
  'modification time',
  'partition values',
  'statistics',
  'tags',
  'base row id',
  'default row commit version',
  'clustering provider',
  'data change',
  'added version',
] as const

/** Fields of an `add`, with objects as comparable texts. */
export type FileTexts = Readonly<Record<'partitionValues' | 'tags' | 'deletionVector', string | null>> &
  Omit<AddAction, 'partitionValues' | 'tags' | 'deletionVector'>

/**
 * @param path canonical
 * @param dv id of the deletion vector
 * @param addedVersion null if only a checkpoint has the file; then `dataChange` is unknown too
 */
export function fileFact(words: FileTexts, path: string, dv: string | null, addedVersion: number | null): Fact {
  return {
    key: keyOf(path, dv),
    values: [
      replaceSurrogates(words.path),
      words.deletionVector,
      text(words.size),
      text(words.modificationTime),
      words.partitionValues,
      words.stats === null || words.stats === undefined ? null : escapeSurrogates(words.stats),
      words.tags,
      text(words.baseRowId),
      text(words.defaultRowCommitVersion),
      optionalText(words.clusteringProvider),
      addedVersion === null ? null : text(words.dataChange),
      text(addedVersion),
    ],
  }
}

export const REMOVE_FIELDS = ['deletion time', 'size', 'partition values', 'deletion vector'] as const

/** @param path canonical: a remove may spell it differently from the add */
export function removeFact(remove: RemoveAction, path: string): Fact {
  const { deletionTimestamp, size, partitionValues, deletionVector } = remove
  return {
    key: keyOf(path, dvId(deletionVector)),
    values: [text(deletionTimestamp), text(size), mapText(partitionValues), vectorText(deletionVector)],
  }
}

export const PROTOCOL_FIELDS = [
  'min reader version',
  'min writer version',
  'reader features',
  'writer features',
] as const

export function protocolFact(protocol: ProtocolAction): Fact {
  const { minReaderVersion, minWriterVersion, readerFeatures, writerFeatures } = protocol
  return {
    key: '',
    values: [text(minReaderVersion), text(minWriterVersion), listText(readerFeatures), listText(writerFeatures)],
  }
}

export const METADATA_FIELDS = [
  'id',
  'name',
  'description',
  'format',
  'schema',
  'partition columns',
  'configuration',
  'created time',
] as const

export function metadataFact(metadata: MetadataAction): Fact {
  const { id, name, description, format, schemaString, partitionColumns, configuration, createdTime } = metadata
  return {
    key: '',
    values: [
      id,
      optionalText(name),
      optionalText(description),
      format === null || format === undefined ? null : JSON.stringify([format.provider, mapText(format.options)]),
      replaceSurrogates(schemaString),
      listText(partitionColumns),
      mapText(configuration),
      text(createdTime),
    ],
  }
}

export const TXN_FIELDS = ['version', 'last updated'] as const
export const DOMAIN_FIELDS = ['configuration'] as const

export function textFact(key: string, values: readonly (string | number | null | undefined)[]): Fact {
  return {
    key: replaceSurrogates(key),
    values: values.map((value) => (typeof value === 'string' ? replaceSurrogates(value) : text(value))),
  }
}

function keyOf(path: string, dv: string | null): string {
  return dv === null ? replaceSurrogates(path) : `${replaceSurrogates(path)} ${dv}`
}

function text(value: number | boolean | null | undefined): string | null {
  return value === null || value === undefined ? null : String(value)
}

function optionalText(value: string | null | undefined): string | null {
  return value === null || value === undefined ? null : replaceSurrogates(value)
}

/** Replaces each unpaired surrogate with U+FFFD, because databases and Parquet cannot store it. */
export function replaceSurrogates(value: string): string {
  return isWellFormed(value) ? value : value.replace(/\p{Surrogate}/gu, '\ufffd')
}

/** Escapes unpaired surrogates in JSON: a raw one means the same as an escaped one, so both get equal texts. */
function escapeSurrogates(json: string): string {
  return isWellFormed(json) ? json : json.replace(/\p{Surrogate}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`)
}

/** Text of a map sorted by key. Null and empty maps are equal; a key with a null value is kept. */
export function mapText(value: Readonly<Record<string, string | null>> | null | undefined): string | null {
  if (value === null || value === undefined) return null
  const names = Object.keys(value)
  if (names.length === 0) return null
  if (names.length > 1) names.sort()
  return JSON.stringify(names.map((name) => [name, value[name]]))
}

function listText(value: readonly string[] | null | undefined): string | null {
  return value === null || value === undefined || value.length === 0 ? null : JSON.stringify(value)
}

/** Text of the vector's fields that a checkpoint can store; null equals absent. */
export function vectorText(value: object | null | undefined): string | null {
  if (value === null || value === undefined) return null
  const said = new Map<string, unknown>(Object.entries(value))
  return JSON.stringify(VECTOR_FIELDS.map((field) => said.get(field) ?? null))
}
