/** A run that is given so much time and no more: what it works on is ended well, and nothing more begins. */
import type { Interrupter } from './abort.ts'
import { SluiceError } from './errors.ts'

/** @property shown the time in words */
export type Deadline = { readonly ms: number; readonly shown: string }

/** setTimeout takes no more; 24 days are as good as none. */
const LONGEST_TIMER_MS = 2_147_483_647

/** @returns what takes the deadline away again */
export function armDeadline(interrupter: Interrupter, deadline: Deadline | undefined): () => void {
  if (deadline === undefined || deadline.ms > LONGEST_TIMER_MS) return () => undefined
  const reason = new SluiceError('DEADLINE', `the time of --max-runtime (${deadline.shown}) is over`)
  const timer = setTimeout(() => interrupter.requestStop(reason), deadline.ms).unref()
  return () => clearTimeout(timer)
}
