/** One batch: all notes that one snapshot of the file shows, as one transaction. */
import type Database from 'better-sqlite3'
import type { Change, LogPosition } from '../../../../model/copy/change.ts'
import type { Row } from '../../../../model/copy/rows.ts'
import { breathe, throwIfAborted } from '../../../../shared/abort.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { ReportedChanges, type NotedChanges } from '../../../common/trigger-stream/round-changes.ts'
import { slices, type Open, type SqliteScan } from '../../copy/rows.ts'
import { isIdentity, isOfColumns, uniquesOf } from './conflicts.ts'
import { sqliteLogKeyColumn } from './log.ts'
import { rowsOf } from '../../reader.ts'

/** @property log name of the log with the keys of the table @property number number of the table in its stream */
export type SqliteNotedTable = { readonly table: FollowedTable; readonly log: string; readonly number: number }

/**
 * Notes of one log in a snapshot.
 * @property last largest id: the snapshot shows all notes up to it, see `SqliteRounds.#forget`
 */
export type Notes = { readonly place: number; readonly last: bigint; readonly count: bigint }

/** @param reader within the snapshot */
export function notesIn(reader: Database.Database, tables: readonly SqliteNotedTable[]): readonly Notes[] {
  return tables.flatMap(({ log }, place) => {
    const sql = `SELECT max(note_id), max(note_id) - min(note_id) + 1 FROM ${quote(log)}`
    const [last, count] = reader.prepare(sql).raw(true).safeIntegers(true).get() as [bigint | null, bigint | null]
    return last === null || count === null ? [] : [{ place, last, count }]
  })
}

/**
 * Yields the changes in pieces; yields nothing if there are no notes.
 * @returns true if the whole batch was reported; false if a table has changed, which the last change reports
 * @throws SluiceError VALUE_REFUSED; the driver's errors
 */
export async function* sqliteReportedRound(
  reader: Database.Database,
  tables: readonly SqliteNotedTable[],
  { noted, position, at }: { readonly noted: readonly Notes[]; readonly position: LogPosition; readonly at: number },
  signal: AbortSignal,
): AsyncGenerator<readonly Change[], boolean> {
  if (noted.length === 0) return true
  yield [{ type: 'begin', xid: 0, commit: position, at }]
  const reported = new ReportedChanges(Number(noted.reduce((sum, { count }) => sum + count, 0n)))
  for (const notes of noted) {
    const one = tables[notes.place]
    if (one === undefined) continue
    const keyless = rowWithoutKey(reader, one)
    if (keyless) {
      const reason = `a row was written without a key: ${one.table.identity.join(', ')} is NULL there`
      yield [{ type: 'reshaped', table: notes.place, reason }]
      return false
    }
    yield* reported.of(changesOf(reader, one, notes, signal))
  }
  return true
}

function changesOf(
  reader: Database.Database,
  one: SqliteNotedTable,
  { place, last }: Notes,
  signal: AbortSignal,
): NotedChanges {
  const { table, log } = one
  const { name } = table.table.table
  const keys = table.identity.map(quote).join(', ')
  const scan: SqliteScan = {
    table: table.table,
    columns: table.columns,
    // IN compares in the collation of the table's index, so each text of a key finds the row with an equal key.
    condition: {
      sql: `${table.identity.length === 1 ? keys : `(${keys})`} IN (SELECT ${table.identity.map((_, i) => sqliteLogKeyColumn(i)).join(', ')} FROM ${quote(log)} WHERE note_id <= ?)`,
      parameters: [last],
    },
    order: keys,
  }
  return {
    place,
    table,
    hasOtherUnique: uniquesOf(reader, name).some((own) => isOfColumns(own) && !isIdentity(own, table.identity)),
    gone: (isAll) => read(reader, goneOf(one, isAll, last), signal),
    rows: () => read(reader, scan, signal),
  }
}

/**
 * SQL of the noted keys that have no row, each once; with `isAll`, of all noted keys. Keys with a value that is not of
 * the type of its column are left out, because no target can have such a row.
 */
function goneOf({ table, log }: SqliteNotedTable, isAll: boolean, last: bigint): SqliteScan {
  const { name } = table.table.table
  const keys = table.identity.map((_, i) => sqliteLogKeyColumn(i))
  const columns = table.identity.flatMap((own, i) => {
    const found = table.columns.find((column) => column.name === own)
    return found === undefined
      ? []
      : [{ ...found, name: sqliteLogKeyColumn(i), column: { ...found.column, name: sqliteLogKeyColumn(i) } }]
  })
  // Keys are compared by the collation of the table's index, then by bytes. For the target, an equal key with another
  // text is the key of another row.
  const same = table.identity.map((own, i) => {
    const [left, right] = [`t.${quote(own)}`, `k.${sqliteLogKeyColumn(i)}`]
    const folds = (columns[i]?.column.collation ?? 'BINARY') !== 'BINARY'
    return folds ? `${left} = ${right} AND ${left} = ${right} COLLATE BINARY` : `${left} = ${right}`
  })
  const there = `EXISTS (SELECT 1 FROM ${quote(name)} AS t WHERE ${same.join(' AND ')})`
  const newest = `SELECT max(note_id) FROM ${quote(log)} WHERE note_id <= ? AND ${keys.map((key) => `${key} IS NOT NULL`).join(' AND ')} GROUP BY ${keys.join(', ')}`
  return {
    table: { ...table.table, table: { name: log }, key: [] },
    columns,
    from: `${quote(log)} AS k`,
    condition: { sql: `note_id IN (${newest})${isAll ? '' : ` AND NOT ${there}`}`, parameters: [last] },
    order: 'note_id',
    onRefused: () => undefined,
  }
}

/**
 * True if a noted key contains NULL, and the table has a row with NULL in the same key column. SQLite accepts NULL, in
 * many rows, in a primary key that is not an INTEGER.
 */
function rowWithoutKey(reader: Database.Database, { table, log }: SqliteNotedTable): boolean {
  const nullable = table.identity.flatMap((own, i) =>
    table.columns.some(({ name, column }) => name === own && column.nullable)
      ? [[quote(own), sqliteLogKeyColumn(i)] as const]
      : [],
  )
  return nullable.some(([own, key]) => {
    const [isNoted] = rowsOf(reader, `SELECT 1 FROM ${quote(log)} WHERE ${key} IS NULL LIMIT 1`)
    return (
      isNoted !== undefined &&
      rowsOf(reader, `SELECT 1 FROM ${quote(table.table.table.name)} WHERE ${own} IS NULL LIMIT 1`).length > 0
    )
  })
}

async function* read(reader: Database.Database, scan: SqliteScan, signal: AbortSignal): AsyncGenerator<readonly Row[]> {
  const open: Open = new Set()
  const found = slices(reader, scan, { wide: false, bytes: false }, open)
  try {
    for (;;) {
      throwIfAborted(signal)
      const next = found.next()
      if (next.done === true) return
      yield next.value.rows
      await breathe()
    }
  } finally {
    found.return(undefined)
  }
}
