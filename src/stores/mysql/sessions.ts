/** Sessions that detect a dead connection themselves, and short-lived sessions for a single question. */
import type { MysqlConfig } from './config.ts'
import { openMysqlSession, type MysqlSessionPurpose } from './connect.ts'
import { isMysqlWorking } from './session-end.ts'
import type { MysqlSession } from './session.ts'

/**
 * A session that, after a long silence, asks over a second connection whether the server still executes its statement.
 * @throws SluiceError CONNECT_FAILED, TLS_FAILED
 */
export function connectTo(config: MysqlConfig, purpose: MysqlSessionPurpose): Promise<MysqlSession> {
  return openMysqlSession(config, purpose, async (silent) => {
    try {
      return await asking(config, (asker) => isMysqlWorking(silent, asker), openMysqlSession)
    } catch {
      return false
    }
  })
}

/** Runs the body with a connection that is closed afterwards. @throws what connecting throws */
export async function asking<T>(
  config: MysqlConfig,
  body: (asker: MysqlSession) => Promise<T>,
  open: (config: MysqlConfig, purpose: MysqlSessionPurpose) => Promise<MysqlSession> = connectTo,
): Promise<T> {
  const asker = await open(config, 'read')
  try {
    return await body(asker)
  } finally {
    await asker.close()
  }
}
