/** Rows in bulk: LOAD DATA from memory where the server allows it, else INSERTs of as many rows as fit. */
import { SluiceError } from '../../shared/errors.ts'
import { quotedName } from '../../shared/sql-text.ts'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { fileOf, FILE_FORMAT } from './load-file.ts'
import type { Session } from './session.ts'
import { numberText, sizeOf } from './values.ts'

/** Parameters of one statement: the protocol counts them in two bytes. */
const MOST_PARAMETERS = 65_535
const MOST_ROWS = 1_000
/** Bytes of one INSERT, where the server accepts so many. */
const INSERT_BYTES = 4 * 2 ** 20
/** Below, the two round trips of a LOAD DATA cost more than they save. */
const FEW_ROWS = 4
/** Types that LOAD DATA would fill otherwise than an INSERT. */
const UNLOADABLE = new Set(['json', 'bit', 'geometry', 'point', 'linestring', 'polygon', 'vector'])
const BINARY = /^(?:tiny|medium|long)?blob$|^(?:var)?binary$/

/** As sessions of ours read a name: their sql_mode has ANSI_QUOTES. */
export const quoted = quotedName

/** Types of columns by table, as the server names them; asked once a table. */
export class ColumnTypes {
  readonly #tables = new Map<string, ReadonlyMap<string, string>>()

  clear(): void {
    this.#tables.clear()
  }

  /** Empty for a table that the server's dictionary does not list, as a temporary one. */
  async of(session: Session, table: string): Promise<ReadonlyMap<string, string>> {
    const known = this.#tables.get(table)
    if (known !== undefined) return known
    const rows = await session.rows(
      'SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?',
      [table],
    )
    const types = new Map(rows.map(([name, type]) => [String(name).toLowerCase(), String(type).toLowerCase()]))
    if (types.size > 0) this.#tables.set(table, types)
    return types
  }
}

/**
 * Writes all rows or throws.
 * @throws SluiceError VALUE_REFUSED for a value or key that the table refuses, after which some of the rows may be there
 */
export async function loadRows(
  session: Session,
  types: ColumnTypes,
  table: string,
  columns: readonly string[],
  rows: readonly SqlRow[],
): Promise<void> {
  if (session.facts.localInfile && rows.length >= FEW_ROWS) {
    const known = await types.of(session, table)
    const kinds = columns.map((column) => known.get(column.toLowerCase()))
    if (kinds.every((kind) => kind !== undefined && !UNLOADABLE.has(kind))) {
      const binary = kinds.map((kind) => kind !== undefined && BINARY.test(kind))
      return await loadFile(session, table, columns, rows, binary)
    }
  }
  await insert(session, table, columns, rows)
}

/** LOCAL turns errors into warnings and duplicate keys into nothing: the counts tell. */
async function loadFile(
  session: Session,
  table: string,
  columns: readonly string[],
  rows: readonly SqlRow[],
  binary: readonly boolean[],
): Promise<void> {
  const list = columns.map(quoted).join(',')
  const sql = `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${quoted(table)} ${FILE_FORMAT} (${list})`
  const { changed, warnings } = await session.infile(sql, fileOf(rows, binary, session.facts.maxPacket, session.label))
  if (changed === rows.length && warnings === 0) return
  const [[, number, text] = []] = await session.command('SHOW WARNINGS LIMIT 1')
  throw new SluiceError('VALUE_REFUSED', 'the database refuses a value', {
    where: `${session.label}: table ${table}`,
    reason:
      text === undefined
        ? `${changed} of ${rows.length} rows were written`
        : `${String(text)} (error ${String(number)}); ${changed} of ${rows.length} rows were written`,
    hint: 'compare the value with the type and the keys of its column',
  })
}

async function insert(
  session: Session,
  table: string,
  columns: readonly string[],
  rows: readonly SqlRow[],
): Promise<void> {
  const head = `INSERT INTO ${quoted(table)} (${columns.map(quoted).join(',')}) VALUES `
  const tuple = `(${columns.map(() => '?').join(',')})`
  const most = Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_PARAMETERS / columns.length)))
  const bytes = Math.min(INSERT_BYTES, session.facts.maxPacket / 2)
  for (let start = 0; start < rows.length;) {
    const end = endOfBatch(rows, start, most, bytes)
    const count = end - start
    // Only whole batches come again; others would fill the driver's store of prepared statements.
    const keep = count === most || count < FEW_ROWS
    await session.execute(head + Array(count).fill(tuple).join(','), rows.slice(start, end).flatMap(asWritten), keep)
    start = end
  }
}

/** Numbers as text, as LOAD DATA has them: the column's type decides, and the driver takes a quarter of the time over them. */
function asWritten(row: SqlRow): SqlValue[] {
  return row.map((value) => (typeof value === 'number' || typeof value === 'bigint' ? numberText(value) : value))
}

/** Where a batch of rows that begins at `start` has to end. */
export function endOfBatch(rows: readonly SqlRow[], start: number, most: number, bytes: number): number {
  let left = bytes
  let end = start
  while (end < rows.length && end - start < most) {
    for (const value of rows[end] ?? []) left -= sizeOf(value)
    if (left < 0 && end > start) break
    end++
  }
  return end
}
