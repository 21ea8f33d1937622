/** Decodes COPY's text format into batches of rows. */
import type { Cell, Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { isRefusedValue, type MistypedRows } from '../../common/as-stored.ts'
import type { BatchSize, RowBatch } from '../../../model/copy/source-port.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { fieldReader, inColumn, unescaped, type FieldReader } from './cells.ts'

const NEWLINE = 10
/** Maximum number of bytes of a row: a larger row does not fit in a string. */
const MOST_ROW = 500 * 1024 * 1024

type LineOptions = {
  /** Name of the table, for messages. */
  readonly table: string
  readonly columns: readonly (ReadColumn | WriteColumn)[]
  readonly size: BatchSize
  readonly onRefused?: (row: readonly (string | null)[], error: SluiceError) => void
  /** For `RowRequest.asStored`: key columns, and the set that collects rows with a value that does not fit its type. */
  readonly stored?: StoredRows
}

export type StoredRows = { readonly key: readonly string[]; readonly odd: MistypedRows }

/** @throws SluiceError VALUE_REFUSED if a value does not fit its type and rows are not quarantined */
export async function* batches(pieces: AsyncIterable<Buffer>, options: LineOptions): AsyncGenerator<RowBatch> {
  const reader = new LineReader(options)
  const { size } = options
  let rows: Row[] = []
  let bytes = 0
  for await (const text of wholeLines(pieces, options.table)) {
    for (let at = 0; at < text.length;) {
      const end = text.indexOf('\n', at)
      const row = reader.row(text.slice(at, end))
      if (row !== null) rows.push(row)
      bytes += end + 1 - at
      at = end + 1
      if (rows.length < size.rows && bytes < size.bytes) continue
      yield { rows, bytes }
      rows = []
      bytes = 0
    }
  }
  if (rows.length > 0) yield { rows, bytes }
}

/** Yields texts that end at a line end; input pieces may end anywhere. */
async function* wholeLines(pieces: AsyncIterable<Buffer>, table: string): AsyncGenerator<string> {
  let begun: Buffer[] = []
  let length = 0
  for await (const piece of pieces) {
    const end = piece.lastIndexOf(NEWLINE) + 1
    if (end > 0) {
      const lines = piece.subarray(0, end)
      yield (begun.length === 0 ? lines : Buffer.concat([...begun, lines])).toString('utf8')
      begun = []
      length = 0
    }
    if (end === piece.length) continue
    begun.push(piece.subarray(end))
    length += piece.length - end
    if (length > MOST_ROW) {
      throw new SluiceError('VALUE_REFUSED', `a row of ${table} is too large to be parsed`, {
        kind: 'source',
        reason: `it has more than ${MOST_ROW} bytes`,
        hint: 'copy it between two PostgreSQL databases without changing types, or exclude the column with --columns',
      })
    }
  }
  if (length > 0)
    throw new SluiceError('SOURCE_IO', `the rows of ${table} were cut off within a row`, {
      hint: 'run the same command again; report the error if it occurs again',
    })
}

class LineReader {
  readonly #options: LineOptions
  readonly #readers: readonly FieldReader[]

  constructor(options: LineOptions) {
    this.#options = options
    this.#readers = options.columns.map(fieldReader)
  }

  /** Decodes one line; returns null for a quarantined row. */
  row(line: string): Row | null {
    const { table, columns, onRefused, stored } = this.#options
    const fields = line.split('\t')
    const readers = this.#readers
    if (fields.length !== readers.length) {
      throw new SluiceError('INTERNAL', `a row of ${table} has ${fields.length} of ${readers.length} fields`)
    }
    const cells: Cell[] = fields
    let at = 0
    try {
      if (!line.includes('\\')) {
        for (; at < readers.length; at++) {
          const { plain } = readers[at] as FieldReader
          if (plain !== null) cells[at] = plain(fields[at] as string)
        }
        return cells
      }
      for (; at < readers.length; at++) {
        const field = fields[at] as string
        cells[at] = field === '\\N' ? null : (readers[at] as FieldReader).escaped(field)
      }
      return cells
    } catch (thrown) {
      if (stored !== undefined && isRefusedValue(thrown)) return this.#asStored(line, stored)
      const column = columns[at]
      const error = column === undefined ? thrown : inColumn(thrown, column, table, false)
      if (onRefused === undefined || !(error instanceof SluiceError) || error.code !== 'VALUE_REFUSED') throw error
      onRefused(
        line.split('\t').map((field) => (field === '\\N' ? null : unescaped(field))),
        error,
      )
      return null
    }
  }

  /**
   * Decodes a target row with values that do not fit their types. These values stay text, and the row is added to
   * `odd`.
   */
  #asStored(line: string, { key, odd }: StoredRows): Row {
    const { table, columns } = this.#options
    const row = line.split('\t').map((field, at): Cell => {
      if (field === '\\N') return null
      try {
        return (this.#readers[at] as FieldReader).escaped(field)
      } catch (error) {
        const column = columns[at] as ReadColumn
        if (key.includes(column.name) || !isRefusedValue(error)) throw inColumn(error, column, table, true)
        return unescaped(field)
      }
    })
    odd.add(row)
    return row
  }
}
