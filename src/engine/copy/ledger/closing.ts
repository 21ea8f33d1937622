/**
 * Statements that complete a chunk in the transaction of its rows. If another process took over the chunk, the
 * statement that would complete it changes no row.
 */
import type { Claim, ReadPoint, TallyOfChunk } from '../../../model/copy/plan.ts'
import type { Digest, ProofScheme } from '../../../model/copy/rows.ts'
import type { BatchStep, Closing, LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { storableError } from './error-text.ts'
import type { RunOwner } from './owner.ts'
import { QUARANTINE_CODE, CLOSED, IS_OWNED, ownerValues, ownerQuery } from './stored-chunk.ts'

/** Completes a chunk, in the transaction of its rows. */
export function closingOf(
  database: LedgerDatabase,
  owner: RunOwner,
  claim: Claim,
  tally: TallyOfChunk,
  proof: {
    readonly scheme: ProofScheme
    readonly source: Digest | null
    readonly target: Digest | null
    readonly point: ReadPoint
    /** Target rows in the range minus rows read; null if the target cannot select the range. */
    readonly surplus: bigint | null
    /** Error of the first refused row; null if no row was refused, or if an earlier attempt recorded it. */
    readonly refused: string | null
  },
  end: { readonly hi: string | null; readonly endId: bigint | null } | null,
  also: readonly Statement[],
): Closing {
  const held = ownerValues(owner, claim)
  const quarantined = tally.quarantined > 0n
  const why = proof.refused === null ? '' : `; the first: ${storableError(proof.refused)}`
  const edge = end === null ? '' : 'hi = ?, end_id = ?, '
  // A chunk that is made pending again, also by hand, is copied from its beginning. Rows without a key would be stored
  // twice.
  const cursor = claim.range.by === 'key' ? 'cursor_key = NULL, ' : ''
  const close: Statement = {
    sql: `UPDATE migration_checkpoints SET ${edge}${cursor}status = '${quarantined ? 'failed' : 'completed'}', records_processed = ?, rows_read = ?, rows_written = ?, rows_skipped = ?,
            rows_quarantined = ?, bytes = ?, surplus = ?, proof = ?, source_checksum = ?, target_checksum = ?, read_view = ?, read_position = ?, read_at = ?,
            completed_ms = ${ledgerDialect(database.dialect).now}, lease_until = 0, error_code = ?, error_message = ? WHERE ${IS_OWNED}`,
    parameters: [
      ...(end === null ? [] : [end.hi, end.endId]),
      tally.written,
      tally.read,
      tally.written,
      tally.skipped,
      tally.quarantined,
      tally.bytes,
      proof.surplus,
      proof.scheme,
      proof.source?.sum ?? null,
      proof.target?.sum ?? null,
      proof.point.view,
      proof.point.position ?? null,
      proof.point.at,
      quarantined ? QUARANTINE_CODE : null,
      quarantined ? `rows were refused: sluice quarantine list shows them${why}` : null,
      ...held,
    ],
  }
  return {
    statements: [close, ...also],
    guard: ownerQuery(owner, claim),
    landed: {
      sql: `SELECT 1 FROM migration_checkpoints WHERE id = ? AND fence = ? AND owner = ? AND ${CLOSED}`,
      parameters: held,
    },
  }
}

/** Statements that advance the cursor of a chunk with each batch, for a target that commits by batch. */
export function stepOf(
  owner: RunOwner,
  claim: Claim,
  from: string | null,
  to: string,
  rows: number,
  bytes: number,
): BatchStep {
  const held = ownerValues(owner, claim)
  const at = from === null ? 'cursor_key IS NULL' : 'cursor_key = ?'
  return {
    guard: {
      sql: `SELECT 1 FROM migration_checkpoints WHERE ${IS_OWNED} AND ${at}`,
      parameters: from === null ? held : [...held, from],
    },
    advance: {
      sql: `UPDATE migration_checkpoints SET cursor_key = ?, rows_written = COALESCE(rows_written, 0) + ?, bytes = COALESCE(bytes, 0) + ?
            WHERE ${IS_OWNED}`,
      parameters: [to, rows, bytes, ...held],
    },
    landed: {
      sql: `SELECT 1 FROM migration_checkpoints WHERE ${IS_OWNED} AND cursor_key = ?`,
      parameters: [...held, to],
    },
  }
}
