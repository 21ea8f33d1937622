/** Arguments to open the log of an archive, and the result of a commit. */
import type { CheckpointWriter } from '../../model/lake/checkpoint-writer.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import type { ParquetRows } from '../../model/lake/parquet-rows.ts'
import type { TokenStore } from './ownership-token.ts'
import type { ArchiveProperties } from './properties.ts'

export type ArchiveTableParts = {
  readonly store: LogStore
  /** Has the same root as `store`. */
  readonly writer: LogWriter
  readonly parquet: () => Promise<ParquetRows>
  readonly checkpoints: CheckpointWriter
  /** Ownership tokens in the ledger that the archive belongs to. */
  readonly heads: TokenStore
  /** Facts for the table's properties, from the current ledger; null if the ledger does not have the table. */
  readonly properties?: () => Promise<ArchiveProperties | null>
  /** Name of the archived table, for commands in messages. */
  readonly table?: string
  /** ms since the epoch. */
  readonly now: () => number
  /** Version of sluice. */
  readonly tool: string
  /** Called for harmless failures: a checkpoint that could not be written. */
  readonly note?: (text: string) => void
}

export type Published = { readonly version: number; readonly outcome: 'published' | 'already' }
