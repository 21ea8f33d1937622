/** Waits for transactions of other sessions, and reports them. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { waitUntil, type Wait } from '../../common/wait-for-transactions.ts'
import { treeSql } from './relation.ts'
import type { CopySession } from './session.ts'
import { literal, tableSql } from './sql.ts'

/** @property session reads the open transactions while another session waits for them */
export type PostgresWait = Wait & { readonly session: CopySession }

/**
 * Transactions whose end is awaited. A replication slot starts after all transactions with an id on the server, in any
 * database. A snapshot that shows all changes must start after all transactions of its own database. A lock waits for
 * sessions that hold conflicting locks on the table.
 * @property without pid of a session of sluice, which is left out
 */
export type WaitsFor =
  | { readonly of: 'server'; readonly without?: number }
  | { readonly of: 'database' }
  | { readonly of: 'table'; readonly table: TableName; readonly lock: keyof typeof COMPATIBLE_LOCKS }

const SERVER: WaitsFor = { of: 'server' }

/** For each wanted lock of a table: the locks of other sessions that do not conflict with it. */
const COMPATIBLE_LOCKS = {
  'SHARE UPDATE EXCLUSIVE': ['AccessShareLock', 'RowShareLock', 'RowExclusiveLock'],
  'SHARE ROW EXCLUSIVE': ['AccessShareLock', 'RowShareLock'],
  'ACCESS EXCLUSIVE': [],
} as const

/** SQL condition on a lock `l`: its holder has a transaction id. */
export const NUMBERED = "l.locktype = 'transactionid' AND l.granted AND l.mode = 'ExclusiveLock'"

/** Texts of the sessions and prepared transactions that are awaited, the oldest transaction first. */
export async function openTransactions(session: CopySession, waitsFor: WaitsFor = SERVER): Promise<readonly string[]> {
  const { holding, prepared } = holdersOf(waitsFor)
  const without = waitsFor.of === 'server' ? (waitsFor.without ?? 0) : 0
  const here = waitsFor.of === 'server' ? '' : 'AND a.datname = pg_catalog.current_database()'
  const rows = await session.ask(
    `SELECT * FROM (
       SELECT 'session ' || l.pid::text || ' of ' || coalesce(a.usename::text, nullif(a.backend_type, 'client backend'), '?') || ' in database ' || coalesce(a.datname::text, '?')
           || coalesce(' (' || nullif(a.application_name, '') || ')', '') AS who,
         extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::bigint AS age
       FROM (SELECT DISTINCT pid FROM pg_catalog.pg_locks l WHERE l.granted AND ${holding}) l
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
       WHERE l.pid IS NOT NULL AND l.pid NOT IN (pg_catalog.pg_backend_pid(), ${without}) ${here}
       UNION ALL
       SELECT 'prepared transaction ' || pg_catalog.quote_literal(gid) || ' of ' || owner::text || ' in database ' || database::text,
         extract(epoch FROM pg_catalog.clock_timestamp() - prepared)::bigint
       FROM pg_catalog.pg_prepared_xacts x WHERE ${prepared}) t
     ORDER BY age DESC NULLS LAST, who`,
  )
  return rows.map(([who, age]) => (age == null ? (who ?? '') : `${who}, open for ${age} s`))
}

/** SQL conditions: on a lock `l` of a session that is awaited, and on a prepared transaction `x` that is awaited. */
function holdersOf(waitsFor: WaitsFor): { readonly holding: string; readonly prepared: string } {
  if (waitsFor.of === 'server') return { holding: NUMBERED, prepared: 'true' }
  const here = 'x.database = pg_catalog.current_database()'
  if (waitsFor.of === 'database') return { holding: NUMBERED, prepared: here }
  const tables = treeSql(`pg_catalog.to_regclass(${literal(tableSql(waitsFor.table))})::oid`)
  const modes = COMPATIBLE_LOCKS[waitsFor.lock].map(literal)
  const held =
    `locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())` +
    ` AND l.relation IN (${tables})${modes.length === 0 ? '' : ` AND l.mode NOT IN (${modes.join(', ')})`}`
  const own = `EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid IS NULL AND pg_catalog.split_part(l.virtualtransaction, '/', 2) = x.transaction::text AND ${held})`
  return { holding: held, prepared: `${here} AND ${own}` }
}

/** As `waitUntil`. @throws SluiceError SOURCE_BUSY after the limit */
export function waitPostgresUntil(
  wait: PostgresWait,
  what: string,
  isSo: () => Promise<boolean>,
  waitsFor: WaitsFor,
): Promise<void> {
  return waitUntil(wait, what, isSo, {
    open: () => openTransactions(wait.session, waitsFor),
    hidden: 'the server does not show them to this role',
    code: 'SOURCE_BUSY',
  })
}
