/** Makes writers wait while a slot is created: their tables have no open changes at the start of the stream. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { isPostgresBusy } from '../../server/locks.ts'
import { CopySession } from '../../server/session.ts'
import { tableSql } from '../../server/sql.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import type { PostgresWait } from '../../server/waiting.ts'

/** Longest wait of writers for the slot, in ms: then they continue, and no slot is created. */
export const QUIET_MS = 10_000
/** Longest wait for the lock in one attempt, and of writers queued behind it, in ms. */
const LOCK_MS = 500
const REST_MS = 200
/** How long attempts are repeated, in ms. */
const TRY_MS = 60_000

/**
 * Locks the tables in SHARE ROW EXCLUSIVE mode, which does not block readers. With this lock the session has no
 * transaction id. With ACCESS EXCLUSIVE it would have one, and the creation of a slot would wait for it for ever.
 * @returns the locks: dispose them once the slot exists; this reports how long writers may have waited
 * @throws SluiceError SOURCE_BUSY if other sessions lock a table during all attempts
 */
export async function quiesced(
  settings: PostgresSettings,
  tables: readonly TableName[],
  { signal, tell: report }: PostgresWait,
): Promise<AsyncDisposable> {
  const session = await CopySession.open(settings, 'write')
  const names = tables.map(tableText).join(', ')
  try {
    const end = performance.now() + TRY_MS
    for (;;) {
      throwIfAborted(signal)
      const since = performance.now()
      await session.begin(
        '',
        `SET LOCAL lock_timeout = ${LOCK_MS}; SET LOCAL idle_in_transaction_session_timeout = ${QUIET_MS + 5000}`,
      )
      try {
        await session.ask(`LOCK TABLE ${tables.map(tableSql).join(', ')} IN SHARE ROW EXCLUSIVE MODE`)
        return {
          [Symbol.asyncDispose]: async () => {
            if (session.alive) await session.rollBack()
            await session.close()
            report(
              `writers of ${names} waited for at most ${Math.ceil(performance.now() - since)} ms while the slot was created`,
            )
          },
        }
      } catch (error) {
        if (session.alive) await session.rollBack()
        if (!session.alive || !isPostgresBusy(error)) throw error
        if (performance.now() > end) throw kept(names, error)
      }
      await sleep(REST_MS, undefined, { signal }).catch(() => undefined)
    }
  } catch (error) {
    await session.close()
    throw error
  }
}

function kept(names: string, cause: unknown): SluiceError {
  return new SluiceError('SOURCE_BUSY', `long transactions still write to ${names}`, {
    retryable: true,
    hint: 'end them, or run sluice partition run without --quiesce: the stream still gets all changes',
    cause,
  })
}
