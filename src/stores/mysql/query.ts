/**
 * User queries, each in its own session, in which every transaction is read-only. The server prepares the statement
 * first: it accepts exactly one, and returns the number of columns. INSERT, DDL and SELECT … INTO OUTFILE have no
 * columns, and are never run. Functions that read files, take locks or wait for other servers are refused by name.
 */
import { throwIfAborted } from '../../shared/abort.ts'
import { isoOfText } from '../../shared/clock.ts'
import { SluiceError, type ErrorCode } from '../../shared/errors.ts'
import type { QueryOptions, QueryPage, SqlRow } from '../../model/run/sql-port.ts'
import { badQuery, givesNoRows } from '../common/query-errors.ts'
import { QueryWatch } from '../common/query-watch.ts'
import { segmentsOf } from './lex.ts'
import type { MysqlSession } from './session.ts'

/** Failures of the server or of the connection, not of the query. */
const OF_THE_SERVER: ReadonlySet<ErrorCode> = new Set([
  'CONNECT_FAILED',
  'CONNECTION_LOST',
  'NO_SPACE',
  'TARGET_BUSY',
  'TARGET_CORRUPT',
  'TARGET_IO',
])
const OUT_OF_TIME = new Set([1969, 3024])
/** Column types of the protocol. */
const TYPE_TIMESTAMP = 7
const TYPE_DATETIME = 12

const DOES_MORE =
  /\b(load_file|get_lock|release_lock|release_all_locks|service_(?:get_read|get_write|release)_locks|(?:master|source)_(?:pos|gtid)_wait|wait_for_executed_gtid_set|sys_(?:exec|eval|set))[`"]?\s*\(/i
/** A comment that the server executes. */
const EXECUTED_COMMENT = /^\/\*M?!/

/**
 * @throws SluiceError BAD_QUERY if the query names a function that does more than read rows; bodies of views and of
 * stored functions are not checked
 */
function refuseFunctions(sql: string, where: string): void {
  const parts = [...segmentsOf(sql)].map(({ isCode, text }) =>
    isCode || /^[`"]/.test(text)
      ? text
      : EXECUTED_COMMENT.test(text)
        ? text.replace(/^\/\*M?!\d*|\*\/$/g, ' ')
        : text.startsWith("'")
          ? "''"
          : ' ',
  )
  const name = DOES_MORE.exec(parts.join(''))?.[1]
  if (name === undefined) return
  throw new SluiceError('BAD_QUERY', `the query is refused: it calls ${name}`, {
    where,
    reason: 'the function does more than read rows',
    hint: 'remove it from the query',
  })
}

/** @param open opens a session that can only read */
export async function* queryMysqlServer(
  open: () => Promise<MysqlSession>,
  sql: string,
  options: QueryOptions,
): AsyncGenerator<QueryPage> {
  const { pageRows, timeoutMs, signal } = options
  throwIfAborted(signal)
  const session = await open()
  const { label } = session
  using watch = new QueryWatch(options, () => cancel(open, session).catch(() => session.destroy()))
  try {
    watch.throwIfOver(label)
    refuseFunctions(sql, label)
    if (timeoutMs !== undefined) await session.command(deadline(session, timeoutMs))
    if ((await session.columnCount(sql)) === 0) throw givesNoRows(label)
    const stream = await session.stream(sql, [])
    for (let first = true; ; first = false) {
      const rows = await stream.take(pageRows)
      if (rows.length > 0 || first) {
        yield { columns: stream.names, types: stream.declared, rows: rows.map(instantsIn(stream.types)) }
      }
      if (rows.length < pageRows) return
    }
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof SluiceError && error.cause === undefined) throw error
    const { errno, message } = server(error)
    watch.throwIfOver(label, errno !== null && OUT_OF_TIME.has(errno))
    if (errno === null || (error instanceof SluiceError && OF_THE_SERVER.has(error.code))) throw error
    throw badQuery(message, label, error)
  } finally {
    session.destroy()
  }
}

/** Converts times to ISO 8601 text in UTC; the time zone of the session is UTC. */
function instantsIn(types: readonly (number | undefined)[]): (row: SqlRow) => SqlRow {
  const isTime = types.map((type) => type === TYPE_TIMESTAMP || type === TYPE_DATETIME)
  if (!isTime.includes(true)) return (row) => row
  return (row) => row.map((value, at) => (isTime[at] === true && typeof value === 'string' ? isoOfText(value) : value))
}

function deadline({ facts }: MysqlSession, timeoutMs: number): string {
  return facts.flavour === 'mariadb'
    ? `SET SESSION max_statement_time = ${timeoutMs / 1000}`
    : `SET SESSION max_execution_time = ${Math.max(1, Math.ceil(timeoutMs))}`
}

async function cancel(open: () => Promise<MysqlSession>, { facts }: MysqlSession): Promise<void> {
  const other = await open()
  try {
    await other.command(`KILL QUERY ${facts.id}`)
  } finally {
    await other.close()
  }
}

/** Number and message of the server's error, which is the cause of a SluiceError. */
function server(error: unknown): { readonly errno: number | null; readonly message: string } {
  const raw = error instanceof SluiceError ? error.cause : error
  const { errno, sqlMessage, message } = raw as {
    readonly errno?: unknown
    readonly sqlMessage?: unknown
    readonly message?: unknown
  }
  const number = typeof errno === 'number' && errno > 0 ? errno : null
  return { errno: number, message: String(sqlMessage ?? message) }
}
