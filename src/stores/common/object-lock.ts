/** Server-side lock that lets one program at a time create an index or a constraint of a table. */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import type { SchemaObject } from '../../model/copy/schema-object.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { systemClock } from '../../shared/clock.ts'
import { objectFailed } from './object-names.ts'

const POLL_MS = 200
/** How long (ms) an idle session may hold the lock. After that, the wait for the lock ends with an error. */
const IDLE_MS = 30_000

export type ObjectLock = {
  /** Does not wait. @returns true if the session now has the lock */
  take(): Promise<boolean>
  /**
   * The idle session that holds the lock, and the statement that ends it; null if the holder is working, has ended or
   * is unknown.
   */
  idleHolder(): Promise<{ readonly session: string; readonly end: string } | null>
}

/**
 * Takes the lock. A killed program leaves its statement running at the server: the next program waits for the lock, and
 * then finds that the object exists.
 * @throws SluiceError OBJECTS_FAILED if an idle session has held it for 30 s; the reason of the signal
 */
export async function takeObjectLock(
  lock: ObjectLock,
  object: SchemaObject,
  { table }: TableSpec,
  signal: AbortSignal,
): Promise<void> {
  let idleSince = Infinity
  while (!(await lock.take())) {
    const holder = await lock.idleHolder()
    const now = systemClock.ticks()
    idleSince = holder === null ? Infinity : Math.min(idleSince, now)
    if (holder !== null && now - idleSince >= IDLE_MS) {
      throw objectFailed(object, `${holder.session} holds the lock of ${object.name}, but does not create it`, {
        where: tableText(table),
        hint: `end that session (${holder.end}), then run the same command again`,
      })
    }
    // Polls, because a waiting statement would block a concurrent index build, which waits for all waiting sessions.
    await sleep(POLL_MS, undefined, { signal }).catch(() => throwIfAborted(signal))
  }
}
