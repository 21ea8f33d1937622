/** Run ids are nanoseconds since the epoch, so that they sort by time and lie beside those of other migration tools. */
import { threadId } from 'node:worker_threads'
import type { Clock } from '../../shared/clock.ts'

/** Threads of one program make ids at the same moment: each has a residue of its own. */
const THREADS = 64n
const MINE = BigInt(threadId) % THREADS

let last = 0n

/** A new id, greater than every id this thread made before and unlike those of other threads. */
export function newRunId(clock: Clock): string {
  const now = BigInt(Math.floor(clock.now())) * 1_000_000n + BigInt(Math.floor((clock.ticks() % 1) * 1_000_000))
  const fresh = now - (now % THREADS) + MINE
  last = fresh > last ? fresh : last + THREADS
  return last.toString()
}

/** The run that an operator has begun and can ask for: of a slot the shared one. @param sharedRun as `ClaimedSlot.sharedRun` */
export function operatorRun(runId: string, sharedRun: string | undefined): string {
  return sharedRun?.split('/')[0] ?? runId
}
