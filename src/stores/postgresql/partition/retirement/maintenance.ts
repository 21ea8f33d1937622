/** The database of the same server through which another one is retired. */
import { SluiceError } from '../../../../shared/errors.ts'
import { CopySession } from '../../server/session.ts'
import type { OpenMode } from '../../../../model/run/sql-port.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import type { PostgresSettings } from '../../server/settings.ts'

/** The databases that the server's own programs try. */
const USUAL = ['postgres', 'template1'] as const

/**
 * @param asked its name; if absent the usual ones are tried
 * @throws SluiceError BAD_FLAG if it is the database to retire, CONNECT_FAILED
 */
export async function openMaintenance(
  settings: PostgresSettings,
  asked: string | undefined,
  mode: OpenMode,
): Promise<CopySession> {
  if (asked === settings.database) {
    throw new SluiceError('BAD_FLAG', `--maintenance-db names ${asked}, the database to be dropped`, {
      hint: 'name another database of the same server',
    })
  }
  const names = asked === undefined ? USUAL.filter((name) => name !== settings.database) : [asked]
  const failures: string[] = []
  for (const database of names) {
    try {
      // The schema of the URL does not exist there.
      return await CopySession.open({ ...settings, database, schema: null }, mode)
    } catch (error) {
      if (!isOfThisDatabase(error)) throw error
      failures.push(`${database}: ${(error as Error).message}`)
    }
  }
  throw new SluiceError('CONNECT_FAILED', 'sluice cannot connect to another database of the server', {
    where: settings.label,
    reason: failures.join('; '),
    hint: 'name one with --maintenance-db NAME: a database can neither refuse its own sessions nor drop itself',
  })
}

/** True if this database is missing, or refuses connections or this user: another database may accept them. */
function isOfThisDatabase(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === '3D000' || state === '55000' || state === '42501' || state?.startsWith('28') === true
}
