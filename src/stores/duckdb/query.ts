/**
 * Queries that a user types. A result is complete before its first row is returned, because DuckDB's streams can end
 * early without an error. It is stored in a temporary table, which spills to disk if it is large; pages are read from
 * this table.
 */
import { otherCount } from './session.ts'
import type { DuckDBConnection, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import { decimalType, type DeclaredType } from '../../model/run/answer-file.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { sqlLiteral } from '../../shared/sql-text.ts'
import type { QueryOptions, QueryPage, SqlRow } from '../../model/run/sql-port.ts'
import { badQuery, givesNoRows, severalStatements } from '../common/query-errors.ts'
import { QueryWatch } from '../common/query-watch.ts'
import { DuckDBDecimalType, DuckDBTypeId, StatementType } from './api.ts'
import { duckdbError } from './errors.ts'
import { doubledBom } from './copy/select.ts'
import { fromDuckdb } from './sql-values.ts'

const RESULT = 'sluice_query_result'

/** Denies access to files, extensions and other databases; no query can change that. */
const ENCLOSE = 'SET enable_external_access = false; SET lock_configuration = true'

const BY_ID: Readonly<Partial<Record<DuckDBTypeId, DeclaredType>>> = {
  [DuckDBTypeId.BOOLEAN]: 'boolean',
  [DuckDBTypeId.TINYINT]: 'int16',
  [DuckDBTypeId.UTINYINT]: 'int16',
  [DuckDBTypeId.SMALLINT]: 'int16',
  [DuckDBTypeId.USMALLINT]: 'int32',
  [DuckDBTypeId.INTEGER]: 'int32',
  [DuckDBTypeId.UINTEGER]: 'int64',
  [DuckDBTypeId.BIGINT]: 'int64',
  [DuckDBTypeId.FLOAT]: 'float',
  [DuckDBTypeId.DOUBLE]: 'double',
  [DuckDBTypeId.VARCHAR]: 'text',
  [DuckDBTypeId.DATE]: 'date',
  [DuckDBTypeId.TIME]: 'time',
  [DuckDBTypeId.TIMESTAMP]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_S]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_MS]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_NS]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_TZ]: 'timestamptz',
  [DuckDBTypeId.UUID]: 'uuid',
}

export async function* queryPages(
  connection: DuckDBConnection,
  sql: string,
  options: QueryOptions,
  label: string,
): AsyncGenerator<QueryPage> {
  throwIfAborted(options.signal)
  using watch = new QueryWatch(options, () => connection.interrupt())
  try {
    yield* pagesOf(connection, sql, options.pageRows, label)
  } catch (error) {
    watch.throwIfOver(label)
    throw queryError(error, label)
  }
}

async function* pagesOf(
  connection: DuckDBConnection,
  sql: string,
  pageRows: number,
  label: string,
): AsyncGenerator<QueryPage> {
  await connection.run(ENCLOSE).catch((error: unknown) => {
    // A second query of the same database finds it locked already.
    if (!/configuration has been locked/.test(String(error))) throw error
  })
  const statements = await connection.extractStatements(sql)
  if (statements.count > 1) throw severalStatements(label)
  const statement = await statements.prepare(0)
  const { statementType, columnCount } = statement
  const columns = Array.from({ length: columnCount }, (_, i) => statement.columnName(i))
  const types = columns.map((_, i) => declaredIn(statement.columnType(i)))
  const places = columns.map((_, i) => `c${i}`)
  const read = places.map((place, i) =>
    statement.columnTypeId(i) === DuckDBTypeId.VARCHAR ? doubledBom(place) : place,
  )
  statement.destroySync()
  if (statementType !== StatementType.SELECT) {
    if (statementType !== StatementType.EXPLAIN) throw givesNoRows(label)
    const result = await connection.run(sql)
    yield { columns: result.columnNames(), rows: (await result.getRows()).map(rowOf) }
    return
  }
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${RESULT} AS FROM query(${sqlLiteral(sql)})`)
  try {
    const [count] = await (await connection.run(`SELECT count(*) FROM ${RESULT}`)).getRows()
    const total = Number(count?.[0])
    for (let from = 0; from === 0 || from < total; from += pageRows) {
      const page = await connection.run(
        `SELECT ${read.join(', ')} FROM ${RESULT} AS result(${places.join(', ')}) WHERE rowid >= ${from} AND rowid < ${from + pageRows} ORDER BY rowid`,
      )
      const rows = (await page.getRows()).map(rowOf)
      if (rows.length !== Math.min(pageRows, total - from)) throw otherCount(total, from + rows.length)
      yield { columns, types, rows }
    }
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${RESULT}`).catch(() => undefined)
  }
}

/** The column type of answer files for a type of DuckDB; undefined if answer files have no such type. */
function declaredIn(type: DuckDBType): DeclaredType | undefined {
  return type instanceof DuckDBDecimalType ? decimalType(type.width, type.scale) : BY_ID[type.typeId]
}

function rowOf(row: readonly DuckDBValue[]): SqlRow {
  return row.map(fromDuckdb)
}

function queryError(error: unknown, label: string): unknown {
  const known = duckdbError(error, label)
  // A refusal by the read-only file is a mistake in the query, not a missing right.
  if (known instanceof SluiceError && known.code !== 'TARGET_DENIED') return known
  // The caret under a copy of the line is useless once all is one line.
  const [message = '', line] = (error instanceof Error ? error.message : String(error)).split(/\n+LINE (\d+):/)
  return badQuery(`${message.replaceAll(/\s*\n\s*/g, ' ')}${line === undefined ? '' : ` (line ${line})`}`, label, error)
}
