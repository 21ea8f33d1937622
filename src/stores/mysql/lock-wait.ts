/** The lock timeout of a session. */
import type { MysqlSession } from './session.ts'

/**
 * Sets the lock timeout of a session, in whole seconds. The caller must call the returned function after the statements
 * that need it: with a short timeout later statements would fail.
 * @returns function that restores the former timeout; if that fails, it closes the session and throws
 */
export async function setMysqlLockWait(session: MysqlSession, seconds: number): Promise<() => Promise<void>> {
  await session.command(`SET @sluice_lock_wait = @@SESSION.lock_wait_timeout, SESSION lock_wait_timeout = ${seconds}`)
  return async () => {
    if (!session.alive) return
    try {
      await session.command('SET SESSION lock_wait_timeout = @sluice_lock_wait')
    } catch (error) {
      session.destroy()
      throw error
    }
  }
}
