/** Sessions that use a table now. */
import type { DecommissionFinding } from '../../../../model/partition/decommission-port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

/** Sessions that hold or wait for locks of the table, or run a statement that names it; also prepared transactions. */
export async function usersNow(
  session: CopySession,
  oid: string,
  name: string,
): Promise<readonly DecommissionFinding[]> {
  const here = '(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())'
  const rows = await session.ask(
    `WITH l AS (SELECT pid, virtualtransaction, pg_catalog.string_agg(DISTINCT mode || CASE WHEN granted THEN '' ELSE ' (waits)' END, ', ') AS modes
                FROM pg_catalog.pg_locks WHERE relation = ${literal(oid)}::oid AND database = ${here} AND pid IS DISTINCT FROM pg_catalog.pg_backend_pid() GROUP BY 1, 2)
     SELECT a.pid::text, coalesce(nullif(a.application_name, ''), a.backend_type, 'a session'), a.usename, coalesce(a.state, 'unknown'), l.modes, NULL
     FROM pg_catalog.pg_stat_activity a LEFT JOIN l ON l.pid = a.pid
     WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.datid = ${here}
       AND (l.pid IS NOT NULL OR (a.state <> 'idle' AND pg_catalog.strpos(a.query, ${literal(name)}) > 0))
     UNION ALL
     SELECT NULL, NULL, NULL, NULL, l.modes, p.gid FROM l JOIN pg_catalog.pg_locks x ON x.pid IS NULL AND x.locktype = 'transactionid' AND x.granted
       AND x.virtualtransaction = l.virtualtransaction JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
     WHERE l.pid IS NULL
     ORDER BY 6, 1`,
  )
  const found = rows.map(([pid, program, user, state, modes, gid]): DecommissionFinding => ({
    verdict: 'look',
    about: gid == null ? 'session' : 'prepared transaction',
    object: gid ?? `process ${pid ?? ''}`,
    detail:
      gid == null
        ? `${program ?? ''}${user == null ? '' : ` of ${user}`} (${state ?? ''}) ${modes == null ? 'runs a statement with the name of the table' : `has locks of the table: ${modes}`}`
        : `has locks of the table: ${modes ?? ''}`,
    hint: 'find the program of this session: it still uses the old table',
  }))
  return [...found, ...(await unseen(session))]
}

/** Statements of other roles that this login may not read. */
async function unseen(session: CopySession): Promise<readonly DecommissionFinding[]> {
  const [row] = await session.ask(
    `SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND query = '<insufficient privilege>'`,
  )
  if (row?.[0] == null || row[0] === '0') return []
  return [
    {
      verdict: 'not known',
      about: 'session',
      detail: `this login may not see the statements of ${row[0]} sessions of other roles: only their locks were inspected`,
      hint: 'GRANT pg_read_all_stats to this login',
    },
  ]
}
