/** Which tables of a database have gone to another one, as the ledger there knows. */
import { isoTime } from '../../../shared/clock.ts'
import type { LedgerDatabase } from '../../../stores/copy-port.ts'
import type { SqlRow } from '../../../stores/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { ContainedTable } from '../../../stores/retirement-port.ts'
import { hasStreams } from '../../follow/ledger/streams.ts'

/** A table that a copy has filled. */
export type MovedTable = {
  /** `TableSpec.identity` of its source when it was planned. */
  readonly source: string
  /** Schema and name in the target. */
  readonly schema: string
  readonly name: string
  /** Every row belongs to a chunk, and every chunk is copied. */
  readonly isWhole: boolean
  /** A condition on the rows that were copied; null for all. */
  readonly where: string | null
  /** `from -> to as type`, one for each column. */
  readonly columns: readonly string[]
  /** Rows that its chunks have brought. */
  readonly rows: string
  /** When the last chunk was copied; null where nobody knows. */
  readonly copiedMs: number | null
}

/** Tables of one source. @param identity `CopyStore.identity` of it */
export async function movedFrom(database: LedgerDatabase, identity: string): Promise<readonly MovedTable[]> {
  const { columns, types } = ledgerDialect(database.dialect)
  if ((await database.all(columns, ['migration_plans'])).length === 0) return []
  const of = 'c.schema_name = p.schema_name AND c.table_name = p.table_name'
  const rows = await database.all(
    `SELECT p.schema_name, p.table_name, p.plan, p.planned,
       (SELECT count(*) FROM migration_checkpoints c WHERE ${of} AND c.status <> 'completed'),
       (SELECT CAST(coalesce(sum(c.records_processed), 0) AS ${types.castText}) FROM migration_checkpoints c WHERE ${of}),
       (SELECT max(c.completed_ms) FROM migration_checkpoints c WHERE ${of})
     FROM migration_plans p ORDER BY 1, 2`,
  )
  return rows.map(movedOf).filter(({ source }) => source.startsWith(`${identity}/`))
}

function movedOf([schema, name, text, planned, open, rows, copied]: SqlRow): MovedTable {
  const plan = planOf(text)
  const { 'table identity': source, where, columns } = plan
  return {
    source: typeof source === 'string' ? source : '',
    schema: String(schema ?? ''),
    name: String(name),
    isWhole: Number(planned) === 1 && Number(open) === 0,
    where: typeof where === 'string' ? where : null,
    columns: Array.isArray(columns) ? columns.map(String) : [],
    rows: String(rows ?? 0),
    copiedMs: copied == null ? null : Number(copied),
  }
}

/** A plan that nobody can read names no source. */
function planOf(text: unknown): Readonly<Record<string, unknown>> {
  try {
    const plan: unknown = JSON.parse(String(text))
    return typeof plan === 'object' && plan !== null ? (plan as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

/** The copies of a table, whole ones first. */
export function copiesOf({ identity }: ContainedTable, moved: readonly MovedTable[]): readonly MovedTable[] {
  return moved
    .filter(({ source }) => source === identity || source.startsWith(`${identity}/`))
    .toSorted((one, other) => Number(isAll(other)) - Number(isAll(one)))
}

export function isAll({ isWhole, where }: MovedTable): boolean {
  return isWhole && where === null
}

/** Whether its rows were equal at the end, in a sentence. @param identity of the source */
export async function lastProof(
  database: LedgerDatabase,
  identity: string,
  { schema, name, copiedMs }: MovedTable,
): Promise<{ readonly equal: boolean; readonly detail: string }> {
  const at = copiedMs === null ? 'at a time that nobody has noted' : `until ${isoTime(copiedMs)}`
  const alone = `copied ${at} and not followed: rows that were written after that are in this database only`
  if (!(await hasStreams(database))) return { equal: false, detail: alone }
  const [stream] = await database.all(
    `SELECT s.stream_id, s.ended_ms FROM migration_streams s JOIN migration_stream_tables t ON t.stream_id = s.stream_id
     WHERE s.source_identity = ? AND t.schema_name = ? AND t.table_name = ? ORDER BY s.created_ms DESC LIMIT 1`,
    [identity, schema, name],
  )
  if (stream === undefined) return { equal: false, detail: alone }
  const [id, ended] = stream
  const until =
    ended == null ? `stream ${String(id)}` : `stream ${String(id)}, which ended at ${isoTime(Number(ended))}`
  const [proof] = await database.all(
    `SELECT target_rows, differing, unread, proved_ms FROM migration_stream_proofs WHERE stream_id = ? AND schema_name = ? AND table_name = ?
     ORDER BY proved_ms DESC, proof_id LIMIT 1`,
    [id ?? '', schema, name],
  )
  if (proof === undefined) return { equal: false, detail: `followed by ${until}; its rows were never compared` }
  const [rows, differing, unread, proved] = proof
  const bad = Number(differing) + Number(unread)
  return {
    equal: bad === 0,
    detail: `followed by ${until}; at ${isoTime(Number(proved))} ${
      bad === 0
        ? `${String(rows)} rows were equal`
        : `${String(differing)} rows differed and ${String(unread)} could not be read`
    }`,
  }
}
