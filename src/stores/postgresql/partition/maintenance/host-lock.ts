/** One program at a time creates partitions of a table, from any host. */
import { restUnder, throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { CopySession } from '../../server/session.ts'

/** The letters `sluc`, in front of the OID of a table. */
const NAMESPACE = 0x736c7563n << 32n
/** The letters `sluf`. Triggers note changes only while a session has this lock: the session that reads the notes. */
const FOLLOWER = 0x736c7566n << 32n
const REST_MS = 50
const MOST_REST_MS = 500

/** Lock key of a session that follows the changes of a partition. @param oid of the partitioned table */
export function followerKey(oid: string): bigint {
  return FOLLOWER | BigInt(oid)
}

/** Takes the lock until the session ends. @throws SluiceError TARGET_BUSY after `retryLimitMs` */
export async function takeHostLock(
  session: CopySession,
  oid: string,
  {
    retryLimitMs,
    signal,
    table,
  }: { readonly retryLimitMs: number; readonly signal: AbortSignal; readonly table: string },
): Promise<void> {
  const key = NAMESPACE | BigInt(oid)
  const end = performance.now() + retryLimitMs
  for (let rest = REST_MS; ; rest = Math.min(rest * 2, MOST_REST_MS)) {
    throwIfAborted(signal)
    if (await session.isTrue(`SELECT pg_catalog.pg_try_advisory_lock(${key})`)) return
    if (performance.now() + rest > end) throw await otherHolds(session, key, table)
    await restUnder(signal, rest)
  }
}

async function otherHolds(session: CopySession, key: bigint, table: string): Promise<SluiceError> {
  const [row] = await session.ask(
    `SELECT l.pid, coalesce(a.application_name, ''), coalesce(a.client_addr::text, 'this host')
     FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = ${key >> 32n} AND l.objid = ${key & 0xffffffffn}
       AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`,
  )
  return new SluiceError('TARGET_BUSY', `another program creates partitions of ${table}`, {
    where: table,
    ...(row === undefined ? {} : { reason: `${row[1]} from ${row[2]} (process ${row[0]} of the server)` }),
    hint: 'wait until it has ended, then run the same command again',
    retryable: true,
  })
}
