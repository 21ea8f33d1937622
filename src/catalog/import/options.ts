/** What an import is given, and what it comes to. */
import type { LogStore } from '../../model/lake/log-store.ts'
import type { ParquetRows } from '../../model/lake/parquet-rows.ts'
import type { Interrupt } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import type { Holder } from '../lease.ts'
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
  /** The catalog may have the table at another place: it is followed to that of `log`. */
  readonly moved?: boolean
  /** The caller has compared the commits below the known version with the log's. */
  readonly olderCompared?: boolean
  /** A transaction ends on a version boundary at or above this many rows. */
  readonly batchSize: number
  readonly allowRefused: boolean
  readonly interrupt: Interrupt
  readonly clock: Clock
  readonly holder: Holder
  readonly waitMs: number
  /** Id for the row in `migration_status`, unless an unfinished import goes on under its own. */
  readonly importId: string
  /** Of a slot: the run that workers share. */
  readonly sharedRun?: string
  /** False leaves no row in `migration_status` for a failure before anything was written; absent means true. */
  readonly noteFailure?: boolean
  readonly onStart: (start: {
    fromVersion: number
    toVersion: number
    resumed: boolean
    total: number
    done: number
    /** Of `done`, what slots of the same shared run have brought in before. */
    shared: number
  }) => void
  readonly onProgress: (progress: ImportProgress) => void
  readonly onNote: (message: string) => void
  /** Resolves when the run may go on; asked after every batch. */
  readonly whilePaused?: () => Promise<void>
  /** Events in memory at most; smaller in tests. */
  readonly maxEvents?: number
  /** File rows set aside, swept or given ranges in one transaction; smaller in tests. */
  readonly stepRows?: number
}

export type ImportResult = {
  readonly status: 'completed' | 'current' | 'stopped'
  readonly importId: string
  readonly version: number | null
  readonly historyFrom: number | null
  /** Why the history begins no earlier, where this import chose its begin; null where the log holds nothing older. */
  readonly cutOff?: string | null
  readonly files: number
  readonly bytes: number
  /** Lines of the log that this run brought in. */
  readonly actions: number
  readonly resumed: boolean
}
