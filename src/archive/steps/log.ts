/** What the way of a partition needs of the archive's Delta log. */
import type { ExaminedFile } from '../../model/archive/archived-file.ts'
import type { Predicate } from '../../model/lake/condition.ts'
import type { StoredTable } from '../../model/archive/stored-column.ts'
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import type { Claim } from '../log/head.ts'
import type { LedgerName } from '../log/ledger-name.ts'
import type { ArchiveProperties } from '../log/properties.ts'

/** A file that the newest version of the archive names. */
export type LoggedFile = {
  /** Relative to the root, as it stands on the disk. */
  readonly path: string
  readonly size: bigint
  readonly rows: bigint | null
  readonly tags: Readonly<Record<string, string>>
  /** Version of the commit that names it; null where only a checkpoint tells. */
  readonly addedVersion: number | null
}

export type LogState = {
  readonly tableId: string
  readonly version: number
  /** Null before the first commit of a program that knows heads. */
  readonly head: bigint | null
  /** Active files by the value of the partition column. */
  readonly files: ReadonlyMap<string, readonly LoggedFile[]>
  /** Versions of transactions by application id: of a partition, the fence of its last commit. */
  readonly txns: ReadonlyMap<string, bigint>
  readonly protocol: ProtocolAction
  readonly metadata: MetadataAction
}

/** Files of a partition that were taken out of the archive. */
export type Departed = {
  readonly step: 'restore' | 'expire'
  /** When, ms since the epoch; 0 where no file was named then. */
  readonly at: number
  readonly version: number
  /** None where the history no longer says which. */
  readonly files: readonly LoggedFile[]
}

export type Telling = {
  readonly tableId: string
  readonly info: Readonly<Record<string, string>>
  /** What is not in the ledger yet, or still is. */
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
  readonly files: readonly ExaminedFile[]
  /** Of each file, by its name: the proof that stays in the log for ever. */
  readonly tags: (file: ExaminedFile) => Readonly<Record<string, string>>
  readonly info: Readonly<Record<string, string>>
  readonly txn: { readonly appId: string; readonly version: bigint }
  /** Paths that may be taken out of the table; null where an older program kept no list of them: then any of the partition. */
  readonly known: ReadonlySet<string> | null
  /** What the caller holds; the head of the commit is stored only while it does. */
  readonly claim: Claim | null
  /** The table has all columns of the files: they were in it before. */
  readonly keepsShape?: true
}

/** @property ledger what the adopting one is called in the log */
export type Adoption = Pick<Publication, 'tableId' | 'info'> & { readonly ledger: LedgerName }

export interface ArchiveLog {
  /** Null where there is no log yet. */
  state(signal: AbortSignal): Promise<LogState | null>
  /** The same for a caller that acts on it. @throws SluiceError ARCHIVE_FOREIGN where another database has gone on with the log */
  own(signal: AbortSignal, expected?: { readonly tableId?: string }): Promise<LogState | null>
  publish(
    publication: Publication,
    signal: AbortSignal,
  ): Promise<{ readonly version: number; readonly outcome: 'published' | 'already' }>
  /** Takes the files of a partition out of the table. */
  retract(
    what: Pick<Publication, 'partition' | 'txn' | 'info' | 'tableId' | 'known' | 'claim'> & { readonly at?: number },
    signal: AbortSignal,
  ): Promise<{ readonly version: number }>
  /** Paths of active files that hold no row of a condition for certain. */
  without(predicate: Predicate, signal: AbortSignal): Promise<ReadonlySet<string>>
  /** Puts files in the place of others of a partition; `kept` stay. */
  replace(
    what: Pick<Publication, 'partition' | 'txn' | 'info' | 'tableId' | 'known' | 'claim' | 'tags' | 'files'> & {
      readonly kept: ReadonlySet<string>
    },
    signal: AbortSignal,
  ): Promise<{ readonly version: number }>
  /** A commit with a checkpoint: a reader needs nothing that is older. */
  milestone(what: Pick<Publication, 'tableId' | 'info'>, signal: AbortSignal): Promise<{ readonly version: number }>
  /** What the log still says of partitions whose files it does not name any more, by label. */
  departed(signal: AbortSignal): Promise<ReadonlyMap<string, Departed>>
  /** Has the table say of itself what the ledger says. */
  tell(what: Telling, signal: AbortSignal): Promise<{ readonly told: boolean }>
  /** Gives the log another head, so that every other ledger is refused from then on. */
  adopt(
    what: Adoption,
    judge: (state: LogState) => Promise<ArchiveProperties | null>,
    begin: (head: bigint, version: number, sha256: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ readonly version: number }>
}
