/** Preflight check of server, role and tables: reports every obstacle at once, before anything is created. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FollowedTable, FollowPreflight, FollowRefusal, LogSpace } from '../../../../model/follow/port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { inspectTables } from './preflight-tables.ts'
import { openTransactions } from '../../server/waiting.ts'

const OLDEST = 140_000
/** How long the growth of the log is measured, in ms. */
const RATE_MS = 500

const NOT_REPORTED =
  'the stream reports only rows, not DDL, positions of sequences, large objects, or TRUNCATE of a single partition. DDL halts the stream, which names the table to copy again'

export async function inspectSource(
  session: CopySession,
  tables: readonly FollowedTable[],
  signal: AbortSignal,
): Promise<FollowPreflight> {
  const server = await inspectServer(session)
  const { refusals, identities } = await inspectTables(session, tables, 'slot')
  const open = await openTransactions(session)
  const notes = [
    ...(open.length === 0 ? [] : [`the slot is created when these transactions have ended: ${open.join('; ')}`]),
    NOT_REPORTED,
  ]
  const all = [...server, ...refusals]
  // A refused source needs no free space.
  return { refusals: all, notes, identities, wal: all.length > 0 ? null : await readLogSpace(session, signal) }
}

async function inspectServer(session: CopySession): Promise<readonly FollowRefusal[]> {
  const [row] = await session.ask(
    `SELECT pg_catalog.current_setting('wal_level'), pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('max_replication_slots'), (SELECT count(*) FROM pg_catalog.pg_replication_slots),
       pg_catalog.current_setting('max_wal_senders'), (SELECT count(*) FROM pg_catalog.pg_stat_replication),
       r.rolsuper OR r.rolreplication OR EXISTS (
         -- Amazon RDS grants the right by membership in this role.
         SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_replication' AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')),
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), pg_catalog.quote_ident(r.rolname),
       pg_catalog.quote_ident(pg_catalog.current_database())
     FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`,
  )
  const texts = (row ?? []).map((text) => text ?? '')
  const [level, recovering, slots = '', usedSlots = '', senders = '', usedSenders = ''] = texts
  const [replication, create, role, database] = texts.slice(6)
  const standby = recovering === 't'
  const refusals: FollowRefusal[] = []
  const refuse = (is: boolean, message: string, hint: string): void => void (is && refusals.push({ message, hint }))
  refuse(
    session.version < OLDEST,
    `the server is PostgreSQL ${Math.floor(session.version / 10_000)}; replication needs 14 or newer`,
    'upgrade the server, or copy without a stream',
  )
  refuse(
    standby,
    session.version < 160_000
      ? 'the server is a standby, and a standby has no logical replication slots before PostgreSQL 16'
      : 'the server is a standby, and changes can be replicated only from a primary',
    'use the primary server',
  )
  refuse(
    level !== 'logical',
    `wal_level is ${level}, but a stream needs logical`,
    "ALTER SYSTEM SET wal_level = 'logical', then restart the server",
  )
  refuse(
    Number(usedSlots) >= Number(slots),
    `all replication slots are in use: ${usedSlots} of max_replication_slots = ${slots} are in use`,
    'sluice slots lists them; remove one, or raise max_replication_slots and restart the server',
  )
  refuse(
    Number(usedSenders) >= Number(senders),
    `all walsenders are in use: ${usedSenders} of max_wal_senders = ${senders} are in use`,
    'raise max_wal_senders and restart the server',
  )
  refuse(
    replication !== 't',
    `role ${role} may not use replication slots`,
    `ALTER ROLE ${role} REPLICATION (on Amazon RDS: GRANT rds_replication TO ${role})`,
  )
  refuse(
    create !== 't',
    `role ${role} may not create a publication in database ${database}`,
    `GRANT CREATE ON DATABASE ${database} TO ${role}`,
  )
  const prepared = await session.ask(
    `SELECT pg_catalog.quote_literal(gid), owner, database, extract(epoch FROM pg_catalog.clock_timestamp() - prepared)::bigint
     FROM pg_catalog.pg_prepared_xacts ORDER BY prepared`,
  )
  for (const [gid, owner, where, age] of prepared) {
    refuse(
      true,
      `prepared transaction ${gid} of ${owner} in database ${where} is open for ${age} s, and a slot can be created only after its end`,
      `COMMIT PREPARED ${gid} or ROLLBACK PREPARED ${gid}, in database ${where}`,
    )
  }
  return refusals
}

/** Limit and growth of the log kept for slots. `freeBytes` is null: a server does not report the free disk space. */
async function readLogSpace(session: CopySession, signal: AbortSignal): Promise<LogSpace> {
  const [row] = await session.ask(
    `SELECT setting::bigint * 1024 * 1024, pg_catalog.pg_current_wal_insert_lsn() FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'`,
  )
  const [limit, before] = row ?? []
  const start = performance.now()
  await sleep(RATE_MS, undefined, { signal }).catch(() => undefined)
  const [written] = await session.ask(
    `SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), ${literal(before ?? '0/0')})`,
  )
  const seconds = (performance.now() - start) / 1000
  return {
    limitBytes: limit == null || limit.startsWith('-') ? null : BigInt(limit),
    freeBytes: null,
    bytesPerSecond: Number(written?.[0] ?? 0) / seconds,
  }
}
