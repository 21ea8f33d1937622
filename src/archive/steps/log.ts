/** Interface of the archive's Delta log for the archive steps. */
import type { InspectedFile } from '../../model/archive/archived-file.ts'
import type { StoredTable } from '../../model/archive/stored-column.ts'
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import type { CommitClaim } from '../log/ownership-token.ts'
import type { LedgerName } from '../log/ledger-name.ts'
import type { ArchiveProperties } from '../log/properties.ts'

/** A file in the log: of the newest version of the archive, or removed from it (`RemovedFiles`). */
export type LoggedFile = {
  /** Path relative to the root, as on disk. */
  readonly path: string
  readonly size: bigint
  readonly rows: bigint | null
  readonly tags: Readonly<Record<string, string>>
  /** Version of the commit that added it; null if only a checkpoint has it. */
  readonly addedVersion: number | null
}

export type ArchiveLogState = {
  readonly tableId: string
  readonly version: number
  /** Ownership token; null before the first commit of a program that writes tokens. */
  readonly head: bigint | null
  /** Active files by the value of the partition column. */
  readonly files: ReadonlyMap<string, readonly LoggedFile[]>
  /** Versions of transactions by application id. For a partition, this is the fencing token of its last commit. */
  readonly txns: ReadonlyMap<string, bigint>
  readonly protocol: ProtocolAction
  readonly metadata: MetadataAction
}

/** Files of a partition that were removed from the archive. */
export type RemovedFiles = {
  readonly step: 'restore' | 'expire'
  /** Time of the removal, ms since the epoch; 0 if no file was removed then. */
  readonly at: number
  readonly version: number
  /** The removed files; empty if the history no longer has them. */
  readonly files: readonly LoggedFile[]
}

export type CommitOptions = {
  readonly tableId: string
  readonly info: Readonly<Record<string, string>>
  /**
   * Edits the ledger's properties before they are written to the log, if the ledger itself is changed only afterwards.
   */
  readonly change?: (properties: ArchiveProperties) => ArchiveProperties
}

export type Publication = {
  readonly tableId: string
  readonly stored: StoredTable
  readonly name: string
  readonly configuration: Readonly<Record<string, string>>
  /** Value of the partition column. */
  readonly partition: string
  /** `name` is relative to the root. */
  readonly files: readonly InspectedFile[]
  /** Tags of each file, with its proof; the log keeps them permanently. */
  readonly tags: (file: InspectedFile) => Readonly<Record<string, string>>
  readonly info: Readonly<Record<string, string>>
  readonly txn: { readonly appId: string; readonly version: bigint }
  /** Paths that may be removed from the table; null if an older program kept no list: then all paths are allowed. */
  readonly known: ReadonlySet<string> | null
  /** The caller's claim; the token of the commit is stored only while the claim is valid. */
  readonly claim: CommitClaim | null
  /** True if the table already has all columns of the files. */
  readonly keepsShape?: true
}

/** @property ledger name of the adopting ledger in the log */
export type Adoption = Pick<Publication, 'tableId' | 'info'> & { readonly ledger: LedgerName }

export interface ArchiveLog {
  /** Returns the newest state of the log; null if there is no log yet. */
  state(signal: AbortSignal): Promise<ArchiveLogState | null>
  /** As `state`, for a writer. @throws SluiceError ARCHIVE_FOREIGN if another database has continued the log */
  own(signal: AbortSignal, expected?: { readonly tableId?: string }): Promise<ArchiveLogState | null>
  publish(
    publication: Publication,
    signal: AbortSignal,
  ): Promise<{ readonly version: number; readonly outcome: 'published' | 'already' }>
  /** Removes the files of a partition from the table. */
  retract(
    what: Pick<Publication, 'partition' | 'txn' | 'info' | 'tableId' | 'known' | 'claim'> & { readonly at?: number },
    signal: AbortSignal,
  ): Promise<{ readonly version: number }>
  /** Replaces files of a partition, except those in `kept`. */
  replace(
    what: Pick<Publication, 'partition' | 'txn' | 'info' | 'tableId' | 'known' | 'claim' | 'tags' | 'files'> & {
      readonly kept: ReadonlySet<string>
    },
    signal: AbortSignal,
  ): Promise<{ readonly version: number }>
  /** Writes a commit with a checkpoint, so that readers need no older version. */
  commitWithCheckpoint(
    what: Pick<Publication, 'tableId' | 'info'>,
    signal: AbortSignal,
  ): Promise<{ readonly version: number }>
  /** Partitions whose files the log no longer names, with these files, by label. */
  removedPartitions(signal: AbortSignal): Promise<ReadonlyMap<string, RemovedFiles>>
  /** Version of the newest commit that ended an erasure; null if there is none. */
  lastErasure(signal: AbortSignal): Promise<number | null>
  /** Updates the table's properties from the ledger. */
  updateProperties(what: CommitOptions, signal: AbortSignal): Promise<{ readonly reported: boolean }>
  /** Gives the log another ownership token, so that every other ledger is refused from then on. */
  adopt(
    what: Adoption,
    judge: (state: ArchiveLogState) => Promise<ArchiveProperties | null>,
    begin: (head: bigint, version: number, sha256: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ readonly version: number }>
}
