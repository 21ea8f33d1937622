/** Says all the time that a program lives, so that what it holds stays its own. */

/**
 * Calls `body` again and again, and never a second time while one call is under way. A database that is away is no failure: the next beat, or the end of the
 * lease, settles it.
 * @param everyMs a third of the lease or less, so that one beat may fail
 * @returns the timer, which keeps no program running; whoever clears it lets the leases run out
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
