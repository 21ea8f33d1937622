/** A command as work that can be queued, for those who know no operations: workers, and whoever adds a schedule. */
import type { Clock } from '../../shared/clock.ts'
import type { NamedStore, QueuedRun } from './queued-run.ts'
import type { NamedUrl } from './own-url.ts'

export type QueuedOptions = {
  readonly commandLine: string
  /** What its stores have to be. */
  readonly stores: readonly NamedStore[]
  readonly slots: number
  /** Queue that its slots wait in; null is that of every worker. */
  readonly queue: string | null
  readonly tool: string
  readonly actor: string
  readonly host: string
  readonly clock: Clock
  /** Of the plan that was confirmed. */
  readonly mark?: string | null
  /** One slot has all of it. */
  readonly whole?: boolean
}

export type Work = {
  /** Of stores and folders that it works on. */
  readonly names: readonly string[]
  /** With names in place of URLs. */
  readonly operation: unknown
  /** The first file that it writes into as a database; null where there is none. @throws SluiceError CONNECT_FAILED … */
  writtenFile(): Promise<string | null>
  /** What its stores and folders say of themselves, here and now. Folders that it writes into are marked. @param warn of what is not compared @throws SluiceError CONNECT_FAILED, NO_SUCH_PATH … */
  identities(warn: (message: string) => void): Promise<readonly NamedStore[]>
  /**
   * A digest of its plan, where it destroys something and that is confirmed by name; null where nothing is destroyed.
   * @throws SluiceError MISSING_CONFIRM, and what its dry run is refused for
   */
  confirmedMark(): Promise<string | null>
  queued(options: QueuedOptions): QueuedRun
}

/**
 * @param operation with URLs, or with names of stores in their place
 * @throws SluiceError BAD_FLAG for what cannot be shared, or works on a database without a name
 */
export type WorkOf = (operation: unknown, known: readonly NamedUrl[]) => Promise<Work>

/** Reads words of a command line that were kept, into an operation. @throws SluiceError BAD_FLAG, BAD_CONFIG for what starts none */
export type ReadWords = (words: readonly string[]) => Promise<unknown>
