/** Heartbeat that keeps a program's leases. */

/**
 * Calls `body` repeatedly, never a second time while one call runs. Errors are ignored: the next heartbeat, or the end
 * of the lease, settles them.
 * @param everyMs a third of the lease or less, so that one heartbeat may fail
 * @returns the timer, which keeps no program running; clearing it lets the leases run out
 */
export function beat(everyMs: number, body: () => Promise<unknown>): NodeJS.Timeout {
  let under = false
  return setInterval(() => {
    if (under) return
    under = true
    body()
      .catch(() => undefined)
      .finally(() => (under = false))
  }, everyMs).unref()
}
