/** Taking a table's lease, waiting for whoever holds it as long as the caller will. */
import { throwIfAborted, type Interrupt } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlDatabase } from '../../stores/port.ts'
import { acquireLease, type Holder, type Lease } from '../lease.ts'

const LOOK_EVERY_MS = 200

/** @throws SluiceError TABLE_LOCKED after `waitMs`; the stop reason */
export async function waitForLease(options: {
  readonly database: SqlDatabase
  readonly tableId: string
  readonly holder: Holder
  readonly clock: Clock
  readonly waitMs: number
  readonly interrupt: Interrupt
  readonly onNote: (message: string) => void
}): Promise<Lease> {
  const { database, tableId, holder, clock, waitMs, interrupt, onNote } = options
  const deadline = clock.ticks() + waitMs
  for (let told = false; ; told = true) {
    try {
      return await acquireLease(database, tableId, holder)
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'TABLE_LOCKED' || clock.ticks() >= deadline) throw error
      if (!told) onNote(`waits: ${error.message} (${error.where ?? ''})`)
      throwIfAborted(interrupt.stop)
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
  }
}
