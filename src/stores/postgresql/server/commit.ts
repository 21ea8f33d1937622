/**
 * A write transaction with three outcomes: committed, certainly not committed, or unknown until the database is asked.
 */
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlReader, SqlTransaction } from '../../../model/run/sql-port.ts'
import type { CopySession } from './session.ts'
import type { SqlSession } from './sql-session.ts'

export type PostgresCommit<T> =
  | { readonly committed: true; readonly result: T }
  | { readonly committed: false; readonly result: T; readonly lost: unknown }

/**
 * BEGIN, body, COMMIT. If it throws, nothing was committed.
 * @returns `committed: false` if the connection broke after COMMIT was sent and before the reply
 */
export async function transact<T>(
  session: SqlSession,
  body: (transaction: SqlTransaction) => Promise<T>,
): Promise<PostgresCommit<T>> {
  await session.begin('ISOLATION LEVEL READ COMMITTED')
  const { transaction, end } = transactionOf(session)
  let result: T
  try {
    result = await body(transaction)
  } catch (error) {
    end()
    await session.rollBack()
    throw error
  }
  end()
  // The connection broke before COMMIT was sent: nothing was committed.
  if (!session.alive) throw session.loss()
  const ending = await session.commit().catch(async (error: unknown) => {
    await session.rollBack()
    throw error
  })
  if (ending === 'committed') return { committed: true, result }
  // If a statement failed and the body continued, the server answers COMMIT without an error, but rolls back.
  if (ending === 'rolled back') {
    throw session.failure ?? new SluiceError('INTERNAL', 'PostgreSQL rolled back a transaction without a reason')
  }
  // An earlier statement failed, so nothing can have been committed.
  if (session.failure !== ending.lost) throw session.failure
  return { committed: false, result, lost: ending.lost }
}

/** Runs the body in a read-only transaction with one snapshot. @param begin begins a transaction of the given kind */
export async function readOnly<T>(
  session: SqlSession,
  begin: (kind: string) => Promise<void>,
  body: (reader: SqlReader) => Promise<T>,
): Promise<T> {
  await begin('ISOLATION LEVEL REPEATABLE READ, READ ONLY')
  const { transaction, end } = transactionOf(session)
  try {
    const { dialect, all, pages } = transaction
    return await body({ dialect, all, pages })
  } finally {
    end()
    await session.rollBack()
  }
}

/** Statements on a session. They fail after `end`, so that late calls of a body do not reach the next transaction. */
function transactionOf(session: SqlSession): { readonly transaction: SqlTransaction; end(): void } {
  let ended = false
  const open = (): SqlSession => {
    if (ended) throw new Error('the transaction has ended')
    return session
  }
  return {
    end: () => (ended = true),
    transaction: {
      dialect: 'postgresql',
      all: async (sql, parameters = []) => open().all(sql, parameters),
      async *pages(sql, parameters, pageRows) {
        for await (const page of open().pages(sql, parameters, pageRows)) {
          yield page
          open()
        }
      },
      run: async (sql, parameters = []) => open().run(sql, parameters),
      script: async (sql) => open().script(sql),
      load: async (table, columns, rows) => open().load(table, columns, rows),
    },
  }
}

/**
 * Checks that commits reach the disk. The sessions wait for that (`durableSql`), but the server must also use fsync.
 * @returns TARGET_DENIED if `fsync` is off; else null
 */
export async function unsynced(session: CopySession, label: string): Promise<SluiceError | null> {
  const [row] = await session.ask("SELECT pg_catalog.current_setting('fsync')")
  if (row?.[0] !== 'off') return null
  return new SluiceError('TARGET_DENIED', 'the server does not write its commits to its disk', {
    where: label,
    reason: 'fsync is off: a crash of its machine may undo confirmed commits, and the next step cannot be undone',
    hint: 'ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf(); then run the same command again',
  })
}
