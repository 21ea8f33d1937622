/** A command that can be queued: one interface for all operations, so workers and schedules need no code for each. */
import type { Clock } from '../../shared/clock.ts'
import type { QueuedStore, QueuedRun } from './queued-run.ts'
import type { NamedUrl } from './own-url.ts'

export type QueuedOptions = {
  readonly commandLine: string
  /** Expected identities of its stores. */
  readonly stores: readonly QueuedStore[]
  readonly slots: number
  /** Queue of its tasks; null: only workers without queue names take them. */
  readonly queue: string | null
  readonly tool: string
  readonly actor: string
  readonly host: string
  readonly clock: Clock
  /** Digest of the confirmed plan. */
  readonly mark?: string | null
  /** Set if one task does all of the work. */
  readonly whole?: boolean
}

export type SharedWork = {
  /** Names of the stores and folders that it uses. */
  readonly names: readonly string[]
  /** The operation with names instead of URLs. */
  readonly operation: unknown
  /** The first file that it writes to as a database; null if there is none. @throws SluiceError CONNECT_FAILED … */
  writtenFile(): Promise<string | null>
  /**
   * Current identities of its stores and folders. Puts a marker into folders that it writes to. @param warn called with
   * a message for a folder that cannot be identified @throws SluiceError CONNECT_FAILED, NO_SUCH_PATH …
   */
  identities(warn: (message: string) => void): Promise<readonly QueuedStore[]>
  /**
   * Digest of its plan if it is destructive and needs a named confirmation; otherwise null.
   * @throws SluiceError MISSING_CONFIRM, and refusals of its dry run
   */
  confirmedMark(): Promise<string | null>
  queued(options: QueuedOptions): QueuedRun
}

/**
 * Prepares an operation for a queue.
 * @param operation with URLs, or with store names instead
 * @throws SluiceError BAD_FLAG if it cannot be shared, or uses a database without a name
 */
export type WorkOf = (operation: unknown, known: readonly NamedUrl[]) => Promise<SharedWork>

/** Parses stored command line words into an operation. @throws SluiceError BAD_FLAG, BAD_CONFIG if they start none */
export type ReadWords = (words: readonly string[]) => Promise<unknown>
