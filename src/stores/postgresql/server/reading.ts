/** Runs work on sessions of a source. An abort signal ends the work. Errors of the work become errors of the source. */
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Pool } from '../../common/pool.ts'
import { postgresSourceError, postgresTargetError } from './errors.ts'
import { CopySession } from './session.ts'
import { underSignal } from './under-signal.ts'
import type { PostgresSettings } from './settings.ts'

type Body<T> = (session: CopySession) => Promise<T>

/**
 * Runs `body` on a session of the pool.
 * @throws SluiceError of `body`; CONNECTION_LOST and other errors of the source
 */
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
  return ofSource(settings, signal, () => onNewSession(settings, signal, body))
}

/**
 * Runs `body` as `writing` does, but with errors of the target.
 * @param place what errors name, such as the table
 * @throws SluiceError of `body`; errors of the target
 */
export async function writingTo<T>(
  settings: PostgresSettings,
  place: string,
  signal: AbortSignal,
  body: Body<T>,
): Promise<T> {
  try {
    return await onNewSession(settings, signal, body)
  } catch (error) {
    throw postgresTargetError(error, settings, place)
  }
}

/** Runs `body` on a new session that may write, and closes it. @throws errors of the server as they are */
export async function onNewSession<T>(settings: PostgresSettings, signal: AbortSignal, body: Body<T>): Promise<T> {
  throwIfAborted(signal)
  await using session = await CopySession.open(settings, 'write')
  return await underSignal(session, signal, () => body(session))
}

async function ofSource<T>(settings: PostgresSettings, signal: AbortSignal, body: () => Promise<T>): Promise<T> {
  throwIfAborted(signal)
  try {
    return await body()
  } catch (error) {
    throw postgresSourceError(error, settings)
  }
}

/** Base class for readers of a server: its settings, and a pool of reading sessions. */
export abstract class ReadsServer {
  protected readonly settings: PostgresSettings
  protected readonly readers: Pool<CopySession>

  constructor(settings: PostgresSettings, readers: Pool<CopySession>) {
    this.settings = settings
    this.readers = readers
  }

  /** Runs `body` on a reading session. @throws as `asking` */
  protected read<T>(signal: AbortSignal, body: Body<T>): Promise<T> {
    return asking(this.readers, this.settings, signal, body)
  }
}
