/** Options and result of an import. */
import type { LogStore } from '../../model/lake/log-store.ts'
import type { ParquetRows } from '../../model/lake/parquet-rows.ts'
import type { Interrupt } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import type { CatalogLeaseHolder } from '../lease.ts'
import type { FileIndexes } from './indexes.ts'

export type ImportProgress = {
  readonly done: number
  readonly total: number
  readonly version: number | null
  readonly files: number
}

export type ImportOptions = {
  readonly database: SqlDatabase
  readonly indexes: FileIndexes
  readonly log: LogStore
  readonly parquet: () => Promise<ParquetRows>
  readonly tableId: string
  /** True if the catalog may have another location of the table: the root of `log` then replaces that location. */
  readonly moved?: boolean
  /** True if the caller has compared the commits below the known version with the log's commits. */
  readonly olderCompared?: boolean
  /**
   * Number of rows after which a transaction ends, at the next version boundary. A base checkpoint and a very large
   * commit are divided into several transactions.
   */
  readonly batchSize: number
  readonly allowRefused: boolean
  readonly interrupt: Interrupt
  readonly clock: Clock
  readonly holder: CatalogLeaseHolder
  readonly waitMs: number
  /** Id of the row in `migration_status`, unless an unfinished import continues with its own id. */
  readonly importId: string
  /** Id of the distributed run of which this import is a share. */
  readonly sharedRun?: string
  /** `false`: do not record a failure that happened before the first write (default `true`). */
  readonly noteFailure?: boolean
  readonly onStart: (start: {
    fromVersion: number
    toVersion: number
    resumed: boolean
    total: number
    done: number
    /** The part of `done` that other shares of the same distributed run have imported. */
    shared: number
  }) => void
  readonly onProgress: (progress: ImportProgress) => void
  readonly onNote: (message: string) => void
  /** Resolves when the run may continue; called after every batch. */
  readonly whilePaused?: () => Promise<void>
  /** Maximum number of adds and removes in memory; smaller in tests. */
  readonly maxEvents?: number
  /** Number of file rows that one transaction discards, sweeps or builds ranges for; smaller in tests. */
  readonly stepRows?: number
}

export type ImportResult = {
  readonly status: 'completed' | 'current' | 'stopped'
  readonly importId: string
  readonly version: number | null
  readonly historyFrom: number | null
  /**
   * Why the history does not begin earlier, if this import chose the first version; null if the log has nothing older.
   */
  readonly cutOff?: string | null
  readonly files: number
  readonly bytes: number
  /** Number of log lines that this run imported. */
  readonly actions: number
  readonly resumed: boolean
}
