/** Differences of ledger, log and files of an archived partition, and their repair. */
import type { ArchivedFile, InspectedFile } from '../../model/archive/archived-file.ts'
import type { Digest } from '../../model/copy/rows.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveFinding } from '../steps/find-damage.ts'

/** The comparison of one partition, with the facts that the ledger will record. */
export type ComparedPartition = {
  readonly label: string
  /** Digest of the files that the log names; null if it names none. */
  readonly proof: Digest | null
  readonly files: readonly ArchivedFile[]
  /** Fencing token of the last commit that published or retracted the partition; 0 without one. */
  readonly fence: bigint
  readonly finding: ArchiveFinding | null
  readonly repair: Repair | null
}

/**
 * How ledger and log are made equal.
 * - `unnamed`: the log names no existing file, but the ledger's files exist and were read: a commit must add these.
 * - `gone`: the log names no file, and all files of the ledger are missing: the archive lost the partition.
 * - `later`: the state is DROPPED, and the log names other, complete files: the ledger may adopt them.
 * - `left`: the state is RESTORED or EXPIRED, and the log names the files: a commit must remove them.
 */
export type Repair =
  | {
      readonly kind: 'unnamed'
      readonly partition: ArchivedPartition
      readonly examined: readonly InspectedFile[]
      /** Paths that the log names but that do not exist. */
      readonly outdated: readonly string[]
    }
  | { readonly kind: 'gone'; readonly partition: ArchivedPartition }
  | { readonly kind: 'later'; readonly before: ArchivedPartition; readonly partition: ArchivedPartition }
  | { readonly kind: 'left'; readonly partition: ArchivedPartition }
