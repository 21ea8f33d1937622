/** Facts of a partition that a ledger records, and the claim of a program that works on it. */
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import type { ReadPoint } from '../../model/copy/plan.ts'
import type { Digest } from '../../model/copy/rows.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { Owner } from '../../shared/owner.ts'
import type { ArchivedPartition } from './record.ts'

/** Duration of a lease without a heartbeat, ms; as for copies. A program without a lease changes nothing. */
export const PARTITION_LEASE_MS = 30_000

export type ArchiveOwner = Owner & { readonly runId: bigint }

/** A claimed partition. */
export type PartitionClaim = { readonly label: string; readonly fence: bigint }

/** Facts to record with a state. Absent ones do not change. */
export type PartitionFacts = {
  readonly digest?: Digest
  readonly sourceBytes?: bigint
  readonly files?: readonly ArchivedFile[]
  readonly filePrefix?: string
  readonly version?: number
  readonly removed?: Digest
  readonly restoring?: boolean
  readonly retracted?: boolean
  readonly point?: ReadPoint
  readonly exportMs?: number
  /** Grace period from now on, ms; the partition may be dropped after it. */
  readonly graceMs?: number
  readonly error?: SluiceError | null
  /** Paths that the Delta log names for the partition from now on. */
  readonly logged?: readonly string[]
  /** True: record the facts only if the partition has no hold. */
  readonly unheld?: true
  /** Columns of the files and of the digest. */
  readonly columns?: readonly StoredColumn[]
  /** True if the partition's table is detached from its parent, but queries still read the rows from that table. */
  readonly away?: boolean
  /** User who expires the partition now; null if the partition was restored. */
  readonly expired?: { readonly by: string } | null
  /** True if the destruction of the partition's files begins now. */
  readonly swept?: true
  /** Label of a period of a plain table: this partition takes over the rows of the period's restored parts. */
  readonly absorbs?: string
  /** True if a detach outside of any transaction may have begun. */
  readonly leaving?: boolean
}

/** A partition to add to the ledger. Only a later part of a period has `period` and `part`. */
export type NewPartition = Pick<ArchivedPartition, 'label' | 'from' | 'to' | 'native'> &
  Partial<Pick<ArchivedPartition, 'period' | 'part' | 'chosenBy'>>
