/** Common parts of the tests of MySQL copies: requests, rows, and a ledger of one table. */
import type { Column, ColumnType, TableSpec } from '../../src/model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { Digest, Row } from '../../src/model/copy/rows.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { ChunkRequest } from '../../src/model/copy/target-port.ts'
import type { Closing, LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { RowRequest, SourceView } from '../../src/model/copy/source-port.ts'

export const SIGNAL = new AbortController().signal
export const SIZE = { rows: 500, bytes: 2 ** 20 }

/** The only table that a pattern finds. */
export async function tableOf(store: CopyStore, pattern: string): Promise<TableSpec> {
  const [table, ...others] = await store.tables(pattern, SIGNAL)
  if (table === undefined || others.length > 0) throw new Error(`${pattern} is no table of its own`)
  return table
}

/** All columns of a table, each with its own type unless another one is given. */
export function columnsOf(table: TableSpec, as: Readonly<Record<string, ColumnType>> = {}): RowRequest['columns'] {
  return table.columns.map((column) => ({ name: column.name, as: as[column.name] ?? column.type, column }))
}

export function rowsOf(table: TableSpec, more: Partial<RowRequest> = {}): RowRequest {
  return { table, columns: columnsOf(table), range: EVERY_KEY, where: null, ordered: true, ...more }
}

export async function readAll(view: SourceView, request: RowRequest): Promise<readonly Row[]> {
  const rows: Row[] = []
  for await (const batch of view.read(request, SIZE, SIGNAL)) rows.push(...batch.rows)
  return rows
}

export async function cutAll(
  view: SourceView,
  table: TableSpec,
  rows: number,
  where: string | null = null,
  within: Range = EVERY_KEY,
): Promise<readonly Range[]> {
  const ranges: Range[] = []
  for await (const range of view.cut(table, within, where, rows, SIGNAL)) ranges.push(range)
  return ranges
}

export function chunkOf(table: TableSpec, more: Partial<ChunkRequest> = {}): ChunkRequest {
  return {
    table,
    columns: columnsOf(table),
    range: EVERY_KEY,
    onExisting: 'refuse',
    careful: false,
    signal: SIGNAL,
    ...more,
  }
}

/** Writes rows as one chunk and commits them. */
export async function writeChunk(store: CopyStore, request: ChunkRequest, rows: readonly Row[]): Promise<number> {
  await using writer = await store.target().open(request)
  const written = await writer.write(rows)
  await writer.commit(await ledgerRow(store))
  return written
}

export function sumOf(rows: readonly Row[]): Digest {
  const sum = new RowChecksum()
  for (const row of rows) sum.add(row)
  return sum.digest()
}

let chunks = 0
const ledgers = new WeakMap<CopyStore, Promise<LedgerDatabase>>()

export async function ledgerOf(store: CopyStore): Promise<LedgerDatabase> {
  const known = ledgers.get(store)
  if (known !== undefined) return known
  const opening = store.ledger().then(async (ledger) => {
    await ledger.batch([
      {
        sql: 'CREATE TABLE IF NOT EXISTS ledger (id BIGINT PRIMARY KEY, fence BIGINT, status VARCHAR(20)) ENGINE = InnoDB',
        parameters: [],
      },
    ])
    return ledger
  })
  ledgers.set(store, opening)
  return opening
}

/** A claimed chunk with fence 1 in the ledger, and the statements that close it for the owner with `fence`. */
export async function ledgerRow(store: CopyStore, fence = 1): Promise<Closing & { readonly id: number }> {
  const ledger = await ledgerOf(store)
  const id = ++chunks
  await ledger.batch([{ sql: 'INSERT INTO ledger VALUES (?, 1, ?)', parameters: [id, 'in_progress'] }])
  return {
    id,
    statements: [
      {
        sql: "UPDATE ledger SET status = 'completed' WHERE id = ? AND fence = ? AND status = 'in_progress'",
        parameters: [id, fence],
      },
    ],
    guard: {
      sql: "SELECT 1 FROM ledger WHERE id = ? AND fence = ? AND status = 'in_progress'",
      parameters: [id, fence],
    },
    landed: {
      sql: "SELECT 1 FROM ledger WHERE id = ? AND fence = ? AND status = 'completed'",
      parameters: [id, fence],
    },
  }
}

export async function statusOf(store: CopyStore, id: number): Promise<unknown> {
  const [row] = await (await ledgerOf(store)).all('SELECT status FROM ledger WHERE id = ?', [id])
  return row?.[0]
}

export async function refused(body: Promise<unknown>): Promise<SluiceError> {
  const error: unknown = await body.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof SluiceError) return error
  throw new Error(`no SluiceError, but ${String(error)}`, { cause: error })
}

/** The table that `declare` derives from columns; the first one is its key. */
export function declared(store: CopyStore, name: string, types: Readonly<Record<string, ColumnType>>): TableSpec {
  const columns = Object.entries(types).map(([column, type], at): Column => {
    return { name: column, ...store.declare(type), nullable: at > 0 }
  })
  return {
    table: { name },
    identity: '',
    columns,
    key: columns.slice(0, 1).map((column) => column.name),
    primary: true,
    rows: 0n,
    bytes: 0n,
  }
}
