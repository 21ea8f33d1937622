/** A live chunk as it stands in the ledger. */
import type { Claim } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import { holderOf, type Holder } from '../../../stores/common/lease/columns.ts'
import type { Statement } from '../../../model/copy/port.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import { readRange } from './keys.ts'
import type { Owner } from './owner.ts'

export type StoredChunk = {
  readonly id: number
  readonly no: number
  readonly range: Range
  /** `completed` also where some of its rows were refused. */
  readonly status: string
  readonly read: bigint
  readonly written: bigint
  readonly quarantined: bigint
  readonly records: bigint
  readonly cursor: string | null
  /** Whoever has it, or had it last; null where nobody is named. */
  readonly holder: Holder | null
  readonly session: string | null
  readonly fence: number
  readonly attempt: number
  readonly proof: string | null
  readonly error: string | null
  readonly view: string | null
  readonly sourceSum: string | null
  readonly skipped: bigint
  readonly bytes: bigint
  /** Rows of the target in its range less rows of the source that were read, when it was closed; null is unknown. */
  readonly surplus: bigint | null
  /** The run that worked on it last. */
  readonly runId: bigint | null
  /** By the clock of the ledger's database; null until it is completed. */
  readonly completedMs: number | null
}

/**
 * A chunk that is done. Where rows were refused it is `failed` with this code for all who query the ledger, as people look for it, and its other
 * rows are proved all the same.
 */
export const ASIDE_CODE = 'ROWS_ASIDE'
/** For WHERE. */
export const CLOSED = `(status = 'completed' OR (status = 'failed' AND COALESCE(error_code, '') = '${ASIDE_CODE}'))`
/** Of the name and the schema of a table. */
export const OF_TABLE = 'table_name = ? AND schema_name = ?'
/** Of `heldBy`: nobody else has taken the chunk since it was claimed. */
export const HELD = "id = ? AND fence = ? AND owner = ? AND status = 'in_progress'"
/** The run that has it compared the chunk and copied none of it: whoever copies a chunk leaves its claim there. */
export const COMPARED = `claim IS NULL AND ${CLOSED}`
/** Beside `status = 'failed'`: nothing of the chunk is there. */
export const BROKEN = `COALESCE(error_code, '') <> '${ASIDE_CODE}'`

/** Parameters of `HELD`. */
export function heldBy(owner: Owner, { id, fence }: Claim): readonly SqlValue[] {
  return [id, fence, owner.id]
}

/** Gives a row as long as nobody else has taken the chunk since it was claimed. */
export function heldQuery(owner: Owner, claim: Claim): Statement {
  return { sql: `SELECT 1 FROM migration_checkpoints WHERE ${HELD}`, parameters: heldBy(owner, claim) }
}

/** What `chunkOf` reads. @param text the type that a number is cast to, so that it comes with all of its digits */
export function chunkColumns(text: string): string {
  return `id, chunk_no, kind, lo, hi, CAST(start_id AS ${text}), CAST(end_id AS ${text}), status, rows_read, rows_written,
    rows_quarantined, records_processed, cursor_key, owner, host, pid, session, fence, attempt,
    proof, error_message, read_view, source_checksum, rows_skipped, bytes,
    CAST(surplus AS ${text}), CAST(run_id AS ${text}), completed_ms, error_code, machine, process_started`
}

export function chunkOf(row: SqlRow): StoredChunk {
  const [id, no, kind, lo, hi, start, end, status, read, written, aside, records, cursor] = row
  const [
    owner,
    host,
    pid,
    session,
    fence,
    attempt,
    proof,
    error,
    view,
    sourceSum,
    skipped,
    bytes,
    surplus,
    runId,
    completed,
    code,
    machine,
    started,
  ] = row.slice(13)
  const whole = (value: SqlValue | undefined): bigint => BigInt(String(value ?? 0))
  const text = (value: SqlValue | undefined): string | null => (value == null ? null : String(value))
  return {
    id: Number(id),
    no: Number(no ?? 0),
    range: readRange([kind ?? null, lo ?? null, hi ?? null, start ?? null, end ?? null]),
    status: status === 'failed' && code === ASIDE_CODE ? 'completed' : String(status),
    read: whole(read),
    written: whole(written),
    quarantined: whole(aside),
    records: whole(records),
    cursor: text(cursor),
    holder: holderOf([owner ?? null, host ?? null, pid ?? null, machine ?? null, started ?? null]),
    session: text(session),
    fence: Number(fence ?? 0),
    attempt: Number(attempt ?? 0),
    proof: text(proof),
    error: text(error),
    view: text(view),
    sourceSum: text(sourceSum),
    skipped: whole(skipped),
    bytes: whole(bytes),
    surplus: surplus == null ? null : whole(surplus),
    runId: runId == null ? null : whole(runId),
    completedMs: completed == null ? null : Number(completed),
  }
}
