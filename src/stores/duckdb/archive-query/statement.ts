/** A typed statement: its kind, its columns, and its result. */
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { severalStatements } from '../../common/query-errors.ts'
import { DuckDBTypeId, StatementType } from '../api.ts'
import { engineError } from '../errors.ts'
import type { QuerySession } from './session.ts'

export type ArchiveStatement = {
  /** Names of its result columns. */
  readonly columns: readonly string[]
  /** Indexes of boolean columns. */
  readonly booleans: ReadonlySet<number>
  /** The same statement with a limit on its rows, and timestamps as texts in UTC. */
  readonly limited: string
}

/** @throws SluiceError BAD_QUERY for an error, or several statements, or no query */
export async function readStatement(session: QuerySession, sql: string, limit: number): Promise<ArchiveStatement> {
  const statements = await session.connection.extractStatements(sql)
  if (statements.count > 1) throw severalStatements('the query')
  const prepared = await statements.prepare(0)
  try {
    if (prepared.statementType !== StatementType.SELECT) {
      throw new SluiceError('BAD_QUERY', 'the statement is not a query', { reason: 'only queries are allowed' })
    }
    if (prepared.parameterCount > 0)
      throw new SluiceError('BAD_QUERY', 'the query has parameters without values', {
        hint: 'write the values into the query',
      })
    const indexes = Array.from({ length: prepared.columnCount }, (_, i) => i)
    const selected = indexes.map((i) => `${shown(`c${i}`, prepared.columnTypeId(i))} AS c${i}`)
    const names = indexes.map((i) => `c${i}`).join(', ')
    return {
      columns: indexes.map((i) => prepared.columnName(i)),
      booleans: new Set(indexes.filter((i) => prepared.columnTypeId(i) === DuckDBTypeId.BOOLEAN)),
      limited: `SELECT ${selected.join(', ')} FROM query(${sqlLiteral(sql)}) AS answer(${names}) LIMIT ${limit}`,
    }
  } finally {
    prepared.destroySync()
  }
}

function shown(value: string, type: DuckDBTypeId): string {
  switch (type) {
    case DuckDBTypeId.TIMESTAMP_TZ:
      return `CAST(${value} AS VARCHAR)`
    // The shortest digits that identify the value: after a cast to DOUBLE, they would differ.
    case DuckDBTypeId.FLOAT:
      return `CAST(CAST(${value} AS VARCHAR) AS DOUBLE)`
    default:
      return value
  }
}

/** Maps a DuckDB error to BAD_QUERY, except I/O and out-of-space errors. */
export function queryFailure(error: unknown, hint: string): unknown {
  const known = error instanceof SluiceError ? error : engineError(error, 'DuckDB')
  if (known instanceof SluiceError && (known === error ? known.code !== 'BAD_QUERY' : known.code === 'NO_SPACE'))
    return known
  const [message = '', line] = (error instanceof Error ? error.message : String(error)).split(/\n+LINE (\d+):/)
  const text = message
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
  const reason = error instanceof SluiceError ? error.reason : undefined
  return new SluiceError('BAD_QUERY', `${text}${line === undefined ? '' : ` (line ${line})`}`, {
    reason,
    hint,
    cause: error,
  })
}
