/** A live chunk as stored in the ledger. */
import type { Claim, TallyOfChunk } from '../../../model/copy/plan.ts'
import type { ProofScheme } from '../../../model/copy/rows.ts'
import { storedLeaseOwner, type StoredOwner } from '../../../stores/common/lease/columns.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import { readRange } from './keys.ts'
import type { RunOwner } from './owner.ts'
import { bigintOf, textOrNull, numberOrNull } from '../../../stores/common/cells.ts'

export type StoredChunk = Omit<Claim, 'written'> &
  TallyOfChunk & {
    /** `completed` even if some of its rows were refused. */
    readonly status: string
    readonly records: bigint
    /** Current or last owner; null if none is recorded. */
    readonly holder: StoredOwner | null
    /** Server session that writes the chunk, so that a later owner can end it. */
    readonly session: string | null
    /** Kind of the chunk's proof, or `differs`; null if none is recorded. */
    readonly proof: string | null
    readonly error: string | null
    readonly errorCode: string | null
    /** Id of the read view of the source in which the chunk was read. */
    readonly view: string | null
    readonly sourceSum: string | null
    /** Target rows in its range minus source rows read, at its completion; null if unknown. */
    readonly surplus: bigint | null
    /** Run that last worked on this chunk. */
    readonly runId: bigint | null
    /** Time of completion, ms, by the clock of the ledger's database; null until completed. */
    readonly completedMs: number | null
  }

/**
 * Error code of a completed chunk with refused rows. The ledger has `failed` and this code, so that queries for
 * failures find the chunk; its other rows are proved. A chunk that was given up because of too many refused rows has
 * this code too, but no quarantined rows.
 */
export const QUARANTINE_CODE = 'ROWS_ASIDE'
/** Condition for completed chunks with quarantined rows. */
const HAS_QUARANTINED = `COALESCE(error_code, '') = '${QUARANTINE_CODE}' AND COALESCE(rows_quarantined, 0) > 0`
/** Proof of a completed chunk in which a comparison has left differences. */
export const DIFFERS = 'differs'
/** Condition for completed chunks. */
export const CLOSED = `(status = 'completed' OR (status = 'failed' AND ${HAS_QUARANTINED}))`
/**
 * Proof kinds of completed chunks that are not proved: `none`, `differs`, and `count` if the plan has a stronger proof.
 */
export function weakProofs(planned: ProofScheme): readonly string[] {
  return ['none', DIFFERS, ...(planned === 'count' || planned === 'none' ? [] : ['count'])]
}

/** SQL condition that a chunk has one of these proofs; false for an empty list. */
export function proofIn(proofs: readonly string[]): string {
  return proofs.length === 0 ? '1 = 0' : `proof IN (${proofs.map((proof) => `'${proof}'`).join(', ')})`
}

/** Condition for chunks of a table. Parameters: name and schema of the table. */
export const OF_TABLE = 'table_name = ? AND schema_name = ?'
/** Condition that no other process has taken the chunk since it was claimed. Parameters: `ownerValues`. */
export const IS_OWNED = "id = ? AND fence = ? AND owner = ? AND status = 'in_progress'"
/** Condition for chunks that their run compared and did not copy: a copied chunk keeps its claim. */
export const COMPARED = `claim IS NULL AND ${CLOSED}`
/**
 * Condition that excludes completed chunks with quarantined rows. With `status = 'failed'` it selects chunks that
 * failed.
 */
export const NOT_QUARANTINED = `NOT (${HAS_QUARANTINED})`

/** Parameters of `IS_OWNED`. */
export function ownerValues(owner: RunOwner, { id, fence }: Claim): readonly SqlValue[] {
  return [id, fence, owner.id]
}

/** Query that returns a row while no other process has taken the chunk since it was claimed. */
export function ownerQuery(owner: RunOwner, claim: Claim): Statement {
  return { sql: `SELECT 1 FROM migration_checkpoints WHERE ${IS_OWNED}`, parameters: ownerValues(owner, claim) }
}

/** Columns for `chunkOf`. @param text type to which numbers are cast, to keep all digits */
export function chunkColumns(text: string): string {
  return `id, chunk_no, kind, lo, hi, CAST(start_id AS ${text}), CAST(end_id AS ${text}), status, rows_read, rows_written,
    rows_quarantined, records_processed, cursor_key, owner, host, pid, session, fence, attempt,
    proof, error_message, read_view, source_checksum, rows_skipped, bytes,
    CAST(surplus AS ${text}), CAST(run_id AS ${text}), completed_ms, error_code, machine, process_started`
}

export function chunkOf(row: SqlRow): StoredChunk {
  const [id, no, kind, lo, hi, start, end, status, read, written, quarantined, records, cursor] = row
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
  return {
    id: Number(id),
    no: Number(no ?? 0),
    range: readRange([kind ?? null, lo ?? null, hi ?? null, start ?? null, end ?? null]),
    status:
      status === 'failed' && code === QUARANTINE_CODE && bigintOf(quarantined) > 0n ? 'completed' : String(status),
    read: bigintOf(read),
    written: bigintOf(written),
    quarantined: bigintOf(quarantined),
    records: bigintOf(records),
    cursor: textOrNull(cursor),
    holder: storedLeaseOwner([owner ?? null, host ?? null, pid ?? null, machine ?? null, started ?? null]),
    session: textOrNull(session),
    fence: Number(fence ?? 0),
    attempt: Number(attempt ?? 0),
    proof: textOrNull(proof),
    error: textOrNull(error),
    errorCode: textOrNull(code),
    view: textOrNull(view),
    sourceSum: textOrNull(sourceSum),
    skipped: bigintOf(skipped),
    bytes: bigintOf(bytes),
    surplus: surplus == null ? null : bigintOf(surplus),
    runId: runId == null ? null : bigintOf(runId),
    completedMs: numberOrNull(completed),
  }
}

/** How far earlier attempts have come. A chunk without a cursor is copied from its beginning. */
export function positionOf([cursor, written]: SqlRow): Pick<Claim, 'cursor' | 'written'> {
  return cursor == null ? { cursor: null, written: 0n } : { cursor: String(cursor), written: bigintOf(written) }
}
