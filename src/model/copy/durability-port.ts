/** Commits and tables that a crash of the server may undo or empty. */
import type { TableName } from './column-type.ts'

/** A table that a server crash may empty: which one and why, and the statement that prevents it. */
export type CrashRisk = { readonly what: string; readonly remedy: string }

export interface Durability {
  /**
   * Waits until every acknowledged commit is on the server's disk.
   * @throws SluiceError TARGET_DENIED if the server does not report it
   */
  flushed(signal: AbortSignal): Promise<void>
}

export interface LosableTables {
  /** Finds tables and partitions that a server crash may empty. */
  find(tables: readonly TableName[], signal: AbortSignal): Promise<readonly CrashRisk[]>
}
