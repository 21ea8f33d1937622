/** How the transaction of a chunk ends: committed, given up to another owner, or a question for the server. */
import { SluiceError } from '../../../shared/errors.ts'
import type { Closing, Statement } from '../../../model/run/ledger-port.ts'
import { retrying } from '../../common/retry.ts'
import { connectionLost, isConnectionLoss, postgresError } from '../server/server-errors.ts'
import { hasLanded, type PostgresLostCommit } from '../server/settle.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { CopySession } from '../server/session.ts'
import { underSignal } from '../server/under-signal.ts'

/** A value that is asked for behind all statements of a transaction, in a message that is sent anyway. @property see may throw: nothing is committed then */
export type LastLook = { readonly sql: string; readonly see: (found: string | null) => Promise<void> }

/**
 * Runs the statements that close a chunk, or whatever else a ledger knows, and commits.
 * @returns `fenced` where the first of them changes nothing, and nothing is committed
 * @throws SluiceError CONNECTION_LOST where nothing was committed, COMMIT_UNKNOWN where nobody can tell
 */
export async function commitChunk(
  session: CopySession,
  { statements, landed }: Closing,
  settings: PostgresSettings,
  signal: AbortSignal,
  what: PostgresLostCommit<CopySession>['what'] = 'a chunk',
  last?: LastLook,
): Promise<'committed' | 'fenced'> {
  const end = await underSignal(session, signal, () => closed(session, statements, settings, last?.sql))
  if (end === null) {
    await session.ask('ROLLBACK')
    return 'fenced'
  }
  const { id, found } = end
  await last?.see(found)
  // Not to be broken off: an answer that nobody waits for would have to be found out.
  const ending = await session.commit()
  if (ending === 'committed') return 'committed'
  if (ending === 'rolled back') {
    throw new SluiceError('INTERNAL', `PostgreSQL rolled ${what} back and did not say why`)
  }
  if (await hasCommitted(session, { id, landed, what, lost: ending.lost }, settings)) return 'committed'
  throw connectionLost(ending.lost, settings)
}

/** The transaction's id, and what the last look found; null where somebody else has the chunk. */
async function closed(
  session: CopySession,
  statements: readonly Statement[],
  settings: PostgresSettings,
  look = 'NULL',
): Promise<{ readonly id: string; readonly found: string | null } | null> {
  try {
    for (const [i, { sql, parameters }] of statements.entries()) {
      const changed = await session.run(sql, parameters)
      if (i === 0 && changed !== 1) return null
    }
    const [row] = await session.ask(`SELECT pg_catalog.pg_current_xact_id(), (${look})`)
    return { id: row?.[0] ?? '', found: row?.[1] ?? null }
  } catch (error) {
    const known = postgresError(error, settings)
    if (known instanceof SluiceError) throw known
    // No row of the table is at fault.
    throw new SluiceError('TARGET_IO', `the ledger cannot be written: ${(error as Error).message}`, {
      where: settings.label,
      cause: error,
    })
  }
}

/** Asks over a new connection. @throws SluiceError COMMIT_UNKNOWN */
function hasCommitted(
  { backend }: CopySession,
  {
    id,
    landed,
    what,
    lost,
  }: Pick<PostgresLostCommit<CopySession>, 'what' | 'lost'> & { id: string; landed: Statement },
  settings: PostgresSettings,
): Promise<boolean> {
  return hasLanded<CopySession>({
    what,
    backend,
    id,
    landed: async (session) => (await session.all(landed.sql, landed.parameters)).length > 0,
    lost,
    label: settings.label,
    ask: (body) =>
      retrying(
        async () => {
          const session = await CopySession.open(settings, 'read')
          try {
            return await body(session)
          } finally {
            await session.close()
          }
        },
        { transient: isConnectionLoss, forMs: settings.retryMs },
      ),
  })
}
