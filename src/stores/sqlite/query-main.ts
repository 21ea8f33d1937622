/**
 * The process that runs one user query, see `query.ts`. It writes only as fast as its output is read, so it has one
 * page in memory.
 */
import { readFileSync, writeSync } from 'node:fs'
import process from 'node:process'
import type { SqlRow } from '../../model/run/sql-port.ts'
import { sqliteWireValue, type QueryReply } from './query.ts'
import { openReader } from './reader.ts'

// Ctrl-c reaches every process of the terminal; the parent process decides what happens to this one.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined)

type Asked = { readonly file: string; readonly sql: string; readonly pageRows: number }

function say(reply: QueryReply): void {
  const bytes = Buffer.from(`${JSON.stringify(reply)}\n`)
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at)
    } catch (error) {
      const { code } = error as { readonly code?: unknown }
      if (code !== 'EAGAIN') process.exit(1)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

function answer({ file, sql, pageRows }: Asked): void {
  const connection = openReader(file)
  try {
    const statement = connection.prepare(sql)
    // Uses SQLite's own classification: ATTACH and VACUUM INTO return no rows, and a WAL checkpoint is not read-only.
    if (!statement.reader || !statement.readonly) return say({ refused: 'no rows' })
    const columns = statement.columns()
    say({ columns: columns.map(({ name }) => name), types: columns.map(({ type }) => type) })
    let page: SqlRow[] = []
    for (const row of statement.raw(true).safeIntegers(true).iterate() as Iterable<SqlRow>) {
      page.push(row)
      if (page.length < pageRows) continue
      say({ rows: page.map((values) => values.map(sqliteWireValue)) })
      page = []
    }
    if (page.length > 0) say({ rows: page.map((values) => values.map(sqliteWireValue)) })
    say({ end: true })
  } finally {
    connection.close()
  }
}

try {
  answer(JSON.parse(readFileSync(0, 'utf8')) as Asked)
} catch (error) {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  if (error instanceof RangeError && /more than one statement/.test(String(message))) say({ refused: 'several' })
  else say({ error: { code: typeof code === 'string' ? code : null, message: String(message) } })
}
process.exit(0)
