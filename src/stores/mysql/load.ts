/** Bulk writes: LOAD DATA from memory if the server allows it, else INSERTs of as many rows as fit. */
import { SluiceError } from '../../shared/errors.ts'
import { quotedName } from '../../shared/sql-text.ts'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { loadFileChunks, FILE_FORMAT } from './load-file.ts'
import type { MysqlSession } from './session.ts'
import { numberText, packetBytes } from './values.ts'

/** Parameters of one statement: the protocol counts them in two bytes. */
const MOST_PARAMETERS = 65_535
const MOST_ROWS = 1_000
/** Bytes of one INSERT, if the server accepts this many. */
const INSERT_BYTES = 4 * 2 ** 20
/** Below this, the two round trips of a LOAD DATA cost more than they save. */
const FEW_ROWS = 4
/** Types for which LOAD DATA stores other values than an INSERT. */
const UNLOADABLE = new Set(['json', 'bit', 'geometry', 'point', 'linestring', 'polygon', 'vector'])
const BINARY = /^(?:tiny|medium|long)?blob$|^(?:var)?binary$/

/** Quotes a name for our sessions, whose sql_mode has ANSI_QUOTES. */
export const quoted = quotedName

/** Column types by table, as the server names them; read once per table. */
export class MysqlColumnTypes {
  readonly #tables = new Map<string, ReadonlyMap<string, string>>()

  clear(): void {
    this.#tables.clear()
  }

  /** Empty for a table that the server's dictionary does not list, such as a temporary one. */
  async of(session: MysqlSession, table: string): Promise<ReadonlyMap<string, string>> {
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
 * @throws SluiceError VALUE_REFUSED for a value or key that the table refuses; some of the rows may have been written
 * then
 */
export async function loadSqlRows(
  session: MysqlSession,
  types: MysqlColumnTypes,
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

/** LOCAL turns errors into warnings and ignores duplicate keys, so the counts are checked. */
async function loadFile(
  session: MysqlSession,
  table: string,
  columns: readonly string[],
  rows: readonly SqlRow[],
  binary: readonly boolean[],
): Promise<void> {
  const list = columns.map(quoted).join(',')
  const sql = `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${quoted(table)} ${FILE_FORMAT} (${list})`
  const { changed, warnings } = await session.infile(
    sql,
    loadFileChunks(rows, binary, session.facts.maxPacket, session.label),
  )
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
  session: MysqlSession,
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
    // Keep only full batches and small ones prepared: other sizes rarely repeat, and would fill the driver's cache.
    const keep = count === most || count < FEW_ROWS
    await session.execute(head + Array(count).fill(tuple).join(','), rows.slice(start, end).flatMap(asWritten), keep)
    start = end
  }
}

/**
 * Sends numbers as text, as LOAD DATA does: the server converts them to the type of the column, and the driver needs a
 * quarter of the time.
 */
function asWritten(row: SqlRow): SqlValue[] {
  return row.map((value) => (typeof value === 'number' || typeof value === 'bigint' ? numberText(value) : value))
}

/** End (exclusive) of the batch of rows that begins at `start`. */
export function endOfBatch(rows: readonly SqlRow[], start: number, most: number, bytes: number): number {
  let left = bytes
  let end = start
  while (end < rows.length && end - start < most) {
    for (const value of rows[end] ?? []) left -= packetBytes(value)
    if (left < 0 && end > start) break
    end++
  }
  return end
}
