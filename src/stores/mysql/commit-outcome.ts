/** Finds out whether a transaction of a catalog, ledger or chunk was committed if COMMIT got no reply. */
import { SluiceError } from '../../shared/errors.ts'
import { retrying } from '../common/retry.ts'
import type { MysqlConfig } from './config.ts'
import { ended } from './session-end.ts'
import type { MysqlSession } from './session.ts'
import { isMysqlTransient, isTransientBeforeLogin } from './transaction.ts'

export type MysqlLostCommit<T> = {
  /** User lock of the session that sent the COMMIT, and of no other; null if the server has no such locks. */
  readonly mark: string | null
  /** How long the server may take to end that session, in milliseconds: it rolls back first. */
  readonly endMs: number
  /**
   * Reads what is stored now; undefined if nothing identifies the rows of this transaction. It is called after the old
   * session has lost the possibility to commit.
   */
  readonly answer: ((asker: MysqlSession) => Promise<T>) | undefined
  /** Error that ended the connection before COMMIT was answered. */
  readonly lost: unknown
  /** Runs the body on another connection. */
  ask<R>(body: (asker: MysqlSession) => Promise<R>): Promise<R>
}

/** @throws SluiceError COMMIT_UNKNOWN if the outcome cannot be found out */
export async function commitOutcome<T>(config: MysqlConfig, commit: MysqlLostCommit<T>): Promise<T> {
  const { mark, endMs, answer, lost, ask } = commit
  const unknown = (reason: string, cause: unknown): SluiceError =>
    new SluiceError('COMMIT_UNKNOWN', 'the connection broke during COMMIT', {
      where: config.label,
      reason,
      hint: 'run the same command again: it first reads the present state',
      cause,
    })
  if (answer === undefined) throw unknown('it is unknown whether this transaction was committed', lost)
  if (mark === null) throw unknown('the server does not report whether the old session has ended', lost)
  let found: { readonly said: T } | null
  try {
    found = await retrying(
      () => ask(async (asker) => ((await ended(mark, asker, endMs)) ? { said: await answer(asker) } : null)),
      { forMs: config.retryMs, transient: (error) => isMysqlTransient(error) || isTransientBeforeLogin(error) },
    )
  } catch (error) {
    throw unknown('the server could not be queried afterwards', error)
  }
  if (found === null) throw unknown('the old session still runs on the server', lost)
  return found.said
}
