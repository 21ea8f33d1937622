/** Measures how fast a copy reads rows, and writes them into a table with the new indexes, on this machine. */
import { throwIfAborted } from '../../../../shared/abort.ts'
import { isNative } from '../../../../model/copy/column-type.ts'
import type { MeasureRequest, MeasuredRead } from '../../../../model/partition/plan-port.ts'
import type { CopyOut } from '../../server/copy-out.ts'
import { quoteName } from '../../server/connect.ts'
import { columnList, literal, tableSql } from '../../server/sql.ts'
import type { CopySession } from '../../server/session.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import { aboutTable } from './about.ts'
import { rowBytes } from './spread.ts'
import { checkDefinitions, indexTails } from './new-table.ts'

const TARGET = { schema: 'pg_temp', name: 'sluice_sample' }
/** Limits of one COPY (rows, bytes), and of one worker (bytes), because a single row may have a gigabyte. */
const COPY_ROWS = 5000
const COPY_BYTES = 8_000_000
const MOST_BYTES = 256_000_000
/** SQLSTATEs that end the writing: a read-only server, or a table or row refused by the server or an event trigger. */
const NOT_WRITTEN = /^(?:0A|2[23]|42|P0|25006)/

/** `sent`: bytes received from the server. */
type CopyWorker = { readonly reader: CopySession; writer: CopySession | null; refused: string | null; sent: number }
/** Rows that a worker copied from blocks `from` up to `to`, exclusive. */
type Piece = { rows: bigint; readonly from: number; to: number }
type Table = {
  readonly blocks: number
  readonly each: number
  readonly sql: string
  readonly columns: string
  readonly format: 'binary' | 'text'
}

/** @param open opens a session that may write; the caller closes it */
export async function measureCopyWorkers(
  request: MeasureRequest,
  open: () => Promise<CopySession>,
): Promise<MeasuredRead> {
  const workers: CopyWorker[] = []
  let onlyRead: string | null = null
  for (let worker = 0; worker < request.workers; worker++) {
    const reader = await open()
    await reader.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY')
    let writer: CopySession | null = null
    if (onlyRead === null) {
      writer = await open()
      onlyRead = await prepared(writer, request)
    }
    workers.push({ reader, writer: onlyRead === null ? writer : null, refused: null, sent: 0 })
  }
  const [first] = workers
  if (first === undefined) throw new Error('a measure without workers')
  const table = await tableOf(first.reader, request)
  const began = performance.now()
  const until = began + request.timeLimitMs
  const pieces = await Promise.all(workers.map((worker, at) => fill(worker, table, request, at, until)))
  const ms = performance.now() - began
  let bytes = 0n
  for (const [at, { from, to }] of pieces.entries()) {
    const [[size] = []] =
      (await workers[at]?.reader.ask(
        `SELECT pg_catalog.sum(${rowBytes(request)}) FROM ONLY ${table.sql} WHERE ${blocksSql(from, to)}`,
      )) ?? []
    bytes += BigInt(size ?? 0)
  }
  onlyRead ??= workers.find(({ refused }) => refused !== null)?.refused ?? null
  return { rows: pieces.reduce((sum, { rows }) => sum + rows, 0n), bytes, ms, onlyRead }
}

/**
 * Creates the target table, partitioned, so that each row must find its partition.
 * @returns the server's reason if it refuses this; null otherwise
 */
async function prepared(session: CopySession, request: MeasureRequest): Promise<string | null> {
  await session.begin('ISOLATION LEVEL READ COMMITTED')
  await session.ask(`SELECT pg_catalog.set_config('search_path', '', true); SAVEPOINT sample`)
  const about = await aboutTable(session, request, false)
  const target = tableSql(TARGET)
  const like = `LIKE ${about.sql} INCLUDING GENERATED INCLUDING STORAGE`
  try {
    await session.ask(`CREATE TEMPORARY TABLE ${TARGET.name} (${like}) PARTITION BY RANGE (${about.by})`)
    await session.ask(`CREATE TEMPORARY TABLE ${TARGET.name}_rows PARTITION OF ${target} DEFAULT`)
    for (const check of await checkDefinitions(about)) await session.ask(`ALTER TABLE ${target} ADD ${check}`)
    for (const tail of await indexTails(about)) await session.ask(tail(target))
  } catch (error) {
    if (!session.alive || !NOT_WRITTEN.test(sqlStateOf(error) ?? '')) throw error
    await session.ask('ROLLBACK TO SAVEPOINT sample')
    return `${(error as Error).message}: rows were read, not written`
  }
  return null
}

async function tableOf(session: CopySession, request: MeasureRequest): Promise<Table> {
  const { table } = request.table
  const sql = tableSql(table)
  const [[blocks, most] = []] = await session.ask(
    `SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint, greatest(c.reltuples, 0)::float8 / greatest(c.relpages, 1)::float8
     FROM pg_catalog.pg_class c WHERE c.oid = ${literal(sql)}::pg_catalog.regclass::oid`,
  )
  const density = Number(most) > 0 ? Number(most) : 20
  const dense = Number(request.table.bytes) / Math.max(1, Number(blocks))
  const each = Math.max(1, Math.floor(Math.min(COPY_ROWS / density, COPY_BYTES / Math.max(1, dense))))
  const written = request.table.columns.filter(({ generated }) => generated !== true)
  const format = written.some(({ type }) => isNative(type)) ? 'text' : 'binary'
  return { blocks: Number(blocks), each, sql, columns: columnList(written.map(({ name }) => name)), format }
}

/** Workers start at equal distances in the table, so that each reads different rows. */
async function fill(
  on: CopyWorker,
  table: Table,
  { workers, rows: most, signal, column }: MeasureRequest,
  worker: number,
  until: number,
): Promise<Piece> {
  const { blocks } = table
  const from = Math.floor((blocks / workers) * worker)
  const end = Math.floor((blocks / workers) * (worker + 1))
  const done: Piece = { rows: 0n, from, to: from }
  // Rows without a value are left out, because a key that contains the column accepts no NULL.
  const by = quoteName(column.name)
  while (done.to < end && done.rows < most && on.sent < MOST_BYTES && performance.now() < until) {
    throwIfAborted(signal)
    const to = Math.min(done.to + table.each, end)
    done.rows += await copyPiece(on, { ...table, where: `${by} IS NOT NULL AND ${blocksSql(done.to, to)}` })
    done.to = to
  }
  return done
}

/** @returns number of rows that were read. If the new table refuses a row, all further rows are only read */
async function copyPiece(
  on: CopyWorker,
  { sql, columns, where, format }: Table & { readonly where: string },
): Promise<bigint> {
  const out = on.reader.copyOut(`COPY (SELECT ${columns} FROM ONLY ${sql} WHERE ${where}) TO STDOUT (FORMAT ${format})`)
  if (on.writer === null) for await (const _ of piecesOf(out, on));
  else {
    try {
      await on.writer.copyIn(`COPY ${tableSql(TARGET)} (${columns}) FROM STDIN (FORMAT ${format})`, piecesOf(out, on))
    } catch (error) {
      if (!on.writer.alive || !NOT_WRITTEN.test(sqlStateOf(error) ?? '')) throw error
      on.writer = null
      on.refused = `${(error as Error).message}: after that, rows were read, not written`
      for await (const _ of piecesOf(out, on));
    }
  }
  return out.counted.rows ?? 0n
}

async function* piecesOf(out: CopyOut, on: CopyWorker): AsyncGenerator<Buffer> {
  for (let piece = await out.next(); piece !== null; piece = await out.next()) {
    on.sent += piece.length
    yield piece
  }
}

function blocksSql(from: number, to: number): string {
  return `ctid >= '(${from},0)'::tid AND ctid < '(${to},0)'::tid`
}
