/**
 * Timers that never fire early. Node's timers count whole milliseconds, and may fire a fraction of a millisecond early.
 */

/**
 * Calls `act` as soon as `due` is reached, not before. The last fraction of a millisecond is spent in turns of the
 * event loop.
 * @param due ms on the clock of `performance.now()`
 */
export function callAt(due: number, act: () => void): void {
  const left = due - performance.now()
  if (left <= 0) setImmediate(act)
  else if (left < 1) setImmediate(callAt, due, act)
  else setTimeout(callAt, Math.floor(left), due, act)
}
