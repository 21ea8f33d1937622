/** After a connection broke during COMMIT: what became of the transaction. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SluiceError } from '../../shared/errors.ts'
import type { Landed, SqlReader } from '../port.ts'
import type { Backend } from './connect.ts'

const POLL_MS = 50
/** How long the server gets to end the process of a broken connection by itself, and then on demand. */
const GRACE_MS = 1000
const PATIENCE_MS = 6000

export type Question = {
  /** The server's process that got the COMMIT. */
  readonly backend: Backend
  readonly landed: Landed | undefined
  readonly lost: unknown
  readonly label: string
  /** Runs something on a new connection, for as long as it takes to get one. */
  ask<T>(body: (reader: SqlReader) => Promise<T>): Promise<T>
}

/**
 * Returns when the transaction landed.
 * @throws the loss of the connection when it surely did not, COMMIT_UNKNOWN when nobody knows
 */
export async function settle({ backend, landed, lost, label, ask }: Question): Promise<void> {
  const unknown = (reason: string, cause: unknown): SluiceError =>
    new SluiceError('COMMIT_UNKNOWN', 'the connection broke while a transaction was being committed', {
      where: label,
      reason,
      hint: 'run the same command again: it reads what is there and goes on from it',
      retryable: true,
      cause,
    })
  if (landed === undefined) throw unknown('its answer never came, and nothing tells its rows from others', lost)
  let there: boolean
  try {
    there = await ask(async (reader) => {
      // While the old process lives, its commit may still be on the way: asked now, the answer could be wrong a moment later.
      if (!(await backendIsGone(reader, backend))) throw unknown('the server still works on it', lost)
      return await landed(reader)
    })
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'COMMIT_UNKNOWN') throw error
    throw unknown('the database could not be asked afterwards', error)
  }
  if (!there) throw lost
}

/**
 * Waits until the server's process of a broken connection is gone, so that nothing of it can still commit or hold locks; after a moment it
 * is told to end.
 * @returns false when it is still there after some seconds
 */
export async function backendIsGone(reader: Pick<SqlReader, 'all'>, { pid, startedAt }: Backend): Promise<boolean> {
  const those = 'FROM pg_catalog.pg_stat_activity WHERE pid = ? AND backend_start = CAST(? AS timestamptz)'
  for (let waited = 0; waited <= PATIENCE_MS; waited += POLL_MS) {
    const what = waited < GRACE_MS ? 'pid' : 'pg_catalog.pg_terminate_backend(pid)'
    const left = await reader.all(`SELECT ${what} ${those}`, [pid, startedAt])
    if (left.length === 0) return true
    await sleep(POLL_MS)
  }
  return false
}
