/**
 * Totals over the chunks of a table, computed by the database: a ledger may have ten million chunks, and every process
 * that joins a copy needs totals at its start and end.
 */
import type { TallyOfChunk } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { ChunkRange, ChunkEventTotals } from '../../../model/copy/summary-events.ts'
import { dec } from '../../../model/run/dec.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { readRange } from './keys.ts'
import type { TableKey } from './owner.ts'
import { NOT_QUARANTINED, CLOSED, DIFFERS, OF_TABLE, proofIn } from './stored-chunk.ts'
import { bigintOf, textOrNull } from '../../../stores/common/cells.ts'

/** The same totals as `TableTotals` adds up chunk by chunk. */
export type ChunkTotals = {
  readonly chunks: bigint
  readonly failed: bigint
  /** Error of the first failed chunk. */
  readonly cause: string | null
  /** Error codes of failed chunks. */
  readonly codes: readonly string[]
  readonly quarantined: bigint
  readonly written: bigint
  /** Totals of completed chunks. */
  readonly done: TallyOfChunk & { readonly chunks: bigint }
  /** Target rows beyond those written from the source, in chunks that this run completed. */
  readonly extra: bigint
  /**
   * Chunks completed by other runs: all (`earlier`), those completed before `begunMs` (`old`), and the times of the
   * first and the last completion in ms since the epoch (`closedSpan`).
   */
  readonly earlier: bigint
  readonly old: bigint
  readonly closedSpan: readonly [number, number] | null
  /**
   * Chunks of `earlier` that were copied without a proof (`unproved`), or proved only by their number of rows
   * (`counted`).
   */
  readonly unproved: bigint
  readonly counted: bigint
  /** Chunks in which a comparison has left differences. */
  readonly differing: bigint
  /** Ids of the read views of the source in which chunks were read. */
  readonly views: readonly string[]
}

/**
 * @param runId of the calling run @param begunMs its start, by the clock of the ledger's database
 */
export async function chunkTotals(
  database: LedgerDatabase,
  key: TableKey,
  { runId, begunMs }: { readonly runId: bigint; readonly begunMs: number },
): Promise<ChunkTotals> {
  const identity = [key.name, key.schema]
  const ofTable = async (select: string, more = '') =>
    database.all(`SELECT ${select} FROM migration_checkpoints WHERE ${OF_TABLE}${more}`, identity)
  const expressions = totalExpressions(ledgerDialect(database.dialect).types.castText, runId, begunMs)
  const other = closedByOthers(runId)
  const span = ['MIN', 'MAX'].map((end) => `${end}(CASE WHEN ${other} THEN completed_ms END)`)
  const [row = []] = await ofTable([...Object.values(expressions), ...span].join(', '))
  const [first, last] = row.slice(-span.length)
  const names = Object.keys(expressions)
  // SAFETY: each expression has its value, in their order.
  const total = Object.fromEntries(names.map((name, i) => [name, bigintOf(row[i])])) as Record<
    keyof typeof expressions,
    bigint
  >
  const broken = ` AND status = 'failed' AND ${NOT_QUARANTINED}`
  const views = await ofTable('DISTINCT read_view', ' AND read_view IS NOT NULL')
  const causes = total.failed === 0n ? [] : await ofTable('error_message', `${broken} ORDER BY id LIMIT 1`)
  const codes = total.failed === 0n ? [] : await ofTable('DISTINCT error_code', broken)
  const { done, read, doneWritten, skipped, doneQuarantined, bytes, ...totals } = total
  return {
    ...totals,
    cause: causes[0]?.[0] == null ? null : String(causes[0][0]),
    codes: codes.flatMap(([code]) => (code == null ? [] : [String(code)])),
    done: { chunks: done, read, written: doneWritten, skipped, quarantined: doneQuarantined, bytes },
    closedSpan: first == null || last == null ? null : [Number(first), Number(last)],
    views: views.map(([view]) => String(view)),
  }
}

/** SQL: true for chunks that other runs completed. */
const closedByOthers = (runId: bigint): string => `${CLOSED} AND (run_id IS NULL OR run_id <> ${runId})`

/** SQL of each total, by its name. */
function totalExpressions(castText: string, runId: bigint, begunMs: number) {
  const sum = (what: string): string => `CAST(COALESCE(SUM(${what}), 0) AS ${castText})`
  const count = (such: string): string => sum(`CASE WHEN ${such} THEN 1 ELSE 0 END`)
  const done = (column: string): string => sum(`CASE WHEN ${CLOSED} THEN COALESCE(${column}, 0) ELSE 0 END`)
  const other = closedByOthers(runId)
  const beyond = 'surplus + COALESCE(rows_quarantined, 0)'
  return {
    chunks: 'COUNT(*)',
    failed: count(`status = 'failed' AND ${NOT_QUARANTINED}`),
    quarantined: sum('COALESCE(rows_quarantined, 0)'),
    written: sum('COALESCE(rows_written, 0)'),
    done: count(CLOSED),
    read: done('rows_read'),
    doneWritten: done('rows_written'),
    skipped: done('rows_skipped'),
    doneQuarantined: done('rows_quarantined'),
    bytes: done('bytes'),
    extra: sum(
      `CASE WHEN ${CLOSED} AND run_id = ${runId} AND surplus IS NOT NULL AND ${beyond} > 0 THEN ${beyond} ELSE 0 END`,
    ),
    earlier: count(other),
    old: count(`${other} AND (completed_ms IS NULL OR completed_ms < ${begunMs})`),
    unproved: count(`${other} AND proof = 'none'`),
    counted: count(`${other} AND proof = 'count'`),
    differing: count(`${CLOSED} AND proof = '${DIFFERS}'`),
  }
}

/** Limit of ranges of adjacent completed chunks that are listed; the totals include all chunks. */
const MAX_RANGES = 10_000

/**
 * Completed chunks without quarantined rows: totals, and ranges of adjacent chunks.
 * @param integers the key is one integer column: each range gets its first and last key
 * @param weak proof kinds of chunks that are written but not proved; with one such chunk, all ranges are reported as
 * written
 */
export async function cleanChunks(
  database: LedgerDatabase,
  key: TableKey,
  integers: boolean,
  weak: readonly string[] = [],
): Promise<{ readonly sums: ChunkEventTotals; readonly states: readonly ChunkRange[] }> {
  const { castText } = ledgerDialect(database.dialect).types
  const clean = `${OF_TABLE} AND ${CLOSED} AND COALESCE(rows_quarantined, 0) = 0`
  const identity = [key.name, key.schema]
  const sum = (column: string): string => `CAST(COALESCE(SUM(${column}), 0) AS ${castText})`
  const [row = []] = await database.all(
    `SELECT ${sum('rows_read')}, ${sum('rows_written')}, ${sum(`CASE WHEN ${proofIn(weak)} THEN 1 ELSE 0 END`)} FROM migration_checkpoints WHERE ${clean}`,
    identity,
  )
  const ends = await database.all(
    `SELECT chunk_no, CAST(start_id AS ${castText}), CAST(end_id AS ${castText}), follows, is_followed FROM (
       SELECT chunk_no, start_id, end_id,
         CASE WHEN ${previousValue('chunk_no', 'chunk_no')} = chunk_no - 1 AND ${previousValue('hi', 'chunk_no')} = lo THEN 1 ELSE 0 END AS follows,
         CASE WHEN ${nextValue('chunk_no', 'chunk_no')} = chunk_no + 1 AND ${nextValue('lo', 'chunk_no')} = hi THEN 1 ELSE 0 END AS is_followed
       FROM migration_checkpoints WHERE ${clean}) numbered
     WHERE follows = 0 OR is_followed = 0 ORDER BY chunk_no LIMIT ${2 * MAX_RANGES}`,
    identity,
  )
  const [read = 0n, written = 0n, weakly = 0n] = row.map(bigintOf)
  const state = weakly === 0n ? 'proved' : 'written'
  const states: ChunkRange[] = []
  let first: { readonly no: number; readonly begin: string | null } | null = null
  for (const [no, begin, end, follows, isFollowed] of ends) {
    if (Number(follows) === 0) first = { no: Number(no), begin: textOrNull(begin) }
    if (Number(isFollowed) === 1 || first === null) continue
    const edges = integers ? { edges: [first.begin, textOrNull(end)] } : {}
    states.push({ first: first.no, last: Number(no), state, ...edges })
    first = null
  }
  return {
    sums: {
      read: dec(read),
      written: dec(written),
      skipped: '0',
      quarantined: '0',
      proved: dec(weakly === 0n ? written : 0n),
    },
    states,
  }
}

/**
 * SQL: value of the previous row. LAG and LEAD are not used: PostgreSQL defines them for any type, so a function of
 * that name that another role created for the exact type would take precedence.
 */
function previousValue(value: string, order: string): string {
  return `MAX(${value}) OVER (ORDER BY ${order} ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING)`
}

/** SQL: value of the next row. */
function nextValue(value: string, order: string): string {
  return `MAX(${value}) OVER (ORDER BY ${order} ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING)`
}

/** Key ranges that the chunks of a table cover. */
export type Coverage = {
  /** True if the table has a chunk. */
  readonly any: boolean
  /** Largest chunk number. */
  readonly last: number
  readonly nullKeys: boolean
  /**
   * Key ranges in the order of insertion. Adjacent chunks are merged: no range begins at the end of the previous range.
   */
  readonly ranges: readonly Range[]
}

/**
 * Reads which ranges the chunks cover. The database merges adjacent chunks whose bounds are equal texts, so that a
 * million chunks may be one row of the result.
 */
export async function coverage(database: LedgerDatabase, key: TableKey): Promise<Coverage> {
  const identity = [key.name, key.schema]
  const { castText } = ledgerDialect(database.dialect).types
  const [row = []] = await database.all(
    `SELECT COUNT(*), MAX(chunk_no), SUM(CASE WHEN kind = 'nullKey' THEN 1 ELSE 0 END) FROM migration_checkpoints WHERE ${OF_TABLE}`,
    identity,
  )
  const edges = await database.all(
    `SELECT kind, lo, hi, CAST(start_id AS ${castText}), CAST(end_id AS ${castText}),
       CASE WHEN kind = 'key' AND before_it = lo THEN 1 ELSE 0 END, CASE WHEN kind = 'key' AND behind_it = hi THEN 1 ELSE 0 END FROM (
       SELECT id, kind, lo, hi, start_id, end_id, ${previousValue("CASE WHEN kind = 'key' THEN hi END", 'id')} AS before_it, ${nextValue("CASE WHEN kind = 'key' THEN lo END", 'id')} AS behind_it
       FROM migration_checkpoints WHERE ${OF_TABLE} AND (kind IS NULL OR kind NOT IN ('nullKey', 'all', 'block'))) chained
     WHERE kind IS NULL OR kind <> 'key' OR lo IS NULL OR before_it IS NULL OR before_it <> lo OR hi IS NULL OR behind_it IS NULL OR behind_it <> hi ORDER BY id`,
    identity,
  )
  const ranges: Range[] = []
  let first: Range | null = null
  for (const [kind = null, lo = null, hi = null, start = null, end = null, follows, isFollowed] of edges) {
    const range = readRange([kind, lo, hi, start, end])
    if (range.by !== 'key') continue
    if (Number(follows) === 0) first = range
    if (Number(isFollowed) === 1) continue
    const after = first?.by === 'key' ? first.after : range.after
    ranges.push({ by: 'key', after, through: range.through })
    first = null
  }
  const [count, last, nullKeys] = row
  return { any: Number(count ?? 0) > 0, last: Number(last ?? 0), nullKeys: Number(nullKeys ?? 0) > 0, ranges }
}
