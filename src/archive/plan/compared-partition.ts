/** How ledger, log and files of an archived partition differ, and how they agree again. */
import type { ArchivedFile, InspectedFile } from '../../model/archive/archived-file.ts'
import type { Digest } from '../../model/copy/rows.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveFinding } from '../steps/find-damage.ts'

/** The comparison of one partition, and what the ledger records afterwards. */
export type ComparedPartition = {
  readonly label: string
  /** Digest of the files that the log names; null if it names none. */
  readonly proof: Digest | null
  readonly files: readonly ArchivedFile[]
  /** Fence of the last commit that published or retracted it; 0 without one. */
  readonly fence: bigint
  readonly finding: ArchiveFinding | null
  readonly repair: Repair | null
}

/**
 * How ledger and log agree again.
 * - `unnamed`: the log names no existing file, but those of the ledger exist and were read: the log must name them again.
 * - `gone`: the log names no file, and all files of the ledger are gone: the archive cannot name any again.
 * - `later`: the ledger calls it DROPPED, and the log names other, whole files: the ledger may take them over.
 * - `left`: the ledger calls it RESTORED or EXPIRED, and the log names its files: it must not name them.
 */
export type Repair =
  | {
      readonly kind: 'unnamed'
      readonly partition: ArchivedPartition
      readonly examined: readonly InspectedFile[]
      /** Paths that the log names, and that are gone. */
      readonly outdated: readonly string[]
    }
  | { readonly kind: 'gone'; readonly partition: ArchivedPartition }
  | { readonly kind: 'later'; readonly before: ArchivedPartition; readonly partition: ArchivedPartition }
  | { readonly kind: 'left'; readonly partition: ArchivedPartition }
