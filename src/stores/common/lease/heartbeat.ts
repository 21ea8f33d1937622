/** Heartbeat that keeps a program's leases. */

/**
 * Calls `body` repeatedly, never a second time while one call runs. Errors are ignored: the next heartbeat renews the
 * leases, or they expire.
 * @param everyMs a third of the lease or less, so that one heartbeat may fail
 * @returns the timer, which does not keep the process running; after `clearInterval` the leases expire
 */
export function startHeartbeat(everyMs: number, body: () => Promise<unknown>): NodeJS.Timeout {
  let under = false
  return setInterval(() => {
    if (under) return
    under = true
    body()
      .catch(() => undefined)
      .finally(() => (under = false))
  }, everyMs).unref()
}
