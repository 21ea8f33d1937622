/** Runs work on sessions of a source. An abort signal ends the work. Errors of the work become errors of the source. */
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Pool } from '../../common/pool.ts'
import { postgresSourceError } from './errors.ts'
import { CopySession } from './session.ts'
import { underSignal } from './under-signal.ts'
import type { PostgresSettings } from './settings.ts'

type Body<T> = (session: CopySession) => Promise<T>

/** Runs `body` on a session of the pool. @throws SluiceError of `body`; CONNECTION_LOST and other errors of the source */
export function asking<T>(
  readers: Pool<CopySession>,
  settings: PostgresSettings,
  signal: AbortSignal,
  body: Body<T>,
): Promise<T> {
  return ofSource(settings, signal, () => readers.use((session) => underSignal(session, signal, () => body(session))))
}

/** Runs `body` in one snapshot, with an empty search_path. @throws as `asking` */
export function reading<T>(
  readers: Pool<CopySession>,
  settings: PostgresSettings,
  signal: AbortSignal,
  body: Body<T>,
): Promise<T> {
  return asking(readers, settings, signal, async (session) => {
    await session.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY', "SET LOCAL search_path = ''")
    try {
      return await body(session)
    } finally {
      if (session.alive) await session.ask('ROLLBACK')
    }
  })
}

/** Runs `body` on a new session that may write. @throws as `asking` */
export function writing<T>(settings: PostgresSettings, signal: AbortSignal, body: Body<T>): Promise<T> {
  return ofSource(settings, signal, async () => {
    await using session = await CopySession.open(settings, 'write')
    return await underSignal(session, signal, () => body(session))
  })
}

async function ofSource<T>(settings: PostgresSettings, signal: AbortSignal, body: () => Promise<T>): Promise<T> {
  throwIfAborted(signal)
  try {
    return await body()
  } catch (error) {
    throw postgresSourceError(error, settings)
  }
}
