/** The lock timeout of a session. */
import type { MysqlSession } from './session.ts'

/**
 * Sets the lock timeout of a session, in whole seconds, for some of its statements. The caller must restore the former
 * timeout, with which later statements wait long enough.
 * @returns restores the former timeout; a session in which that fails is closed
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
