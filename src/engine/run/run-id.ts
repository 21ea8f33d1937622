/** Run ids are nanoseconds since the epoch: they sort by time, also together with run ids of other migration tools. */
import { threadId } from 'node:worker_threads'
import type { Clock } from '../../shared/clock.ts'

/** Threads of one program may make ids at the same time, so the ids of each have their own remainder modulo 64. */
const THREADS = 64n
const MINE = BigInt(threadId) % THREADS

let last = 0n

/** A new id, greater than all earlier ones of this thread and different from those of other threads. */
export function newRunId(clock: Clock): string {
  const now = BigInt(Math.floor(clock.now())) * 1_000_000n + BigInt(Math.floor((clock.ticks() % 1) * 1_000_000))
  const fresh = now - (now % THREADS) + MINE
  last = fresh > last ? fresh : last + THREADS
  return last.toString()
}

/**
 * The run id that the user sees: for a task, the id of the distributed run. @param sharedRun as `ClaimedTask.sharedRun`
 */
export function operatorRun(runId: string, sharedRun: string | undefined): string {
  return sharedRun?.split('/')[0] ?? runId
}
