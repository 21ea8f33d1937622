/** Latest ledger record of a moved table: copied, replicated, compared, cut over. */
import { isoTime } from '../../../shared/clock.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { hasStreams } from '../../../engine/copy/ledger/stream-lookup.ts'
import type { MovedTable } from './moved.ts'

export type LastProof = {
  /** How the target got its rows. After a cutover, users write to the target only. */
  readonly by: 'copy' | 'stream' | 'switch'
  /** True if the last comparison found all rows equal. */
  readonly equal: boolean
  /** Text after the name of the target, in the same sentence. */
  readonly detail: string
}

/** The latest record of a moved table. @param identity of the source */
export async function lastProof(database: LedgerDatabase, identity: string, moved: MovedTable): Promise<LastProof> {
  const { switched, copiedMs } = moved
  const at = copiedMs === null ? 'at a time that was not recorded' : `until ${isoTime(copiedMs)}`
  const compared = await lastComparison(database, identity, moved)
  if (switched !== null && (compared === null || (compared.provedMs ?? 0) <= switched.ms)) {
    const cutover =
      copiedMs === null ? `by cutover ${switched.turn}` : `${at}; cutover ${switched.turn} moved its users there`
    const detail = `${cutover} at ${isoTime(switched.ms)}, when ${switched.rows} rows were equal`
    return { by: 'switch', equal: true, detail }
  }
  if (compared === null) return { by: 'copy', equal: false, detail: `${at}, without a stream` }
  const { until, provedMs, detail } = compared
  if (provedMs === null)
    return { by: 'stream', equal: false, detail: `${at}, and followed by ${until}; they were never compared` }
  // There was no cutover, or the comparison is newer than the last cutover: users then write to this database again.
  return {
    by: 'stream',
    equal: compared.equal,
    detail: `${at}, and followed by ${until}; at ${isoTime(provedMs)} ${detail}`,
  }
}

type Comparison = {
  /** The newest stream, as text. */
  readonly until: string
  /** Null if no stream has compared anything. */
  readonly provedMs: number | null
  readonly equal: boolean
  readonly detail: string
}

/** Latest comparison by any stream from the source; null if there was no stream. */
async function lastComparison(
  database: LedgerDatabase,
  identity: string,
  { schema, name }: MovedTable,
): Promise<Comparison | null> {
  if (!(await hasStreams(database))) return null
  const [stream] = await database.all(
    `SELECT s.stream_id, s.ended_ms FROM migration_streams s JOIN migration_stream_tables t ON t.stream_id = s.stream_id
     WHERE s.source_identity = ? AND t.schema_name = ? AND t.table_name = ? ORDER BY s.created_ms DESC LIMIT 1`,
    [identity, schema, name],
  )
  if (stream === undefined) return null
  const [id, ended] = stream
  const until =
    ended == null ? `stream ${String(id)}` : `stream ${String(id)}, which ended at ${isoTime(Number(ended))}`
  const [proof] = await database.all(
    `SELECT p.target_rows, p.differing, p.unread, p.proved_ms FROM migration_stream_proofs p JOIN migration_streams s ON s.stream_id = p.stream_id
     WHERE s.source_identity = ? AND p.schema_name = ? AND p.table_name = ? ORDER BY p.proved_ms DESC, p.proof_id LIMIT 1`,
    [identity, schema, name],
  )
  if (proof === undefined) return { until, provedMs: null, equal: false, detail: '' }
  const [rows, differing, unread, proved] = proof
  const equal = Number(differing) + Number(unread) === 0
  return {
    until,
    provedMs: Number(proved),
    equal,
    detail: equal
      ? `${String(rows)} rows were equal`
      : `${String(differing)} rows differed and ${String(unread)} could not be read`,
  }
}
