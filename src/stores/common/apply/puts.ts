/** Divides the rows to write of a batch into whole rows and partial rows, which lack unchanged values. */
import type { CellBatch, ChangeRow, Put } from '../../../model/copy/change.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChangeRequest, ChangeTable } from '../../../model/follow/port.ts'

/** A column that changes are written to. @property at its position in the request */
export type WrittenColumn = { readonly name: string; readonly at: number; readonly inIdentity: boolean }

/**
 * A changed row without its unchanged values: the target still has these in the row as it was before the change.
 * @property base row key before the change @property isMoved true if the change has changed the row key
 * @property mask one character per column of the request; 1: unchanged value
 */
export type PartialPut = { readonly put: Put; readonly base: Row; readonly isMoved: boolean; readonly mask: string }

/** Rows of a batch: removed ones (`gone`, their row keys), whole ones, and partial ones. */
export type SortedBatch = {
  readonly gone: readonly Row[]
  /** Cells of the written columns. */
  readonly whole: readonly Row[]
  readonly partial: readonly PartialPut[]
}

/** @param table its index in the request @throws Error if the session was not opened for it */
export function changeTableAt({ tables }: Pick<ChangeRequest, 'tables'>, table: number): ChangeTable {
  const found = tables[table]
  if (found === undefined) throw new Error(`this session was not opened for a table ${table}`)
  return found
}

/** Columns that the target does not compute itself. */
export function putColumns({ columns, identity }: ChangeTable): readonly WrittenColumn[] {
  return columns.flatMap(({ name, column }, at) =>
    column.generated === true ? [] : [{ name, at, inIdentity: identity.includes(name) }],
  )
}

/** @throws SluiceError ROW_REFUSED if a row key has a NULL, which finds no row */
export function sorted(batch: CellBatch, request: ChangeTable, written: readonly WrittenColumn[]): SortedBatch {
  const whole: Row[] = []
  const partial: PartialPut[] = []
  const isAll = written.length === request.columns.length && written.every(({ at }, i) => at === i)
  for (const key of batch.gone) refuseNull(key, request)
  for (const put of batch.puts) {
    refuseNull(put.key, request)
    const cells = isAll && isWhole(put.row) ? put.row : cellsOf(put, request, written)
    if (cells !== null) whole.push(cells)
    else partial.push(partialPut(put, request, written))
  }
  return { gone: batch.gone, whole, partial }
}

function isWhole(row: ChangeRow): row is Row {
  return !row.includes(undefined)
}

/** Cells of the written columns; null if one of them is unchanged. */
function cellsOf(put: Put, request: ChangeTable, written: readonly WrittenColumn[]): Row | null {
  const cells = new Array<Cell>(written.length)
  for (let i = 0; i < written.length; i++) {
    const cell = putCell(put, written[i] as WrittenColumn, request)
    if (cell === undefined) return null
    cells[i] = cell
  }
  return cells
}

/** Value of a column; `undefined` if unchanged. A missing row key value is taken from `key`. */
export function putCell(
  { row, key }: Put,
  { at, inIdentity, name }: Pick<WrittenColumn, 'at' | 'inIdentity' | 'name'>,
  { identity }: ChangeTable,
): Cell | undefined {
  const cell = row[at]
  return cell === undefined && inIdentity ? key[identity.indexOf(name)] : cell
}

function partialPut(put: Put, request: ChangeTable, written: readonly WrittenColumn[]): PartialPut {
  const { base, key, row } = put
  if (base === null) {
    throw new Error(
      `a row of ${tableText(request.table.table)} has values that the stream does not report, and the target does not have that row`,
    )
  }
  refuseNull(base, request)
  const known = new Set(written.filter(({ inIdentity }) => !inIdentity).map(({ at }) => at))
  const mask = request.columns.map((_, at) => (row[at] === undefined && known.has(at) ? '1' : '0')).join('')
  return { put, base, isMoved: !key.every((cell, i) => sameCell(cell, base[i] as Cell)), mask }
}

/** True if two cells are identical; bytes are compared by content. */
export function sameCell(a: Cell, b: Cell): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return Object.is(a, b)
}

function refuseNull(key: Row, { table, identity }: ChangeTable): void {
  const at = key.indexOf(null)
  if (at === -1) return
  const where = tableText(table.table)
  throw new SluiceError(
    'ROW_REFUSED',
    `a change of ${where} has no value in ${identity[at]}, which is needed to find its row`,
    {
      where,
      hint: 'give the source table a replica identity without NULLs, then copy the table again',
    },
  )
}
