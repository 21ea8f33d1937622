/** The lock of a server under which one program at a time makes an object of a table. */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import type { SchemaObject } from '../../model/copy/schema-object.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { systemClock } from '../../shared/clock.ts'
import { objectFailed } from './object-names.ts'

const LOOK_MS = 200
/** A lock that an idle session has held for so long is waited for no more. */
const IDLE_MS = 30_000

export type ObjectLock = {
  /** Does not wait. @returns whether the session has it now */
  take(): Promise<boolean>
  /** The session that holds it and makes nothing, and the statement that ends it; null where it is at work, is gone, or is not known. */
  idleHolder(): Promise<{ readonly session: string; readonly end: string } | null>
}

/**
 * Takes the lock. A program that was killed leaves its statement running at the server: the next one waits for it, and finds it done.
 * @throws SluiceError OBJECTS_FAILED where an idle session has held it for 30 s; the reason of the signal
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
      throw objectFailed(object, `${holder.session} holds the lock of ${object.name}, and makes nothing`, {
        where: tableText(table),
        hint: `end that session (${holder.end}), then run the same command again`,
      })
    }
    // Not by a statement that waits: an index that is built beside writers waits for all who wait.
    await sleep(LOOK_MS, undefined, { signal }).catch(() => throwIfAborted(signal))
  }
}
