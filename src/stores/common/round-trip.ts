/** Doctor's verdict on the distance of a server. */
import { ok, warn, type Verdict } from '../../model/run/verdict.ts'
import { tookText } from '../../shared/figures.ts'

const ROUND_TRIPS = 5
const SLOW_MS = 50

/** Checks the median of several round trips. @param slow cause and hint if it is long */
export async function roundTripVerdict(
  ping: () => Promise<unknown>,
  slow: { readonly cause: string; readonly hint: string },
): Promise<Verdict> {
  const times: number[] = []
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const start = performance.now()
    await ping()
    times.push(performance.now() - start)
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(ROUND_TRIPS / 2)] ?? 0
  const found = `${tookText(median)}, median of ${ROUND_TRIPS}`
  return median <= SLOW_MS ? ok(found) : warn(found, slow)
}
