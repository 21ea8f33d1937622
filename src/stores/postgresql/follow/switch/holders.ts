/** Sessions that have held the public table for long: until they release it, every attempt to lock it fails. */
import { literal } from '../../server/sql.ts'
import type { CutoverTables, CutoverStep } from './sides.ts'

const LONG_S = 5
const MOST = 5

type Holder = {
  readonly gid: string | null
  readonly pid: number | null
  readonly name: string
  readonly state: string
  readonly seconds: number
}

export async function cutoverHolderFindings(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  return (await sides.session.objects<Holder>(holdersSql(sides))).map(({ gid, pid, name, state, seconds }) => {
    const step = { verdict: 'left', about: 'lock' } as const
    const detail = `held for ${seconds} s: the cutover can happen only after it releases ${sides.from.sql}`
    if (gid !== null) {
      const hint = `COMMIT PREPARED ${literal(gid)} or ROLLBACK PREPARED ${literal(gid)}`
      return { ...step, object: `prepared transaction ${gid}`, detail, hint }
    }
    const hint = `SELECT pg_terminate_backend(${pid}), or wait until its transaction ends`
    return { ...step, object: `${name} (process ${pid}, ${state})`, detail, hint }
  })
}

/** A prepared transaction has no session: find it by the lock on its transaction id. */
function holdersSql({ from }: CutoverTables): string {
  const age = (since: string): string => `extract(epoch FROM pg_catalog.clock_timestamp() - ${since})::int`
  return `
    SELECT DISTINCT pg_catalog.json_build_object('gid', p.gid, 'pid', a.pid, 'name', coalesce(nullif(a.application_name, ''), a.backend_type, 'a session'), 'state', coalesce(a.state, 'unknown'),
      'seconds', coalesce(${age('p.prepared')}, ${age('a.xact_start')}))::text
    FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      LEFT JOIN pg_catalog.pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid' AND x.granted AND x.virtualtransaction = l.virtualtransaction
      LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
    WHERE l.locktype = 'relation' AND l.relation = ${from.oid}::oid AND l.granted AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
      AND coalesce(${age('p.prepared')}, ${age('a.xact_start')}) >= ${LONG_S}
      AND (p.gid IS NOT NULL OR a.backend_type <> 'autovacuum worker')
    ORDER BY 1 LIMIT ${MOST}`
}
