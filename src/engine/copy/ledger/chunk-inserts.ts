/** Statements that write new chunks down, in the form that the database of the ledger reads fastest: a table may have a million of them. */
import type { LedgerDatabase, Statement } from '../../../stores/copy-port.ts'
import type { StoredRange } from './keys.ts'
import type { TableKey } from './owner.ts'

const CHUNKS_A_STATEMENT = 250
/** Of each chunk: what is not a number. */
const PARAMETERS_A_CHUNK = 4
const COLUMNS = 'table_name, schema_name, start_id, end_id, status, records_processed, run_id, chunk_no, kind, lo, hi'

type Database = Pick<LedgerDatabase, 'dialect' | 'mostParameters'>

/** @param firstNo of the first range; the others follow */
export function insertStatements(
  { dialect, mostParameters = Number.POSITIVE_INFINITY }: Database,
  { name, schema }: TableKey,
  runId: bigint,
  ranges: readonly StoredRange[],
  firstNo: number,
): readonly Statement[] {
  const table = [name, schema]
  if (dialect === 'duckdb') return [listed(table, runId, ranges, firstNo)]
  if (dialect === 'postgresql') return [unnested(table, runId, ranges, firstNo)]
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

/** PostgreSQL takes a list for each column two to three times faster than as many rows of values. */
function unnested(table: readonly string[], runId: bigint, ranges: readonly StoredRange[], firstNo: number): Statement {
  const lists = [
    ranges.map(({ startId }) => startId?.toString() ?? null),
    ranges.map(({ endId }) => endId?.toString() ?? null),
    ranges.map((_, i) => String(firstNo + i)),
    ranges.map(({ kind }) => kind),
    ranges.map(({ lo }) => lo),
    ranges.map(({ hi }) => hi),
  ]
  const list = (type: string): string => `CAST(? AS ${type}[])`
  const columns = ['bigint', 'bigint', 'bigint', 'text', 'text', 'text'].map(list).join(', ')
  return {
    sql: `INSERT INTO migration_checkpoints (${COLUMNS})
          SELECT ?, ?, start_id, end_id, 'pending', 0, ${runId}, chunk_no, kind, lo, hi
          FROM unnest(${columns}) AS new (start_id, end_id, chunk_no, kind, lo, hi)`,
    parameters: [...table, ...lists.map(arrayText)],
  }
}

/** DuckDB reads one long text a hundred times faster than as many rows of values. */
function listed(table: readonly string[], runId: bigint, ranges: readonly StoredRange[], firstNo: number): Statement {
  const rows = ranges.map(({ kind, startId, endId, lo, hi }, i) => {
    return [startId?.toString() ?? null, endId?.toString() ?? null, String(firstNo + i), kind, lo, hi]
  })
  const number = (at: number): string => `CAST(r->>${at} AS BIGINT)`
  return {
    sql: `INSERT INTO migration_checkpoints (${COLUMNS})
          SELECT ?, ?, ${number(0)}, ${number(1)}, 'pending', 0, ${runId}, ${number(2)}, r->>3, r->>4, r->>5
          FROM (SELECT unnest(from_json(CAST(? AS VARCHAR), '["JSON"]')) AS r)`,
    parameters: [...table, JSON.stringify(rows)],
  }
}

/** An array as PostgreSQL reads it. */
function arrayText(values: readonly (string | null)[]): string {
  const items = values.map((value) => (value === null ? 'NULL' : `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`))
  return `{${items.join(',')}}`
}
