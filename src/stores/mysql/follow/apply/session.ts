/** Sessions that apply changes: as those that write a copy, without foreign keys, which the source has checked. */
import type { MysqlConfig } from '../../config.ts'
import { openCopySession } from '../../copy/sessions.ts'
import type { Session } from '../../session.ts'

/** @throws SluiceError CONNECT_FAILED, TLS_FAILED */
export async function openApplySession(config: MysqlConfig): Promise<Session> {
  const session = await openCopySession(config, 'write')
  try {
    // Unique values are checked all the same: a row that another one holds back must not vanish.
    await session.command('SET SESSION foreign_key_checks = 0, SESSION unique_checks = 1')
    return session
  } catch (error) {
    session.destroy()
    throw error
  }
}
