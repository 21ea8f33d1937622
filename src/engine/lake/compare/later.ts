/** Timers that are never early. Those of Node count in whole milliseconds from a clock of their own, and may be, by a part of one. */

/**
 * Calls `act` at the first moment that is not before `due`; the part of a millisecond that is left at the end is spent in turns of the event loop.
 * @param due ms on the clock of `performance.now()`
 */
export function later(due: number, act: () => void): void {
  const left = due - performance.now()
  if (left <= 0) setImmediate(act)
  else if (left < 1) setImmediate(later, due, act)
  else setTimeout(later, Math.floor(left), due, act)
}
