/** Waiting for a catalog in a file that another program has open. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Run } from '../run-context.ts'

const LOOK_EVERY_MS = 200

/** Tries what opens a catalog again while another program has its file. */
export type Patient = <T>(open: () => Promise<T>) => Promise<T>

/**
 * @param waitMs for all attempts together, ms
 * @returns a function that throws TARGET_BUSY once that time is over, or the reason of a stop
 */
export function patientFor(waitMs: number, { clock, interrupt, emit }: Run<'log'>): Patient {
  const deadline = clock.ticks() + waitMs
  let isTold = false
  return async (open) => {
    for (;;) {
      try {
        return await open()
      } catch (error) {
        const isHeld = error instanceof SluiceError && error.code === 'TARGET_BUSY'
        if (!isHeld || clock.ticks() >= deadline) throw error
        if (!isTold) emit({ type: 'log', level: 'note', message: `waits: ${error.message} (${error.where ?? ''})` })
        isTold = true
        await sleep(LOOK_EVERY_MS, undefined, { signal: interrupt.stop }).catch(() => undefined)
        throwIfAborted(interrupt.stop)
      }
    }
  }
}
