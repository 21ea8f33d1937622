/** End of a chunk's transaction: committed, fenced by another owner, or unknown until the server is asked. */
import { SluiceError } from '../../../shared/errors.ts'
import type { Closing, Statement } from '../../../model/run/ledger-port.ts'
import { retrying } from '../../common/retry.ts'
import { connectionLost, isConnectionLoss, postgresError } from '../server/server-errors.ts'
import { isCommitted, type PostgresLostCommit } from '../server/commit-outcome.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { CopySession } from '../server/session.ts'
import { underSignal } from '../server/under-signal.ts'

/**
 * A query that runs after all statements of a transaction, without another round trip.
 * @property see checks the value; if it throws, nothing is committed
 */
export type LastState = { readonly sql: string; readonly see: (found: string | null) => Promise<void> }

/**
 * Runs the statements that close a chunk, or other ledger statements, and commits.
 * @returns `fenced` if the first statement does not change exactly one row; then nothing is committed
 * @throws SluiceError CONNECTION_LOST if nothing was committed, COMMIT_UNKNOWN if the result cannot be found out
 */
export async function commitChunk(
  session: CopySession,
  { statements, landed }: Closing,
  settings: PostgresSettings,
  signal: AbortSignal,
  what: PostgresLostCommit<CopySession>['what'] = 'a chunk',
  last?: LastState,
): Promise<'committed' | 'fenced'> {
  const end = await underSignal(session, signal, () => closed(session, statements, settings, last?.sql))
  if (end === null) {
    await session.ask('ROLLBACK')
    return 'fenced'
  }
  const { id, found } = end
  await last?.see(found)
  // Not cancelled by the signal: without the reply the result would have to be found out.
  const ending = await session.commit()
  if (ending === 'committed') return 'committed'
  if (ending === 'rolled back') {
    throw new SluiceError('INTERNAL', `PostgreSQL rolled back ${what} without a reason`)
  }
  if (await hasCommitted(session, { id, landed, what, lost: ending.lost }, settings)) return 'committed'
  throw connectionLost(ending.lost, settings)
}

/** Runs the statements. @returns transaction id, and result of `query`; null if the chunk has another owner */
async function closed(
  session: CopySession,
  statements: readonly Statement[],
  settings: PostgresSettings,
  query = 'NULL',
): Promise<{ readonly id: string; readonly found: string | null } | null> {
  try {
    for (const [i, { sql, parameters }] of statements.entries()) {
      const changed = await session.run(sql, parameters)
      if (i === 0 && changed !== 1) return null
    }
    const [row] = await session.ask(`SELECT pg_catalog.pg_current_xact_id(), (${query})`)
    return { id: row?.[0] ?? '', found: row?.[1] ?? null }
  } catch (error) {
    const known = postgresError(error, settings)
    if (known instanceof SluiceError) throw known
    // The ledger failed, not a row.
    throw new SluiceError('TARGET_IO', `the ledger cannot be written: ${(error as Error).message}`, {
      where: settings.label,
      cause: error,
    })
  }
}

/** True if the transaction is committed; queried on a new connection. @throws SluiceError COMMIT_UNKNOWN */
function hasCommitted(
  { backend }: CopySession,
  { landed, ...end }: Pick<PostgresLostCommit<CopySession>, 'what' | 'lost'> & { id: string; landed: Statement },
  settings: PostgresSettings,
): Promise<boolean> {
  return isCommitted<CopySession>({
    ...end,
    backend,
    landed: async (session) => (await session.all(landed.sql, landed.parameters)).length > 0,
    label: settings.label,
    ask: (body) =>
      retrying(
        async () => {
          await using session = await CopySession.open(settings, 'read')
          return await body(session)
        },
        { transient: isConnectionLoss, forMs: settings.retryMs },
      ),
  })
}
