/**
 * Reads facts that are not in the schema from the rows of tables: row counts, and types of undeclared columns. A column
 * without a type gets the type of its first rows. SQLite has no dates, so a declared date column whose values are
 * numbers is a column of numbers.
 */
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import {
  collationIn,
  columnCollationSql,
  firstValuesSql,
  inferredType,
  dependsOnRows,
  type InferredType,
} from '../../common/sqlite-dialect/table-facts.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'
import type { D1Client, D1Result, D1Row, D1Statement } from '../client.ts'
import type { D1Shape } from './shape.ts'

export type Inspections = {
  readonly types: ReadonlyMap<string, InferredType>
  /** Collation by column, for columns that do not compare by bytes. */
  readonly collations: ReadonlyMap<string, string>
  /** 0 if unknown. */
  readonly rows: bigint
  readonly bytes: bigint
  /** Largest rowid, for a table that is read by rowids; null without rows. */
  readonly lastRowid: bigint | null
}

/** Databases up to this size are counted: D1 charges for every row that is read. */
const SMALL_BYTES = 32 * 1024 * 1024
const STATEMENTS_A_REQUEST = 100

type Question = {
  readonly at: number
  readonly statement: D1Statement
  readonly take: (rows: readonly D1Row[], answer: Answer) => void
}

type Answer = {
  types: Map<string, InferredType>
  collations: Map<string, string>
  rows: bigint
  lastRowid: bigint | null
}

/** @returns the facts of each table, in the order of the tables @throws D1Failure */
export async function inspectD1Tables(
  client: D1Client,
  shapes: readonly D1Shape[],
  signal: AbortSignal,
): Promise<readonly Inspections[]> {
  const [analyzed] = await client.read(
    [{ sql: "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'", params: [] }],
    { signal },
  )
  const size = analyzed?.databaseBytes ?? 0
  const answers = shapes.map((): Answer => ({ types: new Map(), collations: new Map(), rows: 0n, lastRowid: null }))
  const estimates = (analyzed?.rows.length ?? 0) > 0 && size > SMALL_BYTES
  const questions = shapes.flatMap((shape, at) => questionsOn(shape, at, size <= SMALL_BYTES, estimates))
  for (let from = 0; from < questions.length; from += STATEMENTS_A_REQUEST) {
    const some = questions.slice(from, from + STATEMENTS_A_REQUEST)
    const results: readonly D1Result[] = await client.read(
      some.map(({ statement }) => statement),
      { signal },
    )
    for (const [i, { at, take }] of some.entries()) {
      const answer = answers[at]
      if (answer !== undefined) take(results[i]?.rows ?? [], answer)
    }
  }
  const known = answers.reduce((sum, { rows }) => sum + rows, 0n)
  // Estimated by the table's share of all rows: D1 reports only the size of the whole database.
  return answers.map((answer) => ({ ...answer, bytes: known === 0n ? 0n : (BigInt(size) * answer.rows) / known }))
}

function questionsOn(shape: D1Shape, at: number, count: boolean, estimates: boolean): readonly Question[] {
  const table = quote(shape.name)
  const ask = (sql: string, take: Question['take'], params: readonly string[] = []): Question => ({
    at,
    statement: { sql, params },
    take,
  })
  const questions: Question[] = []
  if (count) questions.push(ask(`SELECT COUNT(*) FROM ${table}`, ([row], answer) => (answer.rows = whole(row))))
  else if (estimates) {
    const stat = 'SELECT MAX(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = ?'
    questions.push(ask(stat, ([row], answer) => (answer.rows = whole(row)), [shape.name]))
  }
  if (shape.rowid !== null) {
    questions.push(
      ask(`SELECT CAST(MAX(${shape.rowid}) AS TEXT) FROM ${table}`, ([row], answer) => {
        answer.lastRowid = row?.[0] == null ? null : whole(row)
      }),
    )
  }
  // Only tables whose definition has COLLATE can have another collation than BINARY.
  const collates = /\bcollate\b/i.test(shape.sql)
  for (const { name, type: native } of shape.columns) {
    if (collates && affinityOf(native) !== 'integer') {
      questions.push(
        ask(columnCollationSql(shape.name, name), (rows, answer) => {
          const collation = collationIn(rows as readonly SqlRow[])
          if (collation !== null) answer.collations.set(name, collation)
        }),
      )
    }
    if (!dependsOnRows(native)) continue
    questions.push(
      ask(firstValuesSql(shape.name, name), (rows, answer) => {
        const type = inferredType(native, rows)
        if (type !== null) answer.types.set(name, type)
      }),
    )
  }
  return questions
}

function whole(row: D1Row | undefined): bigint {
  return BigInt(String(row?.[0] ?? 0))
}
