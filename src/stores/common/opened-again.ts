/** What a store reports before it retries by itself. */

/**
 * A store that could not be reached, or a request that an open store sends again.
 * @property attempt number of the next attempt
 * @property forMs how long it will be retried, ms
 */
export type OpenedAgain = {
  readonly label: string
  readonly why: string
  readonly attempt: number
  readonly forMs: number
  /** The store is open: a request is sent again. */
  readonly isOpen?: true
}
