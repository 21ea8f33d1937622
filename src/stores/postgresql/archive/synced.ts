/** Commits that the server answers and never writes to its disk. */
import { SluiceError } from '../../../shared/errors.ts'
import type { CopySession } from '../server/session.ts'

/**
 * Returns where a commit that waits for the disk gets there: sessions of ours wait (`durableSql`), and the server has to write.
 * @throws SluiceError TARGET_DENIED where `fsync` is off
 */
export async function refuseUnsynced(session: CopySession, label: string): Promise<void> {
  const [row] = await session.ask("SELECT pg_catalog.current_setting('fsync')")
  if (row?.[0] !== 'off') return
  throw new SluiceError('TARGET_DENIED', 'the server does not write its commits to its disk', {
    where: label,
    reason:
      'fsync is off: a crash of its machine may take back what it has answered, and the next step cannot be taken back',
    hint: 'ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf(); then run the same command again',
  })
}
