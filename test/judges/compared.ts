/** Compares the answer of a reader with sluice's log reader and DuckDB's Parquet reader for the same version. */
import { join } from 'node:path'
import { DeltaTable } from '../../src/delta/table.ts'
import { schemaOf, typeText, type Field } from '../../src/delta/schema.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { duckdbParquetRows } from '../../src/stores/duckdb/parquet-rows.ts'
import { identifier, sqlLiteral, openDuckDb, type DuckDb } from '../../src/stores/duckdb/instance.ts'
import type { Reading } from './judge.ts'

const NEVER = new AbortController().signal

export type Expected = {
  readonly latest: number
  /** SELECT of all rows, with columns c0, c1 … in the order of the schema. */
  readonly rows: string
  readonly schema: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[]
  readonly partitionColumns: readonly string[]
  /** Number of files by value of the first partition column, as in the log. */
  readonly files: ReadonlyMap<string | null, number>
}

/** @param version null for the newest */
export async function expectedOf(db: DuckDb, root: string, version: number | null): Promise<Expected> {
  const parquet = duckdbParquetRows()
  const table = await DeltaTable.open(openLocalLog(root), async () => parquet, NEVER)
  const snapshot = await table.snapshot(version === null ? {} : { version })
  const { protocol, metadata } = await snapshot.state(NEVER)
  const { fields } = schemaOf(protocol, metadata)
  const partitionColumns = metadata.partitionColumns ?? []
  const selects: string[] = []
  const files = new Map<string | null, number>()
  for await (const block of snapshot.files({ signal: NEVER })) {
    for (const { add } of block) {
      const values = add.partitionValues ?? {}
      const file = join(root, decodeURIComponent(add.path))
      selects.push(await selectOf(db, file, fields, partitionColumns, values))
      const [first] = partitionColumns
      const value =
        first === undefined ? null : (values[fields.find(({ name }) => name === first)?.physicalName ?? first] ?? null)
      files.set(value, (files.get(value) ?? 0) + 1)
    }
  }
  const none = `SELECT ${fields.map(({ type }, i) => `NULL::${sqlType(typeText(type))} AS c${i}`).join(', ')} WHERE false`
  return {
    latest: table.latest,
    rows: [none, ...selects].join(' UNION ALL '),
    schema: fields.map(({ name, type, nullable }) => ({ name, type: typeText(type), nullable })),
    partitionColumns,
    files,
  }
}

async function selectOf(
  db: DuckDb,
  file: string,
  fields: readonly Field[],
  partitionColumns: readonly string[],
  values: Readonly<Record<string, string | null>>,
): Promise<string> {
  const described = await db.connection.run(`SELECT name FROM parquet_schema(${sqlLiteral(file)})`)
  const inFile = new Set((await described.getRows()).map(([name]) => String(name)))
  const columns = fields.map(({ name, physicalName, type }, i) => {
    const value = values[physicalName] ?? null
    const from = partitionColumns.includes(name)
      ? value === null || value === ''
        ? 'NULL'
        : sqlLiteral(value)
      : inFile.has(physicalName)
        ? identifier(physicalName)
        : 'NULL'
    return `${from}::${sqlType(typeText(type))} AS c${i}`
  })
  return `SELECT ${columns.join(', ')} FROM read_parquet(${sqlLiteral(file)})`
}

const SQL: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  byte: 'TINYINT',
  short: 'SMALLINT',
  long: 'BIGINT',
  binary: 'BLOB',
  timestamp: 'TIMESTAMPTZ',
  timestamp_ntz: 'TIMESTAMP',
}
const sqlType = (delta: string): string => SQL[delta] ?? delta.toUpperCase()

export async function rowsDatabase(): Promise<DuckDb> {
  const db = await openDuckDb({ threads: 2, memoryLimit: '1GB' })
  await db.connection.run("SET TimeZone = 'UTC'")
  return db
}

/**
 * Rows of either side that the other one lacks, counting duplicates; NaN equals itself.
 * @returns counts of both, and some of the rows as text
 */
export async function difference(
  db: DuckDb,
  { rows, schema }: Pick<Expected, 'rows' | 'schema'>,
  reading: Reading,
): Promise<{ readonly count: number; readonly lacks: readonly string[]; readonly more: readonly string[] }> {
  const read = schema.map(({ type }, i) => `c${i}::${sqlType(type)} AS c${i}`).join(', ')
  const theirs = `SELECT ${read} FROM read_parquet(${sqlLiteral(reading.rows)})`
  const texts = async (sql: string): Promise<readonly string[]> =>
    (await (await db.connection.run(`SELECT found::VARCHAR FROM (${sql} LIMIT 3) AS found`)).getRows()).map(([row]) =>
      String(row),
    )
  const [[count] = []] = await (await db.connection.run(`SELECT count(*)::INTEGER FROM (${theirs})`)).getRows()
  return {
    count: Number(count),
    lacks: await texts(`(${rows}) EXCEPT ALL (${theirs})`),
    more: await texts(`(${theirs}) EXCEPT ALL (${rows})`),
  }
}
