/** The moment before a database is dropped on the strength of what another one holds. */
import type { CopyStore } from '../../../model/copy/port.ts'
import { quicker, type DatabaseSteps } from './steps.ts'

type Going = {
  /** Where its tables have moved to, with the ledger. */
  readonly to: Pick<CopyStore, 'flushed'>
  readonly steps: Pick<DatabaseSteps, 'of'>
  readonly identity: string
  readonly name: string
}

/**
 * Returns where the ledger still says that the database is being dropped, and all that was read of the target is on its disk.
 * @throws SluiceError PLAN_CHANGED where the ledger says something else, as after another program or a restored backup; TARGET_DENIED where the target does not say that it
 * has written its commits
 */
export async function requireDropping({ to, steps, identity, name }: Going, signal: AbortSignal): Promise<void> {
  if ((await steps.of(identity)).at(-1)?.step !== 'dropping') throw quicker(name)
  await to.flushed?.(signal)
}
