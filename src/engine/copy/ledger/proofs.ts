/** Records proofs of chunks that were written earlier: copied by another program, or compared again. */
import type { ReadPoint, TallyOfChunk } from '../../../model/copy/plan.ts'
import type { Digest, ProofScheme } from '../../../model/copy/rows.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { RunOwner, TableKey } from './owner.ts'
import { QUARANTINE_CODE, CLOSED, DIFFERS, OF_TABLE, type StoredChunk } from './stored-chunk.ts'
import { notedChange, prepareSurplusChanges } from './surplus-changes.ts'
import { runStatement } from './statement.ts'

/** Records the proof of a chunk that another program copied. */
export async function recordProof(
  database: LedgerDatabase,
  owner: RunOwner,
  chunk: StoredChunk,
  scheme: ProofScheme,
  source: Digest,
  target: Digest,
  point: ReadPoint,
): Promise<void> {
  const sql = `UPDATE migration_checkpoints SET proof = ?, source_checksum = ?, target_checksum = ?, rows_read = ?, rows_written = ?,
              records_processed = ?, read_view = ?, read_at = ?, surplus = 0, run_id = ?, completed_ms = ${ledgerDialect(database.dialect).now}
            WHERE id = ? AND status = 'completed' AND proof IS NULL`
  await runStatement(database, sql, [
    scheme,
    source.sum,
    target.sum,
    source.rows,
    source.rows,
    source.rows,
    point.view,
    point.at,
    owner.runId,
    chunk.id,
  ])
}

/**
 * Records the comparison of a whole table whose chunks cannot be selected in the target. Each chunk gets the checksum
 * of the whole target table. A single chunk gets the proof `canonical`, because it has all rows; several chunks get the
 * proof `table`.
 * @param chunks number of chunks of the table
 * @param stored digest of the target table
 */
export function wholeProof({ schema, name }: TableKey, chunks: bigint, stored: Digest): Statement {
  return {
    sql: `UPDATE migration_checkpoints SET proof = ?, target_checksum = ? WHERE ${OF_TABLE} AND status = 'completed'`,
    parameters: [chunks === 1n ? 'canonical' : 'table', stored.sum, name, schema],
  }
}

/**
 * Records that a chunk still has differences after a comparison.
 * @param leaseQuery returns a row while this process has the table's lease; otherwise nothing happens
 */
export function markDifferent(chunk: StoredChunk, leaseQuery: Statement): Statement {
  return {
    sql: `UPDATE migration_checkpoints SET proof = '${DIFFERS}' WHERE id = ? AND COALESCE(fence, 0) = ? AND ${CLOSED} AND EXISTS (${leaseQuery.sql})`,
    parameters: [chunk.id, chunk.fence, ...leaseQuery.parameters],
  }
}

/**
 * Records the result of a chunk that was compared again.
 * @param leaseQuery returns a row while this process has the table's lease; otherwise nothing happens
 * @param also returns statements of the same transaction, given a query; they must do nothing unless the query returns
 * a row
 * @returns false if the chunk has a new owner since it was read, or if the lease is lost
 */
export async function proveAgain(
  database: LedgerDatabase,
  owner: RunOwner,
  chunk: StoredChunk,
  tally: TallyOfChunk,
  proof: {
    readonly scheme: ProofScheme
    readonly source: Digest
    readonly target: Digest
    readonly point: ReadPoint
    /**
     * Target rows minus source rows: `before` as recorded, null if not recorded; `surplus` as counted now, null if the
     * target cannot select the range.
     */
    readonly before: bigint | null
    readonly surplus: bigint | null
    /** Duration of the comparison, ms. */
    readonly tookMs: number
  },
  leaseQuery: Statement,
  also: (held: Statement) => readonly Statement[],
): Promise<boolean> {
  if (proof.source.sum !== proof.target.sum) throw new Error('sums that differ prove no chunk')
  const mine = `id = ? AND COALESCE(fence, 0) = ? AND status IN ('completed', 'failed')`
  const held = {
    sql: `${mine} AND EXISTS (${leaseQuery.sql})`,
    parameters: [chunk.id, chunk.fence, ...leaseQuery.parameters],
  }
  const { before, surplus } = proof
  const noted: Statement[] = []
  if (before !== null && surplus !== null && before !== surplus) {
    await prepareSurplusChanges(database)
    noted.push(notedChange(database, owner.runId, 'chunk', surplus, held))
  }
  const { now } = ledgerDialect(database.dialect)
  const isHeld = { sql: `SELECT 1 FROM migration_checkpoints WHERE ${held.sql}`, parameters: held.parameters }
  const answers = await database.batch([
    ...noted,
    {
      // `claim` NULL marks a chunk that its run compared and did not copy.
      sql: `UPDATE migration_checkpoints SET status = ?, run_id = ?, claim = NULL, started_ms = ${now} - ?, records_processed = ?, rows_read = ?, rows_written = ?,
              rows_skipped = ?, rows_quarantined = ?, proof = ?, source_checksum = ?, target_checksum = ?, read_view = ?, read_position = ?,
              read_at = ?, surplus = ?, completed_ms = ${now}, error_code = ?, error_message = ?
            WHERE ${held.sql}`,
      parameters: [
        tally.quarantined > 0n ? 'failed' : 'completed',
        owner.runId,
        Math.max(0, Math.round(proof.tookMs)),
        tally.written,
        tally.read,
        tally.written,
        tally.skipped,
        tally.quarantined,
        proof.scheme,
        proof.source.sum,
        proof.target.sum,
        proof.point.view,
        proof.point.position ?? null,
        proof.point.at,
        surplus,
        tally.quarantined > 0n ? QUARANTINE_CODE : null,
        tally.quarantined > 0n ? 'rows were refused: sluice quarantine list shows them' : null,
        ...held.parameters,
      ],
    },
    isHeld,
    ...also(isHeld),
  ])
  return (answers[noted.length + 1] ?? []).length > 0
}
