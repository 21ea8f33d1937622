/** INSERT statements for new chunks in the database's fastest form: a table may have a million chunks. */
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ledgerDialect, type LedgerDialect } from '../../../stores/ledger-dialect.ts'
import type { StoredRange } from './keys.ts'
import type { TableKey } from './owner.ts'

const CHUNKS_A_STATEMENT = 250
/** Bound parameters per chunk; numbers are part of the SQL text. */
const PARAMETERS_A_CHUNK = 4
const COLUMNS = 'table_name, schema_name, start_id, end_id, status, records_processed, run_id, chunk_no, kind, lo, hi'

type Database = Pick<LedgerDatabase, 'dialect' | 'mostParameters'>

/** @param firstNo number of the first range; the others follow */
export function insertStatements(
  { dialect, mostParameters = Number.POSITIVE_INFINITY }: Database,
  { name, schema }: TableKey,
  runId: bigint,
  ranges: readonly StoredRange[],
  firstNo: number,
): readonly Statement[] {
  const table = [name, schema]
  const { bulk } = ledgerDialect(dialect)
  if (bulk !== null) return [inBulk(bulk, table, runId, ranges, firstNo)]
  const size = Math.min(CHUNKS_A_STATEMENT, Math.floor(mostParameters / PARAMETERS_A_CHUNK))
  const statements: Statement[] = []
  for (let at = 0; at < ranges.length; at += size) {
    const some = ranges.slice(at, at + size)
    const rows = some.map(({ kind, startId, endId }, i) => {
      const no = firstNo + at + i
      return `(?, ?, ${startId ?? 'NULL'}, ${endId ?? 'NULL'}, 'pending', 0, ${runId}, ${no}, '${kind}', ?, ?)`
    })
    statements.push({
      sql: `INSERT INTO migration_checkpoints (${COLUMNS}) VALUES ${rows.join(', ')}`,
      parameters: some.flatMap(({ lo, hi }) => [...table, lo, hi]),
    })
  }
  return statements
}

function inBulk(
  bulk: NonNullable<LedgerDialect['bulk']>,
  table: readonly string[],
  runId: bigint,
  ranges: readonly StoredRange[],
  firstNo: number,
): Statement {
  const { from, parameters } = bulk(
    [
      { name: 'start_id', type: 'integer' },
      { name: 'end_id', type: 'integer' },
      { name: 'chunk_no', type: 'integer' },
      { name: 'kind', type: 'text' },
      { name: 'lo', type: 'text' },
      { name: 'hi', type: 'text' },
    ],
    ranges.map(({ kind, startId, endId, lo, hi }, i) => {
      return [startId?.toString() ?? null, endId?.toString() ?? null, String(firstNo + i), kind, lo, hi]
    }),
  )
  return {
    sql: `INSERT INTO migration_checkpoints (${COLUMNS})
          SELECT ?, ?, start_id, end_id, 'pending', 0, ${runId}, chunk_no, kind, lo, hi FROM ${from}`,
    parameters: [...table, ...parameters],
  }
}
