/** Reads tables of a switch in one snapshot, with an empty search path. */
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Pool } from '../../common/pool.ts'
import { postgresSourceError } from './errors.ts'
import type { CopySession } from './session.ts'
import { underSignal } from './under-signal.ts'
import type { PostgresSettings } from './settings.ts'

/** @throws SluiceError of `body`, and CONNECTION_LOST … as the store */
export async function reading<T>(
  readers: Pool<CopySession>,
  settings: PostgresSettings,
  signal: AbortSignal,
  body: (session: CopySession) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal)
  try {
    return await readers.use((session) =>
      underSignal(session, signal, async () => {
        await session.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY', "SET LOCAL search_path = ''")
        try {
          return await body(session)
        } finally {
          if (session.alive) await session.ask('ROLLBACK')
        }
      }),
    )
  } catch (error) {
    throw postgresSourceError(error, settings)
  }
}
