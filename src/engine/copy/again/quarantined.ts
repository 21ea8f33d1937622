/** Rows of a chunk that a comparison could not write or read. They replace the chunk's earlier quarantine entries. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { TableContext } from '../table/context.ts'
import { numberRefusedRows, quarantineStatement, replayedChunk, type RowToQuarantine } from '../ledger/quarantine.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import type { ChunkComparison } from './compare-chunk.ts'

export function refusedRowsOf(plan: TablePlan, { piece, refused }: ChunkComparison): readonly RowToQuarantine[] {
  const names = plan.source.key
  return [
    ...refused.map(({ key, error }): RowToQuarantine => ({
      key,
      stage: 'write',
      code: error.code,
      message: error.message,
      row: Object.fromEntries(names.map((name, i) => [name, key[i] ?? null])),
    })),
    ...piece.unread.map(({ row, error }): RowToQuarantine => ({
      key: names.map((name) => row[plan.columns.findIndex(({ from }) => from === name)] ?? null),
      stage: 'read',
      code: error.code,
      message: error.message,
      row: Object.fromEntries(plan.columns.map(({ from }, i) => [from, row[i] ?? null])),
    })),
  ]
}

/**
 * Statements for the transaction that closes the chunk. Also emits `row.aside` for rows that could not be read; refused
 * rows were reported before.
 * @returns a function that takes a guard query and returns the statements. Earlier quarantine entries end only if the
 * guard returns a row, that is, if no other program changed the chunk
 */
export function quarantineStatements(
  { database, key, owner, emit, name }: TableContext,
  chunk: StoredChunk,
  quarantined: readonly RowToQuarantine[],
): (held: Statement) => readonly Statement[] {
  if (quarantined.length + Number(chunk.quarantined) === 0) return () => []
  for (const one of quarantined) {
    const error = { code: one.code, message: one.message, retryable: false }
    if (one.stage === 'read') emit({ type: 'row.aside', table: name, chunk: String(chunk.no), key: one.key, error })
  }
  const lines = quarantined
    .map(numberRefusedRows())
    .flatMap((one) => quarantineStatement(database, key, owner, chunk, one))
  return (held) => [replayedChunk(database, chunk.id, held), ...lines]
}
