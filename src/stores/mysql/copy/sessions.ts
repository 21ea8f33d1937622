/** Sessions of a copy, with more settings than the catalog's; and how to stop their statements. */
import { throwIfAborted } from '../../../shared/abort.ts'
import type { MysqlConfig } from '../config.ts'
import type { MysqlSessionPurpose } from '../connect.ts'
import { mysqlErrorNumber } from '../errors.ts'
import type { MysqlSession } from '../session.ts'
import { asking, connectTo } from '../sessions.ts'

/** Error number: there is no such session. */
const NO_SUCH_SESSION = 1094

/**
 * Settings of writing sessions. All warnings are kept, because they distinguish an existing row from a truncated value,
 * and each row may cause some.
 */
const FOR_WRITING = [
  "sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')",
  'sql_notes = 1',
  'max_error_count = 65535',
  'foreign_key_checks = 1',
  'unique_checks = 1',
]
/**
 * Settings of sessions in MariaDB: a reading session may be idle for as long as the write to the target takes, and no
 * row may pass a CHECK that it violates.
 */
const OF_MARIADB = [
  'idle_transaction_timeout = 0',
  'idle_readonly_transaction_timeout = 0',
  'idle_write_transaction_timeout = 0',
  'check_constraint_checks = 1',
]

/** @throws SluiceError CONNECT_FAILED, TLS_FAILED */
export async function openCopySession(config: MysqlConfig, purpose: MysqlSessionPurpose): Promise<MysqlSession> {
  const session = await connectTo(config, purpose)
  try {
    const settings = [
      "lc_messages = 'en_US'",
      ...(session.facts.flavour === 'mariadb' ? OF_MARIADB : []),
      ...(purpose === 'write' ? FOR_WRITING : []),
      // The server accepts only whole seconds.
      ...(purpose === 'read' && config.lockWaitMs !== undefined
        ? [`lock_wait_timeout = ${Math.max(1, Math.ceil(config.lockWaitMs / 1000))}`]
        : []),
    ]
    await session.command(`SET ${settings.map((setting) => `SESSION ${setting}`).join(', ')}`)
    if (purpose === 'read') await leaveLog(session)
    return session
  } catch (error) {
    session.destroy()
    throw error
  }
}

/**
 * Switches the binary log off for a reading session. In MariaDB with a binary log, only such a session can release the
 * metadata locks of tables that its snapshot has read; until then nothing can alter these tables. Needs the right
 * BINLOG ADMIN; without it the tables cannot be altered while the view is open.
 */
async function leaveLog(session: MysqlSession): Promise<void> {
  try {
    await session.command('SET SESSION sql_log_bin = 0')
  } catch (error) {
    if (session.broken !== null) throw error
  }
}

/**
 * Until the returned function is called, the signal kills the session's statement at the server. The connection and its
 * snapshot stay. A result that was cut short may seem complete: the reader checks the signal at the end of the result.
 */
export function stopOn(config: MysqlConfig, session: MysqlSession, signal: AbortSignal): () => Promise<void> {
  let stopping: Promise<void> | null = null
  const stop = (): void => {
    stopping = endStatement(config, session)
  }
  signal.addEventListener('abort', stop)
  return async () => {
    signal.removeEventListener('abort', stop)
    await stopping
  }
}

/** Runs a body whose statements end at the server when the signal fires. @throws the signal's reason */
export async function interruptibleMysql<T>(
  config: MysqlConfig,
  session: MysqlSession,
  signal: AbortSignal,
  body: () => Promise<T>,
): Promise<T> {
  throwIfAborted(signal)
  const undo = stopOn(config, session, signal)
  try {
    const result = await body()
    throwIfAborted(signal)
    return result
  } catch (error) {
    throwIfAborted(signal)
    throw error
  } finally {
    await undo()
  }
}

/** Kills the current statement of a session over another connection; if that fails, the session is closed. */
export async function endStatement(config: MysqlConfig, session: MysqlSession): Promise<void> {
  try {
    await asking(config, async (asker) => await asker.command(`KILL QUERY ${session.facts.id}`))
  } catch (error) {
    if (mysqlErrorNumber(error) !== NO_SUCH_SESSION) session.destroy()
    return
  }
  session.dropStream()
  // A KILL that arrives after the end of the statement ends the next statement of the session: run an empty one.
  if (session.broken === null) await session.command('DO 0').catch(() => undefined)
}
