/**
 * Writes rows to a table, by LOAD DATA if the server allows it, else by INSERTs. A write succeeds only if the server
 * wrote every row and has no warnings: it reports cut blanks and rounded numbers only in notes, and LOAD DATA LOCAL
 * leaves rows out with a warning.
 */
import { isEnum, isMembered } from '../../../model/copy/members.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import { loadFileChunks, FILE_FORMAT } from '../load-file.ts'
import { endOfBatch } from '../load.ts'
import type { MysqlSession } from '../session.ts'
import { numberText } from '../values.ts'
import { rowHint, mysqlRowRefused, mysqlUpsertError } from './errors.ts'
import { quoted } from './names.ts'
import { baseTypeName, isBytes, isOpaque, isText } from './types.ts'

/** Parameters of one statement: the protocol counts them in two bytes. */
const MOST_PARAMETERS = 65_535
const MOST_ROWS = 1_000
/**
 * Batch sizes whose statements stay prepared, besides full batches. Changes that do not fill a batch are split into
 * these sizes: statements of other sizes would fill the cache.
 */
export const KEPT_ROWS = [256, 64, 32, 16, 8, 4, 2, 1]
const INSERT_BYTES = 4 * 2 ** 20
/** Below this, the two round trips of a LOAD DATA cost more than they save, and an INSERT has better error messages. */
const FEW_ROWS = 16
const DUPLICATE = 1062
const TRUNCATED = 1265
/** Deprecation warnings of newer servers for syntax that older ones need. */
const DEPRECATED = new Set([1287, 1681, 3719])
/** Warning about the binary log, not about a row: a log of statements may not repeat the statement exactly. */
const UNSAFE_IN_LOG = 1592

export type InsertInto = {
  /** The qualified, quoted name. */
  readonly table: string
  /** The name without schema and quotes. */
  readonly name: string
  readonly columns: readonly WriteColumn[]
  readonly key: readonly string[]
  /** Server and table, for messages. */
  readonly where: string
}

/** @returns number of rows, all of them written @throws SluiceError ROW_REFUSED; some rows may be written then */
export async function addRows(session: MysqlSession, into: InsertInto, rows: readonly SqlRow[]): Promise<number> {
  if (rows.length >= FEW_ROWS && isLoadable(session, into)) return await loadChunkRows(session, into, rows)
  return await insertRows(session, into, rows)
}

/** Overwrites rows with the same key. @returns number of rows, all of which were written @throws as `addRows` */
export async function upsertRows(session: MysqlSession, into: InsertInto, rows: readonly SqlRow[]): Promise<number> {
  const check = async ({ warnings, zeros }: Done, batch: readonly SqlRow[]): Promise<number> => {
    if (warnings > 0) await refuseWarnings(session, into, batch.length, batch.length, zeros)
    return batch.length
  }
  try {
    return await inBatches(session, into, rows, insertHead(into), upsertTail(into), check)
  } catch (error) {
    throw mysqlUpsertError(error, into.where)
  }
}

/**
 * Leaves out rows whose key exists.
 * @param index of the key; rows that conflict in another unique index are refused
 * @returns rows written @throws as `addRows`
 */
export async function appendRows(
  session: MysqlSession,
  into: InsertInto,
  rows: readonly SqlRow[],
  index: string,
): Promise<number> {
  const head = insertHead(into).replace('INSERT', 'INSERT IGNORE')
  return await inBatches(session, into, rows, head, '', async ({ changed, warnings, zeros }, batch) => {
    if (warnings === 0 && changed === batch.length) return changed
    const found = await warningsOf(session, zeros)
    const other = found.find(({ number, text }) => number !== DUPLICATE || !isOfIndex(text, into.name, index))
    if (other === undefined && found.length === batch.length - changed) return changed
    throw refusedBy(other, into, changed, batch.length)
  })
}

/**
 * Sets columns of one row.
 * @param columns whose new values are the first parameters of the statement
 * @returns false if there is no such row
 * @throws as `addRows`
 */
export async function updateRow(
  session: MysqlSession,
  into: InsertInto,
  columns: readonly WriteColumn[],
  sql: string,
  parameters: SqlRow,
): Promise<boolean> {
  const zeros = countZeros(columns, [parameters])
  return await unlessStrict(session, zeros, async () => {
    const { changed, warnings } = await session.execute(sql, parameters)
    if (changed > 0 && warnings > 0) await refuseWarnings(session, into, 1, 1, zeros)
    return changed > 0
  })
}

/** As `addRows`, by INSERTs of many rows. */
export async function insertRows(session: MysqlSession, into: InsertInto, rows: readonly SqlRow[]): Promise<number> {
  return await inBatches(session, into, rows, insertHead(into), '', async ({ changed, warnings, zeros }, batch) => {
    if (changed !== batch.length || warnings > 0) await refuseWarnings(session, into, batch.length, changed, zeros)
    return changed
  })
}

/** As `addRows`, by LOAD DATA LOCAL from memory. */
export async function loadChunkRows(session: MysqlSession, into: InsertInto, rows: readonly SqlRow[]): Promise<number> {
  const list = into.columns.map(({ name }) => quoted(name)).join(', ')
  const sql = `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${into.table} ${FILE_FORMAT} (${list})`
  const binary = into.columns.map(({ column }) => isBytes(baseTypeName(column.native)))
  const file = loadFileChunks(rows, binary, session.facts.maxPacket, into.where)
  const { changed, warnings } = await session.infile(sql, file)
  if (changed !== rows.length || warnings > 0) await refuseWarnings(session, into, rows.length, changed)
  return changed
}

/** True if LOAD DATA stores the same values in all columns as an INSERT. */
export function isLoadable({ facts }: MysqlSession, { columns }: InsertInto): boolean {
  return (
    facts.localInfile &&
    columns.every(({ column: { native, collation } }) => {
      const base = baseTypeName(native)
      if (base === 'json') return facts.flavour === 'mariadb'
      if (isText(base)) return collation === undefined || collation.startsWith('utf8mb4_')
      return !isOpaque(base) && !NOT_LOADABLE.has(base)
    })
  )
}

const NOT_LOADABLE = new Set(['bit', 'enum', 'set', 'uuid', 'inet4', 'inet6'])

function insertHead({ table, columns }: InsertInto): string {
  return `INSERT INTO ${table} (${columns.map(({ name }) => quoted(name)).join(', ')}) VALUES `
}

/**
 * End of an upsert statement. It fails by a division by zero if a row with another key has the same unique value. A
 * function returns a member by its name, which the number 0 does not have: the first assignment to an enum or a set
 * only checks, and the next one sets its value.
 */
function upsertTail({ columns, key }: InsertInto): string {
  const same = key.map((name) => `${quoted(name)} <=> VALUES(${quoted(name)})`).join(' AND ')
  const types = new Map(columns.map(({ name, column }) => [name, column.native]))
  const [first = '', ...others] = key
  const isFirstMembered = isMembered(types.get(first) ?? '')
  const kept = isFirstMembered ? '1' : `VALUES(${quoted(first)})`
  const guard = `${quoted(first)} = IF(IF(${same}, 1, 1 / (${same})), ${kept}, ${kept})`
  const rest = [...types.keys()].filter((name) => name !== first && !others.includes(name))
  const next = [...(isFirstMembered ? [first] : []), ...others, ...rest]
  const assignments = next.map((name) => `${quoted(name)} = ${insertedSql(name, types.get(name) ?? '')}`)
  return ` ON DUPLICATE KEY UPDATE ${[guard, ...assignments].join(', ')}`
}

/** The new value of a column. The server copies a set by its text, which loses an empty text that is a member. */
function insertedSql(name: string, native: string): string {
  const inserted = `VALUES(${quoted(name)})`
  return isMembered(native) && !isEnum(native) ? `CAST(${inserted} AS UNSIGNED)` : inserted
}

/** @property zeros error values of enums among the rows: the server warns about each */
type Done = { readonly changed: number; readonly warnings: number; readonly zeros: number }

async function inBatches(
  session: MysqlSession,
  { columns }: InsertInto,
  rows: readonly SqlRow[],
  head: string,
  tail: string,
  check: (done: Done, batch: readonly SqlRow[]) => Promise<number>,
): Promise<number> {
  const tuple = `(${columns.map(() => '?').join(',')})`
  const most = Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_PARAMETERS / columns.length)))
  const bytes = Math.min(INSERT_BYTES, session.facts.maxPacket / 2)
  let written = 0
  for (let start = 0; start < rows.length;) {
    const end = endOfBatch(rows, start, most, bytes)
    const batch = rows.slice(start, end)
    const keep = batch.length === most || KEPT_ROWS.includes(batch.length)
    const sql = head + Array(batch.length).fill(tuple).join(',') + tail
    const zeros = countZeros(columns, batch)
    const insert = async (): Promise<number> =>
      check({ ...(await session.execute(sql, batch.flatMap(asWritten), keep)), zeros }, batch)
    written += await unlessStrict(session, zeros, insert)
    start = end
  }
  return written
}

function countZeros(columns: readonly WriteColumn[], rows: readonly SqlRow[]): number {
  const places = columns.flatMap(({ column: { native } }, at) => (isEnum(native) ? [at] : []))
  return places.reduce((sum, at) => sum + rows.filter((row) => row[at] === 0n).length, 0)
}

/** Writes rows, without strict mode if they have error values of enums. Other warnings are still refused. */
async function unlessStrict<T>(session: MysqlSession, zeros: number, write: () => Promise<T>): Promise<T> {
  if (zeros === 0) return await write()
  await session.command(
    "SET @sluice_strict = @@SESSION.sql_mode, SESSION sql_mode = REPLACE(REPLACE(@@SESSION.sql_mode, 'STRICT_TRANS_TABLES', ''), 'STRICT_ALL_TABLES', '')",
  )
  try {
    return await write()
  } finally {
    if (session.broken === null) await session.command('SET SESSION sql_mode = @sluice_strict')
  }
}

/**
 * Sends numbers as text, as LOAD DATA does: the server converts them to the type of the column, and the driver needs a
 * quarter of the time.
 */
function asWritten(row: SqlRow): SqlValue[] {
  return row.map((value) => (typeof value === 'number' ? numberText(value) : value))
}

type Warning = { readonly number: number; readonly text: string }

/** @param zeros error values of enums that were written, each with an expected warning */
async function warningsOf(session: MysqlSession, zeros: number): Promise<readonly Warning[]> {
  const rows = await session.command('SHOW WARNINGS')
  let expected = zeros
  return rows
    .map(([, number, text]) => ({ number: Number(number), text: String(text) }))
    .filter(({ number }) => !DEPRECATED.has(number) && number !== UNSAFE_IN_LOG)
    .filter(({ number }) => number !== TRUNCATED || expected-- <= 0)
}

/** @throws SluiceError ROW_REFUSED if not all rows were changed, or with a warning */
export async function refuseWarnings(
  session: MysqlSession,
  into: InsertInto,
  rows: number,
  changed = rows,
  zeros = 0,
): Promise<void> {
  const [first] = await warningsOf(session, zeros)
  if (first !== undefined || changed !== rows) throw refusedBy(first, into, changed, rows)
}

function refusedBy(warning: Warning | undefined, { where }: InsertInto, changed: number, rows: number): SluiceError {
  const message = warning === undefined ? `${changed} of ${rows} rows were written` : warning.text
  return mysqlRowRefused(message, where, rowHint(warning?.number))
}

/** True if a message names this index: `Duplicate entry 'x' for key 'PRIMARY'`, in MySQL with the table before it. */
function isOfIndex(text: string, table: string, index: string): boolean {
  return text.endsWith(` for key '${index}'`) || text.endsWith(` for key '${table}.${index}'`)
}
