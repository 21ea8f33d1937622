/** Sessions that detect a dead connection themselves, and short-lived sessions for a single question. */
import type { MysqlConfig } from './config.ts'
import { openSession, type Purpose } from './connect.ts'
import { isWorking } from './fate.ts'
import type { Session } from './session.ts'

/**
 * A session that, after a long silence, asks over a second connection whether the server still works for it.
 * @throws SluiceError CONNECT_FAILED, TLS_FAILED
 */
export function connectTo(config: MysqlConfig, purpose: Purpose): Promise<Session> {
  return openSession(config, purpose, async (silent) => {
    try {
      return await asking(config, (asker) => isWorking(silent, asker), openSession)
    } catch {
      return false
    }
  })
}

/** Runs the body with a connection that is closed afterwards. @throws what connecting throws */
export async function asking<T>(
  config: MysqlConfig,
  body: (asker: Session) => Promise<T>,
  open: (config: MysqlConfig, purpose: Purpose) => Promise<Session> = connectTo,
): Promise<T> {
  const asker = await open(config, 'read')
  try {
    return await body(asker)
  } finally {
    await asker.close()
  }
}
