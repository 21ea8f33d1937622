/**
 * The actions of a Delta log (PROTOCOL.md, "Actions"). A line keeps its raw text in addition to the parsed object,
 * because stats and unknown fields must survive byte for byte. Unknown fields are never an error.
 */

/**
 * Fields in PROTOCOL.md, which are also the checkpoint columns. Commits may have more, such as `maxRowIndex` of Spark.
 */
export type DeletionVectorDescriptor = {
  readonly storageType: string
  readonly pathOrInlineDv: string
  readonly offset?: number | null
  readonly sizeInBytes: number
  readonly cardinality: number
}

export const VECTOR_FIELDS = [
  'storageType',
  'pathOrInlineDv',
  'offset',
  'sizeInBytes',
  'cardinality',
] as const satisfies readonly (keyof DeletionVectorDescriptor)[]

/** Fields of a file, in an add and in a remove. */
export type FileActionFields = {
  readonly path: string
  readonly partitionValues?: Readonly<Record<string, string | null>> | null
  /** JSON text as the writer wrote it; never parsed and written again. */
  readonly stats?: string | null
  readonly tags?: Readonly<Record<string, string | null>> | null
  readonly deletionVector?: DeletionVectorDescriptor | null
  readonly baseRowId?: number | null
  readonly defaultRowCommitVersion?: number | null
}

export type AddAction = FileActionFields & {
  readonly size: number
  readonly modificationTime: number
  readonly dataChange: boolean
  readonly clusteringProvider?: string | null
  /**
   * JSON texts of structs that only checkpoints have; set only if the caller reads `structs` (`FileFields`). Null
   * fields are left out.
   */
  readonly stats_parsed?: unknown
  readonly partitionValues_parsed?: unknown
}

export type RemoveAction = FileActionFields & {
  readonly deletionTimestamp?: number | null
  readonly dataChange?: boolean | null
  readonly extendedFileMetadata?: boolean | null
  readonly size?: number | null
}

export type MetadataAction = {
  readonly id: string
  readonly name?: string | null
  readonly description?: string | null
  readonly format?: {
    readonly provider?: string | null
    readonly options?: Readonly<Record<string, string | null>> | null
  } | null
  readonly schemaString: string
  readonly partitionColumns?: readonly string[] | null
  readonly createdTime?: number | null
  readonly configuration?: Readonly<Record<string, string | null>> | null
}

export type ProtocolAction = {
  readonly minReaderVersion: number
  readonly minWriterVersion: number
  readonly readerFeatures?: readonly string[] | null
  readonly writerFeatures?: readonly string[] | null
}

/** `version` as decimal text: applications use any int64. */
export type TxnAction = { readonly appId: string; readonly version: string; readonly lastUpdated?: number | null }

export type DomainMetadataAction = {
  readonly domain: string
  readonly configuration: string
  readonly removed: boolean
}

export type CdcAction = {
  readonly path: string
  readonly partitionValues?: Readonly<Record<string, string | null>> | null
  readonly size: number
}

export type SidecarAction = {
  readonly path: string
  readonly sizeInBytes: number
  readonly modificationTime?: number | null
}
export type CheckpointMetadataAction = { readonly version: number }
export type CommitInfoAction = Readonly<Record<string, unknown>>

/** One action with its kind. `unknown`: an action that this reader does not know. */
export type LogAction =
  | { readonly kind: 'add'; readonly add: AddAction }
  | { readonly kind: 'remove'; readonly remove: RemoveAction }
  | { readonly kind: 'metaData'; readonly metaData: MetadataAction }
  | { readonly kind: 'protocol'; readonly protocol: ProtocolAction }
  | { readonly kind: 'txn'; readonly txn: TxnAction }
  | { readonly kind: 'domainMetadata'; readonly domainMetadata: DomainMetadataAction }
  | { readonly kind: 'cdc'; readonly cdc: CdcAction }
  | { readonly kind: 'commitInfo'; readonly commitInfo: CommitInfoAction }
  | { readonly kind: 'sidecar'; readonly sidecar: SidecarAction }
  | { readonly kind: 'checkpointMetadata'; readonly checkpointMetadata: CheckpointMetadataAction }
  | { readonly kind: 'unknown'; readonly name: string }

export type ActionKind = LogAction['kind']

/** One line of a commit or one row of a checkpoint. */
export type ActionLine = {
  /** 1 for the first line of the file (blank lines counted), or 1 for the first row of the checkpoint. */
  readonly line: number
  /** The text between the line breaks, unchanged; for a Parquet checkpoint the row rendered as JSON. */
  readonly raw: string
  readonly action: LogAction
}
