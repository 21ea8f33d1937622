/** Finds the outcome of a transaction whose connection broke during COMMIT. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlReader } from '../../../model/run/sql-port.ts'
import type { Backend } from './connect.ts'
import { isConnectionLoss } from './server-errors.ts'

const POLL_MS = 50
/**
 * Time for the server to end the process of a broken connection, ms. After `GRACE_MS` the process is terminated;
 * `TOTAL_WAIT_MS` is the whole time.
 */
const GRACE_MS = 1000
const TOTAL_WAIT_MS = 6000

const MOST_POLLS = 100

type Asked = Pick<SqlReader, 'all'>

export type PostgresLostCommit<R extends Asked> = {
  /** What was being committed, for messages. */
  readonly what: 'a transaction' | 'a chunk' | 'a switch'
  /** Server process that got the COMMIT. */
  readonly backend: Backend
  /** Transaction id, if known. If the server has its status, `landed` is not called. */
  readonly id?: string
  /** True if the effects of the transaction exist. Undefined if another transaction may have the same effects. */
  readonly landed: ((reader: R) => Promise<boolean>) | undefined
  /** Error of the broken connection. */
  readonly lost: unknown
  readonly label: string
  /** Runs `body` on another connection, and again if that connection is lost, too. */
  ask<T>(body: (reader: R) => Promise<T>): Promise<T>
}

/**
 * Outcome of a transaction whose connection broke after COMMIT was sent and before the reply. True if it was committed;
 * false if it was certainly not committed, and never will be. Used for transactions of the catalog, a ledger or a
 * chunk.
 * @throws SluiceError COMMIT_UNKNOWN if the outcome cannot be found
 */
export async function isCommitted<R extends Asked>(commit: PostgresLostCommit<R>): Promise<boolean> {
  const { what, backend, landed, lost, label, ask } = commit
  const unknown = (reason: string, cause: unknown): SluiceError =>
    new SluiceError('COMMIT_UNKNOWN', `the connection broke while ${what} was being committed`, {
      where: label,
      reason,
      hint: 'run the same command again: it reads the present state and continues from it',
      retryable: true,
      cause,
    })
  if (landed === undefined) throw unknown('the reply was lost, and its rows cannot be distinguished from others', lost)
  try {
    return await ask(async (reader) => {
      // While the old process exists, its commit may still be running: an answer now could become wrong.
      if (!(await backendIsGone(reader, backend))) throw unknown('the transaction may still run on the server', lost)
      const fate = commit.id === undefined ? null : await transactionStatus(reader, commit.id)
      return fate ?? (await landed(reader))
    })
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'COMMIT_UNKNOWN') throw error
    throw unknown(`the database could not be queried afterwards: ${(error as Error).message}`, error)
  }
}

/** True if the transaction with this id was committed, false if not; null if the server has no record of the id. */
async function transactionStatus(reader: Asked, id: string): Promise<boolean | null> {
  try {
    for (let polls = 0; polls < MOST_POLLS; polls++) {
      const [[status] = []] = await reader.all('SELECT pg_catalog.pg_xact_status(CAST(? AS xid8))', [id])
      if (status === 'committed') return true
      if (status === 'aborted') return false
      if (status === null || status === undefined) return null
      await sleep(POLL_MS)
    }
  } catch (error) {
    if (isConnectionLoss(error)) throw error
    // A server that replaced the old one may not know the id: `landed` decides then.
  }
  return null
}

/**
 * Waits until the server process of a broken connection is gone, so that it can neither commit nor hold locks. After
 * `GRACE_MS` the process is terminated.
 * @returns false if it still exists after `TOTAL_WAIT_MS`
 */
export async function backendIsGone(reader: Asked, { pid, startedAt }: Backend): Promise<boolean> {
  const those = 'FROM pg_catalog.pg_stat_activity WHERE pid = ? AND backend_start = CAST(? AS timestamptz)'
  for (let waited = 0; waited <= TOTAL_WAIT_MS; waited += POLL_MS) {
    const what = waited < GRACE_MS ? 'pid' : 'pg_catalog.pg_terminate_backend(pid)'
    const left = await reader.all(`SELECT ${what} ${those}`, [pid, startedAt])
    if (left.length === 0) return true
    await sleep(POLL_MS)
  }
  return false
}
