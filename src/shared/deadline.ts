/** A time limit for a run: running work is ended properly, and nothing new begins. */
import type { Interrupter } from './abort.ts'
import { SluiceError } from './errors.ts'

/** @property shown the time in words */
export type Deadline = { readonly ms: number; readonly shown: string }

/** Maximum of setTimeout; 24 days are as good as no limit. */
const LONGEST_TIMER_MS = 2_147_483_647

/** @returns a function that removes the deadline */
export function armDeadline(interrupter: Interrupter, deadline: Deadline | undefined): () => void {
  if (deadline === undefined || deadline.ms > LONGEST_TIMER_MS) return () => undefined
  const reason = new SluiceError('DEADLINE', `the time of --max-runtime (${deadline.shown}) has ended`)
  const timer = setTimeout(() => interrupter.requestStop(reason), deadline.ms).unref()
  return () => clearTimeout(timer)
}
