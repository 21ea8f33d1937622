/** Time window of a copy: at its end running chunks finish, and no other begins. */
import { SluiceError } from '../../../shared/errors.ts'
import type { Interrupt } from '../../../shared/abort.ts'
import type { Run } from '../../../engine/run/run-context.ts'

export type Window = {
  readonly interrupt: Interrupt
  /** Ms since the epoch; null without a window. */
  readonly endsAt: number | null
  /** True if the window has ended, and the copy with it. */
  readonly hasEnded: boolean
  /** Error of a copy that the window ends. */
  readonly reason: SluiceError
  /** Cancels the window, because the copy is complete. */
  over(): void
}

/** Limit of setTimeout. */
const LONGEST_MS = 2_147_483_647

/** @param windowMs from now on */
export function windowed(run: Pick<Run, 'interrupt' | 'clock'>, windowMs: number | undefined): Window {
  const reason = new SluiceError('DEADLINE', 'the window (--window) is over', {
    hint: 'the same command goes on where it stopped',
  })
  if (windowMs === undefined || windowMs > LONGEST_MS)
    return { interrupt: run.interrupt, endsAt: null, hasEnded: false, reason, over: () => undefined }
  const end = new AbortController()
  const timer = setTimeout(() => end.abort(reason), windowMs)
  timer.unref()
  return {
    interrupt: { abort: run.interrupt.abort, stop: AbortSignal.any([run.interrupt.stop, end.signal]) },
    endsAt: run.clock.now() + windowMs,
    get hasEnded() {
      return end.signal.aborted
    },
    reason,
    over: () => clearTimeout(timer),
  }
}
