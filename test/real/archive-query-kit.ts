/** A table of bookings in a source with some archived partitions, and the same rows in DuckDB. */
import fs from 'node:fs'
import path from 'node:path'
import { prepareArchiveLedger } from '../../src/archive/ledger/schema.ts'
import { PartitionLedger } from '../../src/archive/ledger/partition-ledger.ts'
import type { PartitionClaim } from '../../src/archive/ledger/partition-facts.ts'
import { queryColumns } from '../../src/archive/query/query-columns.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { ArchivedFile } from '../../src/model/archive/archived-file.ts'
import type { ArchiveState } from '../../src/model/archive/state.ts'
import { wireLine } from '../../src/model/archive/wire.ts'
import type { TableName, TableSpec } from '../../src/model/copy/column-type.ts'
import { newOwner } from '../../src/shared/owner.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { castColumn } from '../../src/stores/duckdb/archive/wire-cast.ts'
import { openDuckDb, type DuckDb } from '../../src/stores/duckdb/instance.ts'
import { queryPages } from '../../src/stores/duckdb/query.ts'
import type { SqlRow } from '../../src/model/run/sql-port.ts'
import type { QuerySourcesEvent } from '../../src/model/archive/events.ts'
import type { RowValue } from '../../src/model/run/event.ts'
import { perform, type Performed } from './operation-kit.ts'

export const SIGNAL = new AbortController().signal
export const QUARTERS = [
  { label: 'Q1-24', from: '2024-01-01', to: '2024-04-01' },
  { label: 'Q2-24', from: '2024-04-01', to: '2024-07-01' },
  { label: 'Q3-24', from: '2024-07-01', to: '2024-10-01' },
  { label: 'Q4-24', from: '2024-10-01', to: '2025-01-01' },
] as const
export type Part = { readonly label: string; readonly from: string | null; readonly to: string | null }

/** Rows as literals for PostgreSQL, SQLite and DuckDB, with NULLs and unusual texts in each column that allows them. */
export function bookingRows(count: number): string[] {
  const texts = ["'plain'", '\'a,"b"\'', "''", 'NULL', "'two\nlines'", "'\uFEFFmark'", "'it''s AND day'"]
  return Array.from({ length: count }, (_, i) => {
    const day =
      i % 97 === 0 ? 'NULL' : `'${new Date(Date.UTC(2024, 0, 1 + ((i * 7) % 400))).toISOString().slice(0, 10)}'`
    const amount = i % 11 === 0 ? 'NULL' : `${(i * 37) % 1000}.${String(i % 100).padStart(2, '0')}`
    const at = i % 13 === 0 ? 'NULL' : `'2024-${String(1 + (i % 12)).padStart(2, '0')}-15 10:20:30.${100000 + i}'`
    return `(${i}, ${day}, ${amount}, ${texts[i % texts.length]}, 'c${(i * 31) % 17}', ${at})`
  })
}

export const COLUMNS = 'id, day, amount, note, customer, seen'

/** The same rows in a table of DuckDB that was never archived. */
export async function untouched(rows: readonly string[]): Promise<DuckDb> {
  const db = await openDuckDb({ threads: 2, memoryLimit: '512MB' })
  await db.connection.run(
    'CREATE TABLE bookings (id BIGINT, day DATE, amount DECIMAL(10,2), note VARCHAR, customer VARCHAR, seen TIMESTAMP)',
  )
  await db.connection.run(`INSERT INTO bookings VALUES ${rows.join(', ')}`)
  return db
}

export async function referenceRows(db: DuckDb, sql: string): Promise<RowValue[][]> {
  // The driver itself drops U+FEFF at the beginning of a text.
  const rows: SqlRow[] = []
  for await (const page of queryPages(db.connection, sql, { pageRows: 10_000, signal: SIGNAL }, 'twin'))
    rows.push(...page.rows)
  return rows.map((row) =>
    row.map((plain) => {
      if (typeof plain === 'bigint') return plain.toString()
      return plain instanceof Uint8Array ? `\\x${Buffer.from(plain).toString('hex')}` : plain
    }),
  )
}

export type Asked = Performed & {
  readonly rows: RowValue[][]
  readonly columns: readonly string[]
  readonly sources: QuerySourcesEvent
}

/** @throws Error with the code and message of a failed query */
export async function ask(
  from: string,
  query: string,
  more: { limit?: number; table?: string; timeoutMs?: number } = {},
): Promise<Asked> {
  const performed = await perform({
    kind: 'query',
    from,
    table: 'bookings',
    limit: 100_000,
    format: 'json',
    query,
    ...more,
  })
  const { error } = performed.finished
  if (error !== undefined) throw Object.assign(new Error(`${error.code}: ${error.message}`), { info: error })
  const { events } = performed
  const sources = events.find((event) => event.type === 'query.sources')
  if (sources === undefined) throw new Error('no event says what was read')
  return {
    ...performed,
    rows: events.flatMap((event) => (event.type === 'row' ? [[...event.values]] : [])),
    columns: events.flatMap((event) => (event.type === 'columns' ? event.columns : [])),
    sources,
  }
}

/** Archives parts of a table without the code of the archive operations. */
export class Archiver implements AsyncDisposable {
  readonly store: CopyStore
  readonly root: string
  readonly database: LedgerDatabase
  readonly table: TableSpec
  readonly ledger: PartitionLedger
  readonly #columns: ReturnType<typeof queryColumns>

  private constructor(store: CopyStore, root: string, database: LedgerDatabase, table: TableSpec) {
    this.store = store
    this.root = root
    this.database = database
    this.table = table
    this.#columns = queryColumns(table, null)
    this.ledger = new PartitionLedger(database, table.table, { ...newOwner('here'), runId: 1n })
  }

  static async open(url: string, root: string, timeColumn: string | null): Promise<Archiver> {
    const store = await openCopyStore(url, { mode: 'write' })
    const [table] = await store.tables('bookings', SIGNAL)
    if (table === undefined) throw new Error('there are no bookings')
    const database = await store.ledger()
    await prepareArchiveLedger(database)
    const made = new Archiver(store, root, database, table)
    const stored = {
      columns: made.#columns.map(({ name, physical, column, as, stored: type }) => ({
        name,
        physical,
        column,
        as,
        stored: type,
      })),
      partitionColumn: 'quarter',
      mapped: false,
      sortBy: [],
    }
    const facts = { archive: root, archiveId: 'an-id', timeColumn, calendar: '', stored, graceMs: 0, origin: null }
    await made.ledger.addTable(facts, 'test')
    return made
  }

  /** Writes the rows of a part that a condition of the source chooses, and brings the partition to PUBLISHED. */
  async publish(part: Part, where: string, native: TableName | null = null): Promise<PartitionClaim> {
    const file = await this.#write(part.label, where)
    await this.ledger.addPartition({ ...part, native: native === null ? null : { table: native, identity: '1' } })
    const held = await this.ledger.claim(part.label, null)
    if (held === null) throw new Error('somebody else has it')
    await this.ledger.move(held, 'PLANNED', 'PUBLISHED', { files: file === null ? [] : [file] })
    return held
  }

  async move(held: PartitionClaim, from: ArchiveState, to: ArchiveState, sql: readonly string[] = []): Promise<void> {
    const { statements } = this.ledger.closing(held, from, to)
    await this.database.batch([...sql.map((text) => ({ sql: text, parameters: [] })), ...statements])
  }

  async #write(label: string, where: string): Promise<ArchivedFile | null> {
    const lines: string[] = [`${this.#columns.map(({ name }) => name).join(',')}\n`]
    await using view = await this.store.source(SIGNAL)
    const columns = this.#columns.map(({ name, as, column }) => ({ name, as, column }))
    const request = { table: this.table, columns, range: { by: 'all' }, where, ordered: false } as const
    for await (const { rows } of view.read(request, { rows: 1000, bytes: 1 << 20 }, SIGNAL)) {
      for (const row of rows) lines.push(wireLine(row, this.#columns))
    }
    if (lines.length === 1) return null
    const name = `quarter=${label}/part-${lines.length}.parquet`
    const at = path.join(this.root, name)
    fs.mkdirSync(path.dirname(at), { recursive: true })
    const csv = `${at}.csv`
    fs.writeFileSync(csv, lines.join(''))
    using db = await openDuckDb({ threads: 1, memoryLimit: '512MB' })
    const texts = this.#columns.map((_, i) => `'c${i}': 'VARCHAR'`).join(', ')
    await db.connection.run("SET TimeZone = 'UTC'")
    await db.connection.run(
      `COPY (SELECT ${this.#columns.map((column, i) => castColumn(column, i)).join(', ')} FROM read_csv('${csv}', auto_detect = false,
         header = true, columns = {${texts}}, allow_quoted_nulls = false, nullstr = '', quote = '"', escape = '"', delim = ',') AS wire)
       TO '${at}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
    )
    fs.rmSync(csv)
    return { path: name, bytes: BigInt(fs.statSync(at).size), rows: BigInt(lines.length - 1), sha256: '', sum: '' }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database[Symbol.asyncDispose]()
    await this.store[Symbol.asyncDispose]()
  }
}

/** Queries whose answers depend only on an order that they specify. */
export const QUESTIONS: readonly string[] = [
  'SELECT count(*) FROM bookings',
  'SELECT count(*), count(day), count(amount), count(note), count(seen) FROM bookings',
  "SELECT count(*) FROM bookings WHERE day >= '2024-04-01' AND day < '2024-07-01'",
  "SELECT id, day::VARCHAR FROM bookings WHERE day = '2024-05-06' ORDER BY id",
  "SELECT id FROM bookings WHERE day BETWEEN '2024-03-30' AND '2024-04-02' ORDER BY id",
  "SELECT id FROM bookings WHERE day IN ('2024-01-08', '2024-12-30') ORDER BY id",
  'SELECT id, note FROM bookings WHERE day IS NULL ORDER BY id',
  "SELECT count(*) FROM bookings WHERE day > '2024-09-30' OR amount > 900",
  "SELECT count(*) FROM bookings WHERE NOT (day < '2024-10-01')",
  'SELECT customer, count(*), sum(amount), min(day)::VARCHAR FROM bookings GROUP BY customer ORDER BY customer',
  "SELECT date_trunc('quarter', day)::DATE::VARCHAR AS q, count(*), avg(id) FROM bookings GROUP BY 1 ORDER BY 1 NULLS FIRST",
  'SELECT a.id, b.id FROM bookings a JOIN bookings b ON a.id = b.id + 1 AND a.customer <> b.customer WHERE a.id < 40 ORDER BY 1, 2',
  "SELECT count(*) FROM bookings a LEFT JOIN bookings b ON a.id = b.id AND b.day >= '2024-10-01' WHERE b.id IS NULL",
  'SELECT id, row_number() OVER (PARTITION BY customer ORDER BY id) FROM bookings QUALIFY 2 = row_number() OVER (PARTITION BY customer ORDER BY id) ORDER BY id',
  'SELECT id, epoch_ms(seen) FROM bookings ORDER BY seen DESC NULLS LAST, id LIMIT 7',
  'SELECT id, id FROM bookings ORDER BY id DESC LIMIT 5 OFFSET 3',
  "SELECT id, note FROM bookings WHERE note = 'it''s AND day' AND id < 60 ORDER BY id",
  'SELECT note, length(note), count(*) FROM bookings GROUP BY ALL ORDER BY note NULLS FIRST',
  "WITH late AS (SELECT * FROM bookings WHERE day >= '2024-10-01'), early AS (SELECT * FROM bookings WHERE day < '2024-02-01') SELECT (SELECT count(*) FROM late), (SELECT max(id) FROM early)",
  "SELECT count(*) FROM bookings WHERE id >= 100 AND id < 110 AND seen > '2024-06-01'",
  'SELECT DISTINCT customer FROM bookings WHERE amount IS NOT NULL ORDER BY 1 LIMIT 3',
  "SELECT id FROM bookings WHERE seen > TIMESTAMP '2024-12-15 10:20:30.1001' AND seen <= '2024-12-15 10:20:30.1005' ORDER BY id",
  'SELECT count(*) FROM bookings WHERE day <= current_date AND seen < now()',
  'FROM bookings SELECT max(day)::VARCHAR WHERE day < (SELECT max(day) FROM bookings)',
  "SELECT count(*) FROM bookings WHERE day > '2024-09-01' AND day < '2024-02-01'",
  'SELECT (SELECT count(*) FROM bookings b WHERE b.day = a.day AND b.id < a.id) FROM bookings a WHERE a.id < 30 ORDER BY a.id',
]
