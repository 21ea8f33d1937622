/** A run as it is queued. */

/** @property identity of the database or the folder that the name means for whoever began the run */
export type NamedStore = { readonly name: string; readonly identity: string; readonly label: string }

/** @property operation its own; that of the run when absent @property onCall waits until the one that has the stream calls it, and says nothing of the run's end */
export type QueuedSlot = { readonly about: string; readonly operation?: unknown; readonly onCall?: true }

/** A run to be queued. Nothing of it holds a URL: databases go by the names that the config file has for them. */
export type QueuedRun = {
  readonly runId: string
  readonly kind: string
  /** A slot is given back after a while, and goes on where it was. */
  readonly takesTurns: boolean
  /** With a name in place of each URL. */
  readonly operation: unknown
  readonly stores: readonly NamedStore[]
  readonly commandLine: string
  readonly source: string | null
  readonly target: string | null
  /** Version of the program and of its ledger: only the same one works on it. */
  readonly program: string
  readonly actor: string
  readonly host: string
  /** Queue that its slots wait in; null is that of every worker. */
  readonly queue: string | null
  readonly slots: readonly QueuedSlot[]
  /** Of the plan that somebody has confirmed: a slot makes its own, and runs nothing where that is another one. */
  readonly mark?: string | null
}
