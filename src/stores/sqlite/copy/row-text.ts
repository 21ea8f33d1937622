/**
 * Builds the checksum texts of rows in SQLite itself: one value per row is returned instead of one per column. Only for
 * values that this program wrote, and that SQLite stores in canonical form; `SqliteRowReader` is the slow
 * implementation for all values.
 */
import type Database from 'better-sqlite3'
import { canonicalCellText } from '../../../model/copy/canonical.ts'
import { rowText } from '../../../model/copy/row-hash.ts'
import type { SqlCondition } from '../../common/key-ranges.ts'
import { chained } from '../../../shared/sql-text.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { CellReader } from '../../common/sqlite-dialect/read-cell.ts'
import { sqliteCellReader, type SqliteScan, type ScanColumn } from './rows.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'
import type { StoredValue } from '../../common/sqlite-dialect/any.ts'

type Stored = null | StoredValue
type Piece = (value: Stored) => string

const WHOLE: Piece = String

/** The checksum text of a float always has sixteen digits. */
function floatPiece(read: CellReader): Piece {
  return (value) => (value === null ? 'N' : `16:${canonicalCellText(read(value))}`)
}

/** Number of texts between two pauses for other work. */
const SLICE = 2000

export class RowTexts {
  readonly #connection: Database.Database
  readonly #pieces: readonly Piece[]
  readonly #select: string

  private constructor(connection: Database.Database, select: readonly string[], pieces: readonly Piece[]) {
    this.#connection = connection
    this.#select = select.join(', ')
    this.#pieces = pieces
  }

  /** Null without columns, or if the database is not in UTF-8: SQLite would count lengths in another encoding. */
  static of(connection: Database.Database, columns: readonly ScanColumn[]): RowTexts | null {
    if (columns.length === 0 || connection.pragma('encoding', { simple: true }) !== 'UTF-8') return null
    const select: string[] = []
    const pieces: Piece[] = []
    let whole: string[] = []
    const endWhole = (): void => {
      if (whole.length === 0) return
      select.push(chained(whole, '||'))
      pieces.push(WHOLE)
      whole = []
    }
    for (const column of columns) {
      const expression = textExpression(column)
      if (expression !== null) {
        whole.push(expression)
        continue
      }
      endWhole()
      const read = sqliteCellReader(column)
      select.push(quote(column.name))
      pieces.push(
        column.as.kind === 'float' ? floatPiece(read) : (value) => rowText([value === null ? null : read(value)]),
      )
    }
    endWhole()
    return new RowTexts(connection, select, pieces)
  }

  *slices(
    { table, order }: Pick<SqliteScan, 'table' | 'order'>,
    { sql, parameters }: SqlCondition,
  ): Generator<readonly string[]> {
    const statement = this.#connection
      .prepare(
        `SELECT ${this.#select} FROM ${quote(table.table.name)} WHERE ${sql}${order === '' ? '' : ` ORDER BY ${order}`}`,
      )
      .raw(true)
      .safeIntegers(true)
    let slice: string[] = []
    for (const row of statement.iterate(...parameters) as IterableIterator<readonly Stored[]>) {
      slice.push(this.#text(row))
      if (slice.length < SLICE) continue
      yield slice
      slice = []
    }
    yield slice
  }

  #text(row: readonly Stored[]): string {
    const pieces = this.#pieces
    let text = ''
    for (let i = 0; i < pieces.length; i++) text += (pieces[i] as Piece)(row[i] as Stored)
    return text
  }
}

/** SQL for the text that `rowText` makes of a value; null if the stored form is not the canonical one. */
function textExpression({ name, as, column }: ScanColumn): string | null {
  const value = quote(name)
  const affinity = affinityOf(column.native)
  const lengthAndText = `ifnull(octet_length(${value}) || ':' || ${value}, 'N')`
  switch (as.kind) {
    case 'int':
    case 'bool':
      return affinity === 'real' ? null : lengthAndText
    case 'float':
      return null
    case 'bytes':
      return `ifnull((octet_length(${value}) * 2) || ':' || lower(hex(${value})), 'N')`
    case 'text':
      return affinity === 'text' || affinity === 'any' ? lengthAndText : null
    case 'native':
      return affinity === 'text' && as.name !== 'any' ? lengthAndText : null
    default:
      return affinity === 'text' ? lengthAndText : null
  }
}
