/** What a store reports before it retries by itself. */

/**
 * A store that could not be reached, or a request that an open one sends again. @property attempt the next one
 * @property forMs how long it will be retried, ms
 */
export type OpenedAgain = {
  readonly label: string
  readonly why: string
  readonly attempt: number
  readonly forMs: number
  /** A request of a store that was reached before. */
  readonly isOpen?: true
}
