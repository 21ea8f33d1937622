/** Results of lake and catalog for the screens: plain data that can be sent to another thread. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { CommitEvent, FileEvent, RunEvent } from '../run/event.ts'

export type CatalogState =
  | { readonly state: 'none' }
  | { readonly state: 'current' }
  | { readonly state: 'behind'; readonly commits: number }
  /** The log ends before the version in the catalog: its last commits are missing. */
  | { readonly state: 'truncated'; readonly ends: number; readonly version: number }
  | { readonly state: 'unfinished'; readonly percent: number; readonly version: number | null }
  | { readonly state: 'running'; readonly holder: string }
  | { readonly state: 'failed'; readonly error: ErrorInfo }
  /** The catalog cannot be reached: the row shows data of the log. */
  | { readonly state: 'away'; readonly error: ErrorInfo }

/** True if the catalog is known to hold data of a table. */
export function isInCatalog({ catalog }: Pick<TableRow, 'catalog'>): boolean {
  return catalog.state !== 'none' && catalog.state !== 'away'
}

export type ProofState =
  | { readonly state: 'never' }
  | { readonly state: 'proved'; readonly version: number }
  | { readonly state: 'differs'; readonly version: number; readonly differences: number }

/** One row of the tables list. Unknown counts are null. */
export type TableRow = {
  /** Stable key for selection: the location. */
  readonly key: string
  /** Path below the lake, '/' between parts. */
  readonly name: string
  readonly location: string
  readonly tableId: string | null
  readonly kind: 'delta' | 'database'
  /** Of a database: name of its system declaration. */
  readonly system?: string
  readonly version: number | null
  readonly files: number | null
  readonly bytes: number | null
  readonly rows: number | null
  /** Time of the last commit or change, ms since the epoch. */
  readonly changed: number | null
  readonly partitionColumns: readonly string[]
  readonly features: readonly string[]
  readonly historyFrom: number | null
  readonly catalog: CatalogState
  readonly proof: ProofState
  /** Why the table cannot be read (LOG_GAP, TABLE_FEATURE …), or null. */
  readonly error: ErrorInfo | null
}

/** Values of a row of which only the location is known. */
export const UNKNOWN_TABLE: Omit<TableRow, 'key' | 'name' | 'location' | 'kind'> = {
  tableId: null,
  version: null,
  files: null,
  bytes: null,
  rows: null,
  changed: null,
  partitionColumns: [],
  features: [],
  historyFrom: null,
  catalog: { state: 'none' },
  proof: { state: 'never' },
  error: null,
}

/** A folder or bucket with tables, by path, or a database, by its URL as given. */
export type PlacedLake = { readonly kind: 'lake' | 'database'; readonly url: string }

/** A command recorded in the catalog; `parts`: the tables that a command for a folder imported. */
export type RecordedCommand = RunEvent & { readonly parts?: readonly RunEvent[] }

export type Overview = {
  readonly table: TableRow
  readonly metadataId: string | null
  readonly description: string | null
  readonly protocol: string
  readonly configuration: readonly (readonly [string, string])[]
  readonly createdAt: number | null
  readonly commits: number | null
  readonly checkpoints: readonly number[]
  readonly txns: readonly { readonly appId: string; readonly version: string }[]
  readonly domains: readonly { readonly domain: string; readonly configuration: string }[]
  readonly lastRuns: readonly RunEvent[]
  /** Latest `fsck` of the table, if it is in the catalog. */
  readonly fsck: { readonly version: number; readonly checkedAt: number; readonly findings: number } | null
  /** Files by size class, and commits per day of the last 8 weeks (oldest first); null if the catalog lacks them. */
  readonly fileSizes: readonly { readonly label: string; readonly files: number }[] | null
  readonly commitsPerDay: readonly number[] | null
}

export type SchemaField = {
  readonly path: string
  readonly depth: number
  readonly type: string
  readonly nullable: boolean
  readonly partition: boolean
  readonly notes: readonly string[]
}

export type Feature = {
  readonly name: string
  readonly side: 'reader+writer' | 'writer' | 'legacy'
  readonly readable: boolean
  readonly note: string
}

export type PartitionRow = {
  readonly values: Readonly<Record<string, string | null>>
  readonly files: number
  readonly bytes: number
  readonly rows: number | null
}

export type Page<T> = { readonly rows: readonly T[]; readonly total: number; readonly from: number }

/** Files that remain after each step of pruning. */
export type Funnel = {
  readonly all: { readonly files: number; readonly bytes: number }
  readonly partition: { readonly files: number; readonly bytes: number; readonly columns: readonly string[] }
  readonly stats: { readonly files: number; readonly bytes: number; readonly columns: readonly string[] }
  /** Files kept only because they have no stats for a column of the condition. */
  readonly keptWithoutStats: number
  readonly ms: number
}

export type FilesPage = Page<FileEvent & { readonly range?: { readonly min?: string; readonly max?: string } }> & {
  readonly version: number
  readonly commitTime: number | null
  readonly funnel: Funnel
}

export type CommitDetail = {
  readonly commit: CommitEvent
  readonly predicate: string | null
  readonly user: string | null
  readonly metrics: readonly (readonly [string, string])[]
  readonly added: readonly { readonly path: string; readonly size: number; readonly rows: number | null }[]
  readonly removed: readonly { readonly path: string; readonly size: number | null; readonly rows: number | null }[]
  readonly addedTotal: number
  readonly removedTotal: number
}

export type FileSort = 'path' | 'size' | 'rows' | 'added'
