/** Reads and writes of a table as the server counts them. */
import type { TableUse } from '../../../../model/partition/decommission-port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

/** The server counts a little late: what sessions did in the last second or so may be missing. */
export async function useOf(session: CopySession, oid: string): Promise<TableUse> {
  // A key of the row that an older server does not have is absent from its JSON.
  const [row] = await session.ask(
    `SELECT (coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0))::text, (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::text,
       (SELECT stats_reset::text FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()),
       pg_catalog.to_jsonb(s) ? 'last_seq_scan'::text,
       pg_catalog.floor(extract(epoch FROM greatest((pg_catalog.to_jsonb(s) ->> 'last_seq_scan'::text)::timestamptz, (pg_catalog.to_jsonb(s) ->> 'last_idx_scan'::text)::timestamptz))::numeric * 1000::numeric)::text
     FROM pg_catalog.pg_stat_user_tables s WHERE s.relid = ${literal(oid)}::oid`,
  )
  const [reads, writes, resetAt, dated, last] = row ?? []
  return {
    reads: reads ?? '0',
    writes: writes ?? '0',
    resetAt: resetAt ?? null,
    ...(dated === 't' ? { lastReadMs: last == null ? null : Number(last) } : {}),
  }
}
