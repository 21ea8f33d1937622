/** Rows that repairs changed in a target, as they were before, so that a repair can be undone. */
import { bytesOfHex, hexDigits } from '../../../model/copy/bytes-text.ts'
import { randomUUID } from 'node:crypto'
import { refusedValue } from '../../../model/copy/refused.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { TableKey } from './owner.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'

/**
 * Expiry time of each value, in ms since 1970: 0 if it never expires, null without a readable write time (keys, missing
 * values, collections of some servers).
 */
export type Expiry = readonly (number | null)[]

export type RecordedRepair = {
  readonly id: string
  readonly table: TableKey
  readonly key: RowKey
  /** Earlier row of the target, in the plan's columns; null if there was none. */
  readonly before: Row | null
  readonly after: Row | null
  /** Expiry times of `before`; null if no value of it expires, or if an older version recorded the repair. */
  readonly expiry: Expiry | null
}

export function repairStatement(
  database: LedgerDatabase,
  runId: bigint,
  repair: Omit<RecordedRepair, 'id' | 'expiry'> & Partial<Pick<RecordedRepair, 'expiry'>>,
): Statement {
  const { now } = ledgerDialect(database.dialect)
  const action = repair.after === null ? 'delete' : repair.before === null ? 'insert' : 'update'
  return {
    sql: `INSERT INTO migration_repairs (repair_id, run_id, schema_name, table_name, row_key, action, before_json, after_json, repaired_ms)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ${now})`,
    parameters: [
      randomUUID(),
      runId,
      repair.table.schema,
      repair.table.name,
      JSON.stringify(repair.key),
      action,
      packedRow(repair.before, repair.expiry ?? null),
      packedRow(repair.after),
    ],
  }
}

/** Query that returns a row once the first of these notes is stored. @param notes statements of `repairStatement` */
export function notedStatement([first]: readonly Statement[]): Statement {
  return {
    sql: 'SELECT 1 FROM migration_repairs WHERE repair_id = ?',
    parameters: first === undefined ? [''] : first.parameters.slice(0, 1),
  }
}

/** Removes the note of a repair that was not made. */
export function removeNoteStatement(id: string): Statement {
  return { sql: 'DELETE FROM migration_repairs WHERE repair_id = ?', parameters: [id] }
}

/** Replaces the row that a repair recorded, if the target stored another row. */
export function correctedStatement(id: string, after: Row | null): Statement {
  return {
    sql: 'UPDATE migration_repairs SET after_json = ? WHERE repair_id = ?',
    parameters: [packedRow(after), id],
  }
}

/** Query that returns a row once a repair is undone. */
export function undoneQuery(id: string): Statement {
  return { sql: 'SELECT 1 FROM migration_repairs WHERE repair_id = ? AND undone_ms IS NOT NULL', parameters: [id] }
}

/** Repairs of a run that are not undone, latest first. */
export async function repairsOf(database: LedgerDatabase, runId: bigint): Promise<readonly RecordedRepair[]> {
  const rows = await database.all(
    `SELECT repair_id, schema_name, table_name, row_key, before_json, after_json FROM migration_repairs
     WHERE run_id = ? AND undone_ms IS NULL ORDER BY repaired_ms DESC, repair_id`,
    [runId],
  )
  return rows.map(([id, schema, name, key, before, after]) => ({
    id: String(id),
    table: { schema: String(schema), name: String(name) },
    key: JSON.parse(String(key)) as RowKey,
    before: unpacked(before),
    after: unpacked(after),
    expiry: unpackedExpiry(before),
  }))
}

/** Last repair of a row. @property runId the run to undo with `diff --undo` */
export type LastRepair = { readonly action: 'insert' | 'update' | 'delete'; readonly runId: bigint }

/** Last repair of each row of a table since a time, by its key as JSON. @param sinceMs by the clock of the ledger */
export async function repairedSince(
  database: LedgerDatabase,
  { schema, name }: TableKey,
  sinceMs: number,
): Promise<ReadonlyMap<string, LastRepair>> {
  const rows = await database.all(
    'SELECT row_key, action, run_id FROM migration_repairs WHERE schema_name = ? AND table_name = ? AND repaired_ms >= ? ORDER BY repaired_ms',
    [schema, name, sinceMs],
  )
  return new Map(
    rows.map(([key, action, runId]) => [
      String(key),
      { action: String(action) as LastRepair['action'], runId: BigInt(String(runId)) },
    ]),
  )
}

export function undoneStatement(database: LedgerDatabase, id: string): Statement {
  const { now } = ledgerDialect(database.dialect)
  return {
    sql: `UPDATE migration_repairs SET undone_ms = ${now} WHERE repair_id = ? AND undone_ms IS NULL`,
    parameters: [id],
  }
}

type Packed = null | string | { readonly n: string } | { readonly b: string }

/** Last element of a stored row with values that expire. */
type PackedExpiry = { readonly expiry: Expiry }

/** Stored form of a row; without `expiry`, equal rows have equal texts. */
export function packedRow(row: Row | null, expiry: Expiry | null = null): string | null {
  if (row === null) return null
  const cells = row.map((cell): Packed => {
    if (cell === null || typeof cell === 'string') return cell
    if (typeof cell === 'number') return { n: Object.is(cell, -0) ? '-0' : String(cell) }
    return { b: hexDigits(cell) }
  })
  return JSON.stringify(expiry === null ? cells : [...cells, { expiry }])
}

function unpacked(text: unknown): Row | null {
  if (typeof text !== 'string') return null
  return (JSON.parse(text) as readonly (Packed | PackedExpiry)[]).flatMap((cell): readonly Cell[] => {
    if (cell === null || typeof cell === 'string') return [cell]
    if ('expiry' in cell) return []
    if ('n' in cell) return [Number(cell.n)]
    const bytes = bytesOfHex(cell.b)
    if (bytes === null) throw refusedValue('bytes', cell.b)
    return [bytes]
  })
}

function unpackedExpiry(text: unknown): Expiry | null {
  if (typeof text !== 'string') return null
  const last = (JSON.parse(text) as readonly (Packed | PackedExpiry)[]).at(-1) ?? null
  return last !== null && typeof last === 'object' && 'expiry' in last ? last.expiry : null
}
