/** Checksums of a chunk's rows, read back within its transaction. */
import { cellOfText, keyParts } from '../../../model/copy/key-text.ts'
import type Database from 'better-sqlite3'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import { keyColumns, type SqlCondition } from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { binderOf } from '../../common/sqlite-dialect/bind.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { RowTexts } from './row-text.ts'
import { SqliteRowReader, slices, type ReadMode, type ScanColumn, type StoredRow } from './rows.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'

export type Stored = {
  readonly table: TableSpec
  readonly columns: readonly ScanColumn[]
  /** Conditions for the rows: each row meets one of them. */
  readonly conditions: readonly SqlCondition[]
  readonly order: string
}

/** Number of keys between two pauses for other work. */
const KEYS_PER_PAUSE = 1000

export async function sqliteDigest(
  connection: Database.Database,
  { table, columns, conditions, order }: Stored,
  signal: AbortSignal,
): Promise<Digest> {
  const sum = new RowChecksum()
  const care: ReadMode = { wide: false, bytes: false }
  for (const condition of conditions) {
    for (const { rows } of slices(connection, { table, columns, condition, order }, care, new Set())) {
      throwIfAborted(signal)
      for (const row of rows) sum.add(row)
      await breathe()
    }
  }
  return sum.digest()
}

/** As `sqliteDigest`, but only for rows that this program wrote; takes about half the time. */
export async function ownDigest(connection: Database.Database, stored: Stored, signal: AbortSignal): Promise<Digest> {
  const texts = RowTexts.of(connection, stored.columns)
  if (texts === null) return sqliteDigest(connection, stored, signal)
  const sum = new RowChecksum()
  for (const condition of stored.conditions) {
    for (const slice of texts.slices(stored, condition)) {
      throwIfAborted(signal)
      for (const text of slice) sum.addText(text)
      await breathe()
    }
  }
  return sum.digest()
}

/** Reads rows by their keys, one by one, so the sort order of the key and other rows between them do not matter. */
export async function keysDigest(
  connection: Database.Database,
  { table, columns }: Stored,
  keys: ReadonlySet<string>,
  countOnly: boolean,
  signal: AbortSignal,
): Promise<Digest> {
  const key = keyColumns(table).map((column) => {
    const as = columns.find(({ name }) => name === column.name)?.as ?? column.type
    const name = quote(column.name)
    // Each spelling may be a row of its own: the unique index may have another collation than the column. Only one of
    // the conditions can use it.
    const folds = column.collation !== undefined
    const equals = folds ? `${name} = ? AND ${name} = ? COLLATE BINARY` : `${name} = ?`
    return { name, equals, times: folds ? 2 : 1, as, bind: binderOf(as, affinityOf(column.native)) }
  })
  const lookups = new Map<string, Lookup>()
  const sum = new RowChecksum()
  let seen = 0
  for (const text of keys) {
    if (++seen % KEYS_PER_PAUSE === 0) {
      throwIfAborted(signal)
      await breathe()
    }
    const cells = keyParts(text)
    const condition = key.map(({ name, equals }, i) => (cells[i] === null ? `${name} IS NULL` : equals)).join(' AND ')
    let lookup = lookups.get(condition)
    if (lookup === undefined) lookups.set(condition, (lookup = new Lookup(connection, table, columns, condition)))
    lookup.add(
      key.flatMap(({ as, bind, times }, i) => {
        const cell = cells[i]
        return cell == null ? [] : Array.from({ length: times }, () => bind(cellOfText(cell, as)))
      }),
      sum,
    )
  }
  const digest = sum.digest()
  return countOnly ? { rows: digest.rows, sum: '' } : digest
}

type Prepared = { readonly reader: SqliteRowReader; readonly statement: Database.Statement }

/** Reads the rows of one key at a time, with a prepared statement. */
class Lookup {
  readonly #prepare: () => Prepared
  #current: Prepared

  constructor(connection: Database.Database, table: TableSpec, columns: readonly ScanColumn[], sql: string) {
    const care: ReadMode = { wide: true, bytes: false }
    this.#prepare = () => {
      const reader = new SqliteRowReader(
        connection,
        { table, columns, condition: { sql, parameters: [] }, order: '' },
        care,
      )
      return { reader, statement: reader.statement(0) }
    }
    this.#current = this.#prepare()
  }

  add(parameters: SqlRow, sum: RowChecksum): void {
    const rows: Row[] = []
    for (const stored of this.#current.statement.all(...parameters) as StoredRow[]) {
      const row = this.#current.reader.row(stored, 0)
      if (row === 'again') {
        this.#current = this.#prepare()
        this.add(parameters, sum)
        return
      }
      if (row !== 'aside') rows.push(row)
    }
    for (const row of rows) sum.add(row)
  }
}
