/** How the transaction of a chunk ends: committed, given up to another owner, or a question for the server. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SluiceError } from '../../../shared/errors.ts'
import type { Closing, Statement } from '../../copy-port.ts'
import { retrying } from '../../retry.ts'
import { connectionLost, isConnectionLoss, postgresError } from '../errors.ts'
import { backendIsGone } from '../settle.ts'
import type { PostgresSettings } from '../settings.ts'
import { CopySession } from './session.ts'
import { literal } from './sql.ts'
import { underSignal } from './under-signal.ts'

const POLL_MS = 50
const MOST_POLLS = 100

/**
 * Runs the statements that close a chunk, and commits.
 * @returns `fenced` where the first of them changes nothing, and nothing is committed
 * @throws SluiceError CONNECTION_LOST where nothing was committed, COMMIT_UNKNOWN where nobody can tell
 */
export async function commitChunk(
  session: CopySession,
  { statements, landed }: Closing,
  settings: PostgresSettings,
  signal: AbortSignal,
): Promise<'committed' | 'fenced'> {
  const id = await underSignal(session, signal, () => closed(session, statements, settings))
  if (id === null) {
    await session.ask('ROLLBACK')
    return 'fenced'
  }
  try {
    // Not to be broken off: an answer that nobody waits for would have to be found out.
    const { command } = await session.run('COMMIT')
    if (command === 'COMMIT') return 'committed'
  } catch (error) {
    if (!isConnectionLoss(error)) throw error
    if (await hasCommitted(session, id, landed, settings, error)) return 'committed'
    throw connectionLost(error, settings)
  }
  throw new SluiceError('INTERNAL', 'PostgreSQL rolled a chunk back and did not say why')
}

/** The transaction's id; null where somebody else has the chunk. */
async function closed(
  session: CopySession,
  statements: readonly Statement[],
  settings: PostgresSettings,
): Promise<string | null> {
  try {
    for (const [i, { sql, parameters }] of statements.entries()) {
      const { changed } = await session.run(sql, parameters)
      if (i === 0 && changed !== 1) return null
    }
    const [row] = await session.ask('SELECT pg_catalog.pg_current_xact_id()')
    return row?.[0] ?? ''
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

/**
 * Asks over a new connection, once the server's old process is gone: while it lives, the commit may still be on its way.
 * @throws SluiceError COMMIT_UNKNOWN
 */
async function hasCommitted(
  { backend }: CopySession,
  id: string,
  landed: Statement,
  settings: PostgresSettings,
  lost: unknown,
): Promise<boolean> {
  try {
    return await retrying(
      async () => {
        const session = await CopySession.open(settings, 'read')
        try {
          if (!(await backendIsGone(session, backend))) throw new Error('the server still works on it')
          return await verdict(session, id, landed)
        } finally {
          await session.close()
        }
      },
      { transient: isConnectionLoss, forMs: settings.retryMs },
    )
  } catch (error) {
    throw new SluiceError('COMMIT_UNKNOWN', 'the connection broke while a chunk was being committed', {
      where: settings.label,
      reason: `what became of it could not be found out: ${(error as Error).message}`,
      hint: 'run the same command again: it reads what is there and goes on from it',
      retryable: true,
      cause: lost,
    })
  }
}

async function verdict(session: CopySession, id: string, landed: Statement): Promise<boolean> {
  try {
    for (let polls = 0; polls < MOST_POLLS; polls++) {
      const [row] = await session.ask(`SELECT pg_catalog.pg_xact_status(${literal(id)}::xid8)`)
      if (row?.[0] === 'committed') return true
      if (row?.[0] === 'aborted') return false
      if (row?.[0] == null) break
      await sleep(POLL_MS)
    }
  } catch (error) {
    if (isConnectionLoss(error)) throw error
    // Another server has taken the old one's place and never heard of the transaction: its ledger holds what is true now.
  }
  return (await session.all(landed.sql, landed.parameters)).length > 0
}
