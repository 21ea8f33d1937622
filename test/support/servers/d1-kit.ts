/** Helpers of D1 tests: the shared server, stores on new databases, tables, and a minimal ledger. */
import { inject } from 'vitest'
import type { Column, ColumnType, TableSpec } from '../../../src/model/copy/column-type.ts'
import type { Cell, Row } from '../../../src/model/copy/rows.ts'
import type { BatchStep, Closing } from '../../../src/model/run/ledger-port.ts'
import type { ChunkRequest } from '../../../src/model/copy/target-port.ts'
import type { CopyStore } from '../../../src/model/copy/port.ts'
import type { ReadColumn } from '../../../src/model/copy/read-column.ts'
import type { SourceView } from '../../../src/model/copy/source-port.ts'
import { RequestBudget } from '../../../src/stores/d1/budget.ts'
import { openD1Copy, type D1CopyOptions, type D1CopyStore } from '../../../src/stores/d1/copy/index.ts'
import type { Answer } from '../../setup/servers.ts'
import { d1Account, type D1Account, type D1Database } from './d1-account.ts'

export const NEVER: AbortSignal = new AbortController().signal

/** Address of the API that all test files share. */
export async function d1Base(): Promise<string> {
  const response = await fetch(`${inject('serverBroker')}/d1`)
  if (!response.ok) throw new Error(`no D1: ${await response.text()}`)
  const answer = (await response.json()) as Answer
  if ('missing' in answer) throw new Error(answer.missing)
  return answer.url
}

export type D1Stage = AsyncDisposable & {
  readonly account: D1Account
  readonly database: D1Database
  readonly store: D1CopyStore
  /** Another store on the same database. */
  open(options?: D1CopyOptions): Promise<D1CopyStore>
}

/** A database and a store on it whose request rate is not limited. */
export async function d1Stage(base: string, options: D1CopyOptions = {}): Promise<D1Stage> {
  const account = d1Account(base)
  const database = await account.database()
  const open = (more: D1CopyOptions = {}): Promise<D1CopyStore> =>
    openD1Copy(database.url, { environment: account.environment, budget: freeBudget(), ...options, ...more })
  const store = await open()
  return {
    account,
    database,
    store,
    open,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
      await account[Symbol.asyncDispose]()
    },
  }
}

/** A request budget that no test can use up. */
export function freeBudget(): RequestBudget {
  const budget = new RequestBudget()
  budget.readLimits(
    new Headers({ ratelimit: '"default";r=1000000000;t=1', 'ratelimit-policy': '"default";q=1000000000;w=1' }),
  )
  return budget
}

/** A table spec as a plan would contain it for this store. */
export function tableFor(
  store: CopyStore,
  name: string,
  types: Readonly<Record<string, ColumnType>>,
  key: readonly string[],
): TableSpec {
  return {
    table: { name },
    identity: '',
    columns: Object.entries(types).map(([column, type]): Column => ({
      name: column,
      ...store.declare(type),
      nullable: !key.includes(column),
    })),
    key,
    primary: true,
    rows: 0n,
    bytes: 0n,
  }
}

/** Columns with the types in which values are transferred. */
export function columnsOf(table: TableSpec, types: Readonly<Record<string, ColumnType>> = {}): readonly ReadColumn[] {
  return table.columns.map((column) => ({ name: column.name, as: types[column.name] ?? column.type, column }))
}

export async function readAll(
  view: SourceView,
  table: TableSpec,
  more: { readonly size?: number } = {},
): Promise<readonly Row[]> {
  const request = { table, columns: columnsOf(table), range: { by: 'all' }, where: null, ordered: false } as const
  const rows: Row[] = []
  for await (const batch of view.read(request, { rows: more.size ?? 10_000, bytes: 1e9 }, NEVER))
    rows.push(...batch.rows)
  return rows
}

/** Rows with bytes as hex, so that they can be compared. */
export function plainRows(
  rows: readonly Row[],
): readonly (readonly (Exclude<Cell, Uint8Array> | { readonly hex: string })[])[] {
  return rows.map((row) =>
    row.map((cell) => (cell !== null && typeof cell === 'object' ? { hex: Buffer.from(cell).toString('hex') } : cell)),
  )
}

export const LEDGER_DDL =
  'CREATE TABLE chunks (id INTEGER PRIMARY KEY, owner TEXT, fence INTEGER, status TEXT, cursor_key TEXT, stored INTEGER DEFAULT 0)'

/** One ledger chunk that `owner` has claimed. */
export class TestClaim {
  readonly id: number
  readonly owner: string
  readonly fence: number
  cursor: string | null = null

  constructor(id: number, owner: string, fence: number) {
    this.id = id
    this.owner = owner
    this.fence = fence
  }

  /** Assigns the chunk to the owner, also if another one owned it. */
  get taken(): string {
    return `INSERT INTO chunks (id, owner, fence, status) VALUES (${this.id}, '${this.owner}', ${this.fence}, 'in_progress')
      ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, fence = excluded.fence, status = 'in_progress'`
  }

  step(to: string, rows: number): BatchStep {
    const held = [this.id, this.fence, this.owner]
    const at = this.cursor === null ? 'cursor_key IS NULL' : 'cursor_key = ?'
    return {
      guard: {
        sql: `SELECT 1 FROM chunks WHERE ${HELD} AND ${at}`,
        parameters: this.cursor === null ? held : [...held, this.cursor],
      },
      advance: {
        sql: `UPDATE chunks SET cursor_key = ?, stored = stored + ? WHERE ${HELD}`,
        parameters: [to, rows, ...held],
      },
      landed: { sql: `SELECT 1 FROM chunks WHERE ${HELD} AND cursor_key = ?`, parameters: [...held, to] },
    }
  }

  closing(): Closing {
    const held = [this.id, this.fence, this.owner]
    return {
      statements: [{ sql: `UPDATE chunks SET status = 'completed' WHERE ${HELD}`, parameters: held }],
      guard: { sql: `SELECT 1 FROM chunks WHERE ${HELD}`, parameters: held },
      landed: {
        sql: `SELECT 1 FROM chunks WHERE id = ? AND fence = ? AND owner = ? AND status = 'completed'`,
        parameters: held,
      },
    }
  }
}

const HELD = "id = ? AND fence = ? AND owner = ? AND status = 'in_progress'"

/** With the cursor that an earlier attempt has reached. */
export type TestChunk = ChunkRequest & { readonly cursor: string | null }

export function chunkOf(table: TableSpec, more: Partial<TestChunk> = {}): TestChunk {
  return {
    table,
    columns: columnsOf(table),
    range: { by: 'key', after: null, through: null },
    onExisting: 'refuse',
    careful: false,
    signal: NEVER,
    cursor: null,
    ...more,
  }
}
