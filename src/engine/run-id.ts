/** Run ids are nanoseconds since the epoch, so that they sort by time and lie beside those of other migration tools. */
import type { Clock } from '../shared/clock.ts'

let last = 0n

/** A new id, greater than every id this process made before. */
export function newRunId(clock: Clock): string {
  const fresh = BigInt(Math.floor(clock.now())) * 1_000_000n + BigInt(Math.floor((clock.ticks() % 1) * 1_000_000))
  last = fresh > last ? fresh : last + 1n
  return last.toString()
}
