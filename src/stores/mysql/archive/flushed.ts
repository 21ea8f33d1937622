/** Waits for commits that the server has acknowledged and not yet written to its disk. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SluiceError } from '../../../shared/errors.ts'
import type { MysqlSession } from '../session.ts'

const POLL_MS = 200
/** Longest wait, ms. By default the server writes its log once a second (innodb_flush_log_at_timeout). */
const LONGEST_MS = 30_000

/** Current position of the log, and the position that is on disk; in MariaDB, and in MySQL from 8.0.30 on. */
const POSITIONS = [
  ['innodb_lsn_current', 'innodb_lsn_flushed'],
  ['innodb_redo_log_current_lsn', 'innodb_redo_log_flushed_to_disk_lsn'],
] as const

/**
 * Returns once all committed changes are on disk. A commit itself waits for the disk only if
 * `innodb_flush_log_at_trx_commit` is 1 (or 3), which no session can choose.
 * @returns TARGET_DENIED if the server neither writes its log on request nor shows how far it is written; null
 * otherwise
 */
export async function untilFlushed(session: MysqlSession, label: string): Promise<SluiceError | null> {
  const [row] = await session.rows('SELECT @@GLOBAL.innodb_flush_log_at_trx_commit')
  const setting = String(row?.[0] ?? '1')
  if (setting !== '0' && setting !== '2') return null
  const wanted = (await positions(session))?.current ?? null
  const asked = await session.command('FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS').then(
    () => true,
    () => false,
  )
  // FLUSH ENGINE LOGS of MySQL writes and syncs the log. MariaDB writes nothing at setting 0, and does not sync at 2.
  if (wanted === null && asked) return null
  for (let waited = 0; wanted !== null && waited < LONGEST_MS; waited += POLL_MS) {
    const now = await positions(session)
    if (now !== null && now.flushed >= wanted) return null
    await sleep(POLL_MS)
  }
  return new SluiceError('TARGET_DENIED', 'the server does not guarantee that its commits are on its disk', {
    where: label,
    reason: `innodb_flush_log_at_trx_commit is ${setting}: a crash may undo confirmed commits, and the next step cannot be undone`,
    hint: 'run SET GLOBAL innodb_flush_log_at_trx_commit = 1, GLOBAL innodb_flush_log_at_timeout = 1; then run the same command again',
  })
}

async function positions(
  session: MysqlSession,
): Promise<{ readonly current: bigint; readonly flushed: bigint } | null> {
  const names = POSITIONS.flat().map((name) => `'${name}'`)
  const rows = await session.rows(`SHOW GLOBAL STATUS WHERE Variable_name IN (${names.join(', ')})`)
  const found = new Map(rows.map(([name, value]) => [String(name).toLowerCase(), String(value)]))
  for (const [current, flushed] of POSITIONS) {
    const [at, to] = [found.get(current), found.get(flushed)]
    if (at !== undefined && to !== undefined) return { current: BigInt(at), flushed: BigInt(to) }
  }
  return null
}
