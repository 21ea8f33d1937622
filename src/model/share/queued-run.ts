/** A run as it is queued. */

/** @property identity of the database or folder that had this name on the machine that submitted the run */
export type QueuedStore = { readonly name: string; readonly identity: string; readonly label: string }

/**
 * @property operation default: operation of the run @property onCall true for a task that waits for requests of the
 * stream's task; it decides the result of the run only if the run has no other task
 */
export type QueuedTask = { readonly about: string; readonly operation?: unknown; readonly onCall?: true }

/** A run to be queued. Contains no URLs: databases are referenced by their names in the config file. */
export type QueuedRun = {
  readonly runId: string
  readonly kind: string
  /** True if tasks are released after a while, and resumed later. */
  readonly takesTurns: boolean
  /** The operation with a name instead of each URL. */
  readonly operation: unknown
  readonly stores: readonly QueuedStore[]
  readonly commandLine: string
  readonly source: string | null
  readonly target: string | null
  /** Version of the program and of its ledger: only the same version processes it. */
  readonly program: string
  readonly actor: string
  readonly host: string
  /** Queue of its tasks; null is the queue of workers without queue names. */
  readonly queue: string | null
  readonly slots: readonly QueuedTask[]
  /** Digest of the confirmed plan: a task whose own plan differs runs nothing. */
  readonly mark?: string | null
}
