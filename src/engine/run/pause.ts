/** Waits while the user has paused a run; a stop or an abort ends the wait. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Run } from './run-context.ts'

const POLL_EVERY_MS = 50

export async function whilePaused({ control, interrupt }: Run): Promise<void> {
  while (control?.paused === true && !interrupt.stop.aborted) await sleep(POLL_EVERY_MS)
}

/** Waits until worker number `worker` may take the next table. @returns false if the run is to stop */
export async function mayTakeTable(worker: number, { control, interrupt }: Run): Promise<boolean> {
  while (!interrupt.stop.aborted && (control?.paused === true || worker > (control?.lanes ?? Infinity)))
    await sleep(POLL_EVERY_MS)
  return !interrupt.stop.aborted
}
