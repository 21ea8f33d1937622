/**
 * Runs user queries in a separate process, because a call of SQLite blocks: in this process, ctrl-c and deadlines would
 * have to wait. The query is sent over stdin; pages are returned as lines. The process waits until a page is read.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { decimalType, type DeclaredType } from '../../model/run/answer-file.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { compiledEntry } from '../../shared/compiled-entry.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { QueryOptions, QueryPage, SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { badQuery, givesNoRows, severalStatements } from '../common/query-errors.ts'
import { QueryWatch } from '../common/query-watch.ts'
import { sqliteError } from './errors.ts'

/** A value in a line of JSON. `i`: a large integer; `b`: bytes as base64; `r`: a number that is not finite. */
export type SqliteWireValue =
  null | string | number | { readonly i: string } | { readonly b: string } | { readonly r: string }

export type QueryReply =
  | { readonly columns: readonly string[]; readonly types: readonly (string | null)[] }
  | { readonly rows: readonly (readonly SqliteWireValue[])[] }
  | { readonly end: true }
  | { readonly refused: 'no rows' | 'several' }
  | { readonly error: { readonly code: string | null; readonly message: string } }

/** Codes of errors of the file. All other errors are errors of the query. */
const OF_THE_FILE = /^SQLITE_(BUSY|LOCKED|CORRUPT|NOTADB|IOERR|CANTOPEN|FULL|PERM|NOMEM)/

const NAMED: readonly (readonly [RegExp, DeclaredType])[] = [
  [/^(?:BOOLEAN|BOOL)$/, 'boolean'],
  [/^DATE$/, 'date'],
  [/^TIME$/, 'time'],
  [/^(?:TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE)$/, 'timestamptz'],
  [/^(?:TIMESTAMP|DATETIME)$/, 'timestamp'],
  [/^UUID$/, 'uuid'],
  // SQLite's own rules of affinity: parts of type names, tested in this order.
  [/INT/, 'int64'],
  [/CHAR|CLOB|TEXT/, 'text'],
  [/REAL|FLOA|DOUB/, 'double'],
]

export async function* queryFile(
  file: string,
  sql: string,
  options: QueryOptions,
  label: string,
): AsyncGenerator<QueryPage> {
  const { pageRows, signal } = options
  throwIfAborted(signal)
  const entry = fileURLToPath(compiledEntry('stores/sqlite/query-main'))
  const child = spawn(process.execPath, [entry], { stdio: ['pipe', 'pipe', 'pipe'] })
  const kill = (): void => void child.kill('SIGKILL')
  using watch = new QueryWatch(options, kill)
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-2_000)))
  child.on('error', (error) => (complaint = error.message))
  child.stdin.on('error', () => undefined)
  child.stdin.end(JSON.stringify({ file, sql, pageRows }))
  try {
    let columns: readonly string[] = []
    let types: QueryPage['types'] = []
    let pages = 0
    for await (const line of createInterface({ input: child.stdout, crlfDelay: Infinity })) {
      throwIfAborted(signal)
      const reply = JSON.parse(line) as QueryReply
      if ('columns' in reply) {
        ;({ columns } = reply)
        types = reply.types.map(sqliteDeclaredIn)
      } else if ('rows' in reply) {
        pages++
        yield { columns, types, rows: reply.rows.map((row) => row.map(valueOf)) }
      } else if ('end' in reply) {
        if (pages === 0) yield { columns, types, rows: [] }
        return
      } else if ('refused' in reply) throw reply.refused === 'several' ? severalStatements(label) : givesNoRows(label)
      else throw failure(reply.error, label)
    }
    watch.throwIfOver(label)
    throw new SluiceError('INTERNAL', `the query ended without an answer: ${complaint.trim().split('\n').at(-1) ?? ''}`)
  } finally {
    kill()
  }
}

/**
 * The column type of answer files for a declared type; undefined if answer files have none. SQLite does not enforce
 * declared types, so a writer of files checks each value.
 * @param declared type as in the table's definition; null for an expression
 */
export function sqliteDeclaredIn(declared: string | null): DeclaredType | undefined {
  const name = (declared ?? '').trim().toUpperCase().replaceAll(/\s+/g, ' ')
  const digits = /^(?:DECIMAL|NUMERIC) ?\( ?(\d+) ?(?:, ?(\d+) ?)?\)$/.exec(name)
  if (digits !== null) return decimalType(Number(digits[1]), Number(digits[2] ?? 0))
  return NAMED.find(([form]) => form.test(name.replace(/ ?\( ?\d+ ?\)/, '')))?.[1]
}

function failure(
  { code, message }: { readonly code: string | null; readonly message: string },
  label: string,
): unknown {
  if (code !== null && OF_THE_FILE.test(code)) return sqliteError(Object.assign(new Error(message), { code }), label)
  return badQuery(message, label)
}

function valueOf(wire: SqliteWireValue): SqlValue {
  if (wire === null || typeof wire !== 'object') return wire
  if ('i' in wire) return BigInt(wire.i)
  return 'b' in wire ? Buffer.from(wire.b, 'base64') : Number(wire.r)
}

/** Encodes a value of the driver for a line. The driver returns integers as bigints. */
export function sqliteWireValue(value: SqlRow[number]): SqliteWireValue {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : { i: value.toString() }
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : { r: String(value) }
  return value instanceof Uint8Array ? { b: Buffer.from(value).toString('base64') } : value
}
