/** State of a stream's copy of a table, from the ledger of its target. Read-only. */
import type { PeriodOptions } from '../../model/copy/period-marks.ts'
import { positionOf } from '../../model/copy/position.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import type { SqlRow } from '../../model/run/sql-port.ts'
import { hasLedger } from '../../engine/copy/ledger/schema.ts'
import { ChunkLedger } from '../../engine/copy/ledger/chunks.ts'
import type { RunOwner, TableKey } from '../../engine/copy/ledger/owner.ts'
import { partitionsOfRange, periodParts } from '../../engine/copy/plan/period-cut.ts'
import {
  joinedApplyWorkers,
  APPLY_WORKER_COLUMNS,
  applyWorkerOf,
  STREAM_COLUMNS,
  streamOf,
  type ApplyWorkerRow,
  type StreamRow,
  type StreamTableState,
} from '../../engine/copy/ledger/stream-row.ts'
import { SignOffLedger } from '../../engine/follow/ledger/sign-offs.ts'
import { StreamLedger } from '../../engine/copy/ledger/streams.ts'
import { hasStreams } from '../../engine/copy/ledger/stream-lookup.ts'

/** A comparison. `ms`: its time, since the epoch. `differing`: number of rows that differ. */
export type LastComparison = { readonly ms: number; readonly equal: boolean; readonly differing: string }

/** A sign-off. `ms`: its time, since the epoch. `by`: the signer. `given`: false if it was refused. */
export type LastSignOff = { readonly ms: number; readonly by: string; readonly given: boolean }

export type TableStreamState = {
  readonly row: StreamRow
  readonly endedMs: number | null
  /** Table of the target. */
  readonly key: TableKey
  readonly state: StreamTableState
  /** True if a running program has the lease of the stream. */
  readonly isFollowed: boolean
  /** Combined progress of the apply workers; null before any change was applied. */
  readonly worker: ApplyWorkerRow | null
  readonly chunks: bigint
  readonly chunksDone: bigint
  readonly chunksFailed: bigint
  readonly rows: bigint
  /** During a copy by periods: number of partitions with rows (`of`), and of copied ones (`done`); otherwise null. */
  readonly periods: { readonly done: number; readonly of: number } | null
  /** The newest comparison of the table. */
  readonly proof: LastComparison | null
  /** The newest sign-off of the whole table. */
  readonly signed: LastSignOff | null
  /** Number of partitions with their own sign-off. */
  readonly signedPartitions: number
}

/**
 * State of a stream for one table.
 * @param source name of the source's table, `tableText`
 * @param id of the stream; default: the newest stream that has not ended, or if all have ended, the newest one
 * @returns null if there was never a stream of the table into this database
 */
export async function tableStreamState(
  database: LedgerDatabase,
  { source, id, owner }: { readonly source: string; readonly id?: string | undefined; readonly owner: RunOwner },
): Promise<TableStreamState | null> {
  if (!(await hasStreams(database))) return null
  const columns = STREAM_COLUMNS.split(', ').map((name) => `s.${name}`)
  const [found] = await database.all(
    `SELECT ${columns.join(', ')}, s.ended_ms, t.schema_name, t.table_name, t.state
     FROM migration_streams s JOIN migration_stream_tables t ON t.stream_id = s.stream_id
     WHERE t.source_table = ?${id === undefined ? '' : ' AND s.stream_id = ?'}
     ORDER BY CASE WHEN s.status = 'ended' THEN 1 ELSE 0 END, s.created_ms DESC, s.stream_id DESC LIMIT 1`,
    id === undefined ? [source] : [source, id],
  )
  if (found === undefined) return null
  const row = streamOf(found)
  const [endedMs, schema, name, state] = found.slice(columns.length)
  const key = { schema: String(schema), name: String(name) }
  const workers = await database.all(
    `SELECT ${APPLY_WORKER_COLUMNS} FROM migration_stream_lanes WHERE stream_id = ? ORDER BY lane`,
    [row.id],
  )
  return {
    row,
    endedMs: endedMs == null ? null : Number(endedMs),
    key,
    state: String(state) as StreamTableState,
    isFollowed: row.status !== 'ended' && (await new StreamLedger(database, owner).lease.currentOwner(row.id)) !== null,
    worker: workers.length === 0 ? null : joinedApplyWorkers(workers.map(applyWorkerOf), { position: positionOf }),
    ...(await chunksOf(database, key, String(state) as StreamTableState)),
    periods: state === 'copying' ? await periodsOf(database, row, key, owner) : null,
    proof: await proofOf(database, row.id, key),
    ...(await signedOf(database, row.id, source, key)),
  }
}

async function chunksOf(
  database: LedgerDatabase,
  { schema, name }: TableKey,
  state: StreamTableState,
): Promise<Pick<TableStreamState, 'chunks' | 'chunksDone' | 'chunksFailed' | 'rows'>> {
  const none = { chunks: 0n, chunksDone: 0n, chunksFailed: 0n, rows: 0n }
  // If a table has to be copied again, the run that copies it replaces the present chunks: do not count them.
  if (state === 'resync' || !(await hasLedger(database))) return none
  const { castText: text } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT status, CAST(COUNT(*) AS ${text}), CAST(COALESCE(SUM(rows_written), 0) AS ${text}) FROM migration_checkpoints
     WHERE schema_name = ? AND table_name = ? GROUP BY status`,
    [schema, name],
  )
  const whole = (row: SqlRow | undefined, at: number): bigint => BigInt(String(row?.[at] ?? 0))
  const of = (status: string): SqlRow | undefined => rows.find(([one]) => one === status)
  return {
    chunks: rows.reduce((sum, row) => sum + whole(row, 1), 0n),
    chunksDone: whole(of('completed'), 1),
    chunksFailed: whole(of('failed'), 1),
    rows: rows.reduce((sum, row) => sum + whole(row, 2), 0n),
  }
}

async function periodsOf(
  database: LedgerDatabase,
  { wishes }: StreamRow,
  key: TableKey,
  owner: RunOwner,
): Promise<TableStreamState['periods']> {
  const { periods } = JSON.parse(wishes) as { readonly periods?: PeriodOptions }
  if (periods === undefined || !(await hasLedger(database))) return null
  const parts = periodParts(periods)
  const open = new Map<string, boolean>()
  for await (const { range, status } of new ChunkLedger(database, key, owner).each()) {
    for (const partition of partitionsOfRange(parts, range))
      open.set(partition, open.get(partition) === true || status !== 'completed')
  }
  const all = [...open.values()]
  return { done: all.filter((isOpen) => !isOpen).length, of: all.length }
}

async function proofOf(
  database: LedgerDatabase,
  stream: string,
  { schema, name }: TableKey,
): Promise<LastComparison | null> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const [row] = await database.all(
    `SELECT proved_ms, CAST(source_rows AS ${text}), CAST(target_rows AS ${text}), CAST(differing AS ${text}), CAST(unread AS ${text})
     FROM migration_stream_proofs WHERE stream_id = ? AND schema_name = ? AND table_name = ? ORDER BY proved_ms DESC, proof_id LIMIT 1`,
    [stream, schema, name],
  )
  if (row === undefined) return null
  const [ms, source, target, differing, unread] = row
  const equal = String(source) === String(target) && String(differing) === '0' && String(unread) === '0'
  return { ms: Number(ms), equal, differing: String(differing) }
}

async function signedOf(
  database: LedgerDatabase,
  stream: string,
  source: string,
  key: TableKey,
): Promise<Pick<TableStreamState, 'signed' | 'signedPartitions'>> {
  const signed = (await new SignOffLedger(database).verdicts(stream, key)).filter(({ isOutdated }) => !isOutdated)
  const whole = signed.find(
    ({ scope: { tables, partition } }) => partition === undefined && (tables.length === 0 || tables.includes(source)),
  )
  const partitions = signed.flatMap(({ given, scope: { partition } }) =>
    given && partition !== undefined ? [JSON.stringify(partition.source)] : [],
  )
  const newest = whole === undefined ? null : { ms: whole.endedMs, by: whole.by, given: whole.given }
  return { signed: newest, signedPartitions: new Set(partitions).size }
}
