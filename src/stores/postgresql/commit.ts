/** A write transaction that ends in one of three ways: committed, surely not committed, or a question for the database. */
import { SluiceError } from '../../shared/errors.ts'
import type { SqlReader, SqlTransaction } from '../port.ts'
import { isConnectionLoss } from './errors.ts'
import type { Session } from './session.ts'

export type Outcome<T> =
  | { readonly committed: true; readonly result: T }
  | { readonly committed: false; readonly result: T; readonly lost: unknown }

/**
 * BEGIN, body, COMMIT. Whatever is thrown means that nothing was committed.
 * @returns `committed: false` where the connection broke after COMMIT was sent and before it was answered
 */
export async function transact<T>(
  session: Session,
  body: (transaction: SqlTransaction) => Promise<T>,
): Promise<Outcome<T>> {
  await session.begin('ISOLATION LEVEL READ COMMITTED')
  const { transaction, end } = transactionOf(session)
  let result: T
  try {
    result = await body(transaction)
  } catch (error) {
    end()
    await rollBack(session)
    throw error
  }
  end()
  // Gone before COMMIT was sent: nothing to ask about.
  if (!session.alive) throw session.loss()
  try {
    // Where a statement failed and the body went on, COMMIT succeeds and rolls back.
    if ((await session.command('COMMIT')) === 'COMMIT') return { committed: true, result }
  } catch (error) {
    if (!isConnectionLoss(error)) {
      await rollBack(session)
      throw error
    }
    // A statement that failed before leaves nothing to commit.
    if (session.failure !== error) throw session.failure
    return { committed: false, result, lost: error }
  }
  throw session.failure ?? new SluiceError('INTERNAL', 'PostgreSQL rolled a transaction back and did not say why')
}

/** A transaction that sees one state of the database. */
export async function readOnly<T>(session: Session, body: (reader: SqlReader) => Promise<T>): Promise<T> {
  await session.begin('ISOLATION LEVEL REPEATABLE READ, READ ONLY')
  const { transaction, end } = transactionOf(session)
  try {
    const { dialect, all, pages } = transaction
    return await body({ dialect, all, pages })
  } finally {
    end()
    await rollBack(session)
  }
}

/** Ends a transaction without its effects; a session that does not take even that is closed. */
export async function rollBack(session: Session): Promise<void> {
  if (!session.alive) return
  try {
    await session.command('ROLLBACK')
  } catch {
    await session.close()
  }
}

/** Statements on a session until its transaction ends: what a body leaves running must not meet the next one. */
function transactionOf(session: Session): { readonly transaction: SqlTransaction; end(): void } {
  let ended = false
  const open = (): Session => {
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
