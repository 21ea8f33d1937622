/** Finds out, over another session, whether a session whose connection broke has ended or still works. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { MysqlSession } from './session.ts'

const BETWEEN_MS = 50
/** The server's error numbers for "there is no such session" and "this session is not yours". */
const NO_SUCH_SESSION = 1094
const NOT_YOURS = 1095

/**
 * Ends a session and waits until the server has rolled its transaction back, or has finished the commit it was in. The
 * session is found by the lock that only it holds, because after a restart its connection id may be another session's.
 * @returns true if the session has certainly ended; false if this is unknown after `waitMs`
 */
export async function ended(mark: string, asker: MysqlSession, waitMs: number): Promise<boolean> {
  const deadline = performance.now() + waitMs
  for (;;) {
    const [[holder] = []] = await asker.rows('SELECT IS_USED_LOCK(?)', [mark])
    if (holder === null || holder === undefined) return true
    if (performance.now() > deadline) return false
    await kill(Number(holder), asker)
    await sleep(BETWEEN_MS)
  }
}

/** True if the server still works on the statement of a silent session. */
export async function isMysqlWorking(session: MysqlSession, asker: MysqlSession): Promise<boolean> {
  const [[command, state] = []] = await asker.rows(
    'SELECT command, state FROM information_schema.processlist WHERE id = ?',
    [session.facts.id],
  )
  if (session.mark !== null) {
    const [[holder] = []] = await asker.rows('SELECT IS_USED_LOCK(?)', [session.mark])
    if (holder === null || Number(holder) !== session.facts.id) return false
  }
  // A server that waits for the client to read or write is not working: the connection is dead.
  return typeof command === 'string' && command !== 'Sleep' && !/\bnet$|to client$/i.test(String(state))
}

async function kill(id: number, asker: MysqlSession): Promise<void> {
  try {
    await asker.command(`KILL CONNECTION ${id}`)
  } catch (error) {
    const { cause } = error as { readonly cause?: unknown }
    const { errno } = (cause ?? error) as { readonly errno?: unknown }
    if (errno !== NO_SUCH_SESSION && errno !== NOT_YOURS) throw error
  }
}
