/** Report of a store before it retries without its caller. */

/**
 * A store that could not be reached, or a request that an open store sends again.
 * @property attempt number of the next attempt
 * @property forMs how long it will be retried, ms
 */
export type StoreRetry = {
  readonly label: string
  readonly why: string
  readonly attempt: number
  readonly forMs: number
  /** True if the store is open, and a request is sent again. */
  readonly isOpen?: true
}
