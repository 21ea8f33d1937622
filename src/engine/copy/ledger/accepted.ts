/** Differences that the owner of the data accepted. The ledger records who accepted how many rows, and when. */
import { randomUUID } from 'node:crypto'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { TableKey } from './owner.ts'
import { CLOSED } from './stored-chunk.ts'
import { lastChanges } from './surplus-changes.ts'

export type Acceptance = {
  /** Null for the table as a whole. */
  readonly chunk: { readonly id: number; readonly no: number; readonly fence: number } | null
  readonly source: bigint
  /** Expected number of target rows; the actual number if no run recorded an expected one. */
  readonly expected: bigint
  readonly target: bigint
}

/**
 * Statements of one transaction that record an accepted difference. For a chunk, they also make the accepted surplus
 * the expected one, unless the chunk has a newer fencing token.
 */
export function acceptance(
  database: LedgerDatabase,
  { schema, name }: TableKey,
  by: { readonly runId: bigint; readonly actor: string },
  { chunk, source, expected, target }: Acceptance,
): readonly Statement[] {
  const { now } = ledgerDialect(database.dialect)
  const surplus = target - source
  return [
    {
      sql: `INSERT INTO migration_accepted_differences (acceptance_id, schema_name, table_name, checkpoint_id, chunk_no, source_rows, expected_rows,
              target_rows, difference, accepted_ms, accepted_by, run_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ${now}, ?, ?)`,
      parameters: [
        randomUUID(),
        schema,
        name,
        chunk?.id ?? null,
        chunk?.no ?? null,
        source,
        expected,
        target,
        target - expected,
        by.actor,
        by.runId,
      ],
    },
    ...(chunk === null
      ? []
      : [
          {
            sql: `UPDATE migration_checkpoints SET surplus = ? WHERE id = ? AND ${CLOSED} AND COALESCE(fence, 0) = ?`,
            parameters: [surplus, chunk.id, chunk.fence],
          },
        ]),
  ]
}

/** Sum of accepted differences of a table, without chunks that were copied or repaired since. */
export type AcceptedTotals = {
  readonly chunks: number
  /**
   * `more`: surplus rows of the target. `fewer`: rows that the target lacked. Both are relative to the expected
   * numbers.
   */
  readonly more: bigint
  readonly fewer: bigint
  readonly lastMs: number
  readonly by: readonly string[]
}

/** @returns null if nothing was accepted */
export async function recordedAccepted(database: LedgerDatabase, key: TableKey): Promise<AcceptedTotals | null> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const { schema, name } = key
  const all = await database.all(
    `SELECT CAST(a.difference AS ${text}), a.accepted_ms, a.accepted_by, a.checkpoint_id FROM migration_accepted_differences a
     LEFT JOIN migration_checkpoints c ON c.id = a.checkpoint_id
     WHERE a.schema_name = ? AND a.table_name = ?
       AND (a.checkpoint_id IS NULL OR (c.status IN ('completed', 'failed') AND c.completed_ms <= a.accepted_ms)) ORDER BY a.accepted_ms`,
    [schema, name],
  )
  if (all.length === 0) return null
  const changes = await lastChanges(database, key)
  const rows = all.filter(([, at, , chunk]) => (changes.get(chunk == null ? null : Number(chunk)) ?? 0) < Number(at))
  if (rows.length === 0) return null
  const differences = rows.map(([difference]) => BigInt(String(difference)))
  return {
    chunks: rows.length,
    more: differences.reduce((sum, one) => (one > 0n ? sum + one : sum), 0n),
    fewer: differences.reduce((sum, one) => (one < 0n ? sum - one : sum), 0n),
    lastMs: Math.max(...rows.map(([, at]) => Number(at))),
    by: [...new Set(rows.map(([, , by]) => String(by)))],
  }
}
