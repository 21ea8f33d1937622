/** Data of one run in the ledger of a target. Read-only; older ledgers are read unchanged. */
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import type { SqlValue } from '../../model/run/sql-port.ts'
import type { ProcessIdentity } from '../../shared/owner.ts'
import { isoTime } from '../../shared/clock.ts'
import { dec } from '../../model/run/event.ts'
import type {
  DurationBand,
  LedgerPart,
  OtherRun,
  ReportedChunk,
  ReportedRefusals,
  ReportedTable,
} from '../../model/run/report/run-report.ts'
import { OTHERS_AMONG } from '../../model/run/report/run-report.ts'
import { recordedChunks, recordedCopyRuns } from '../../engine/copy/ledger/read-runs.ts'
import { COMPARED } from '../../engine/copy/ledger/stored-chunk.ts'
import { textOrNull } from '../../stores/common/cells.ts'

const SHOWN_FAILURES = 50
const SHOWN_SLOWEST = 10
const BANDS_MS = [100, 300, 1000, 3000, 10_000, 30_000, 100_000] as const

/** @returns null if the ledger has no such run */
export async function ledgerPart(
  ledger: LedgerDatabase,
  runId: bigint,
  here: ProcessIdentity,
): Promise<LedgerPart | null> {
  const [found] = await recordedCopyRuns(ledger, runId, 1, here)
  if (found === undefined) return null
  const [more = []] = await ledger.all('SELECT command, tool, actor FROM migration_runs WHERE run_id = ?', [runId])
  const tables = await tablesOf(ledger, runId)
  const failed = tables.reduce((sum, { chunks }) => sum + BigInt(chunks['failed'] ?? 0), 0n)
  const failures = (await recordedChunks(ledger, runId, SHOWN_FAILURES)).filter(({ status }) => status === 'failed')
  return {
    operation: found.operation,
    source: found.source,
    target: found.target,
    status: found.status,
    startedAt: timeOf(found.startedMs),
    endedAt: timeOf(found.endedMs),
    exitCode: found.exitCode,
    detail: found.detail,
    rows: dec(found.rows),
    command: textOrNull(more[0]),
    tool: textOrNull(more[1]),
    actor: textOrNull(more[2]),
    tables,
    failures: failures.map(({ table, no, status, attempts, code, error }) => ({
      table,
      chunk: no,
      status,
      attempts,
      code,
      message: error ?? 'no cause is recorded',
    })),
    moreFailures: dec(failed - BigInt(failures.length)),
    refusals: await refusalsOf(ledger, runId),
    slowest: await slowestOf(ledger, runId),
    durations: await durationsOf(ledger, runId),
    others: await othersOf(ledger, runId, here),
  }
}

/**
 * SQL for the proof of a chunk. NULL without a checksum of the target: tables without a key have none until the whole
 * table is compared.
 */
const PROOF_SQL =
  "CASE WHEN proof IN ('echo', 'canonical', 'table') AND COALESCE(target_checksum, '') = '' THEN NULL ELSE proof END"

/** Repaired and removed rows of a run, by table. */
async function repairsOf(
  ledger: LedgerDatabase,
  runId: bigint,
): Promise<ReadonlyMap<string, { readonly mended: bigint; readonly removed: bigint }>> {
  const { castText: text } = ledgerDialect(ledger.dialect).types
  const of = (condition: string): string => `CAST(SUM(CASE WHEN ${condition} THEN 1 ELSE 0 END) AS ${text})`
  const rows = await ledger.all(
    `SELECT schema_name, table_name, ${of("action <> 'delete'")}, ${of("action = 'delete'")} FROM migration_repairs
     WHERE run_id = ? GROUP BY schema_name, table_name ORDER BY schema_name, table_name`,
    [runId],
  )
  return new Map(
    rows.map(([schema, table, repaired, removed]) => [
      nameOf(schema, table),
      { mended: BigInt(String(repaired)), removed: BigInt(String(removed)) },
    ]),
  )
}

async function tablesOf(ledger: LedgerDatabase, runId: bigint): Promise<readonly ReportedTable[]> {
  const { castText: text } = ledgerDialect(ledger.dialect).types
  const sum = (column: string): string => `CAST(COALESCE(SUM(${column}), 0) AS ${text})`
  const compared = `CASE WHEN ${COMPARED} THEN rows_written ELSE 0 END`
  const rows = await ledger.all(
    `SELECT schema_name, table_name, status, ${PROOF_SQL}, CAST(COUNT(*) AS ${text}), ${sum('rows_read')}, ${sum('rows_written')}, ${sum(compared)}, ${sum('rows_skipped')}, ${sum('rows_quarantined')}
     FROM migration_checkpoints WHERE run_id = ? GROUP BY schema_name, table_name, status, ${PROOF_SQL} ORDER BY schema_name, table_name, status, ${PROOF_SQL}`,
    [runId],
  )
  const tables = new Map<string, ReportedTable>()
  for (const [schema, table, status, proof, chunks, ...figures] of rows) {
    const name = nameOf(schema, table)
    const old = tables.get(name)
    const [read, held, equal, skipped, aside] = figures.map((one) => String(one ?? 0))
    const state = String(status)
    const kept = proof === null || proof === undefined ? 'none' : String(proof)
    tables.set(name, {
      table: name,
      chunks: { ...old?.chunks, [state]: plus(old?.chunks[state], String(chunks)) },
      read: plus(old?.read, read),
      written: plus(old?.written, String(BigInt(held ?? 0) - BigInt(equal ?? 0))),
      equal: plus(old?.equal, equal),
      removed: '0',
      skipped: plus(old?.skipped, skipped),
      aside: plus(old?.aside, aside),
      proved: state === 'completed' ? { ...old?.proved, [kept]: plus(old?.proved[kept], held) } : (old?.proved ?? {}),
    })
  }
  for (const [name, { mended: repaired, removed }] of await repairsOf(ledger, runId)) {
    const old = tables.get(name) ?? tableWithoutChunks(name)
    // Rows of a compared chunk that were repaired are reported as written, not as equal.
    const equal = BigInt(old.equal) > repaired ? BigInt(old.equal) - repaired : 0n
    tables.set(name, { ...old, written: plus(old.written, dec(repaired)), equal: dec(equal), removed: dec(removed) })
  }
  return [...tables.values()].toSorted((a, b) => (a.table < b.table ? -1 : 1))
}

/** A table without chunks of the run. */
function tableWithoutChunks(table: string): ReportedTable {
  const none = dec(0)
  return {
    table,
    chunks: {},
    read: none,
    written: none,
    equal: none,
    removed: none,
    skipped: none,
    aside: none,
    proved: {},
  }
}

async function refusalsOf(ledger: LedgerDatabase, runId: bigint): Promise<readonly ReportedRefusals[]> {
  const { castText: text } = ledgerDialect(ledger.dialect).types
  const rows = await ledger.all(
    `SELECT schema_name, table_name, stage, error_code, CAST(COUNT(*) AS ${text}), CAST(SUM(CASE WHEN replayed_ms IS NULL THEN 0 ELSE 1 END) AS ${text}), MIN(message)
     FROM migration_quarantine WHERE run_id = ? GROUP BY schema_name, table_name, stage, error_code ORDER BY schema_name, table_name, stage, error_code`,
    [runId],
  )
  return rows.map(([schema, table, stage, code, count, replayed, message]) => ({
    table: nameOf(schema, table),
    stage: textOrNull(stage) ?? '',
    code: textOrNull(code) ?? '',
    rows: dec(BigInt(String(count))),
    replayed: dec(BigInt(String(replayed))),
    example: textOrNull(message) ?? '',
  }))
}

const COMPLETED_CHUNKS = "run_id = ? AND status = 'completed' AND started_ms IS NOT NULL AND completed_ms >= started_ms"

async function slowestOf(ledger: LedgerDatabase, runId: bigint): Promise<readonly ReportedChunk[]> {
  const { castText: text } = ledgerDialect(ledger.dialect).types
  const rows = await ledger.all(
    `SELECT schema_name, table_name, CAST(chunk_no AS ${text}), CAST(completed_ms - started_ms AS ${text}), CAST(COALESCE(rows_written, 0) AS ${text})
     FROM migration_checkpoints WHERE ${COMPLETED_CHUNKS} ORDER BY completed_ms - started_ms DESC, id LIMIT ${SHOWN_SLOWEST}`,
    [runId],
  )
  return rows.map(([schema, table, no, ms, written]) => ({
    table: nameOf(schema, table),
    chunk: textOrNull(no) ?? '',
    ms: Number(ms),
    rows: dec(BigInt(String(written))),
  }))
}

/** Number of chunks by duration, counted by the database, because a run may have millions of chunks. */
async function durationsOf(ledger: LedgerDatabase, runId: bigint): Promise<readonly DurationBand[]> {
  const { castText: text } = ledgerDialect(ledger.dialect).types
  const band = `CASE ${BANDS_MS.map((ms, i) => `WHEN completed_ms - started_ms < ${ms} THEN ${i}`).join(' ')} ELSE ${BANDS_MS.length} END`
  const rows = await ledger.all(
    `SELECT CAST(b AS ${text}), CAST(COUNT(*) AS ${text}) FROM (SELECT ${band} AS b FROM migration_checkpoints WHERE ${COMPLETED_CHUNKS}) bands GROUP BY b`,
    [runId],
  )
  const found = new Map(rows.map(([no, count]) => [Number(no), Number(count)]))
  return [...BANDS_MS, null].map((belowMs, i) => ({ belowMs, chunks: found.get(i) ?? 0 }))
}

async function othersOf(ledger: LedgerDatabase, runId: bigint, here: ProcessIdentity): Promise<readonly OtherRun[]> {
  const { castText: text } = ledgerDialect(ledger.dialect).types
  const worked = ['migration_checkpoints', 'migration_chunk_history', 'migration_quarantine']
    .map((name) => `SELECT schema_name, table_name, run_id FROM ${name} WHERE run_id IS NOT NULL`)
    .join(' UNION ')
  const rows = await ledger.all(`SELECT schema_name, table_name, CAST(run_id AS ${text}) FROM (${worked}) worked`)
  const own = new Set(
    rows.filter(([, , run]) => String(run) === String(runId)).map(([schema, table]) => nameOf(schema, table)),
  )
  const tables = new Map<string, string[]>()
  for (const [schema, table, run] of rows) {
    const name = nameOf(schema, table)
    if (String(run) !== String(runId) && own.has(name))
      tables.set(String(run), [...(tables.get(String(run)) ?? []), name])
  }
  return (await recordedCopyRuns(ledger, null, OTHERS_AMONG, here)).flatMap(({ id, operation, status, startedMs }) => {
    const of = tables.get(id)
    return of === undefined ? [] : [{ run: id, operation, status, startedAt: timeOf(startedMs), tables: of.toSorted() }]
  })
}

function nameOf(schema: SqlValue | undefined, table: SqlValue | undefined): string {
  return schema === null || schema === undefined || schema === '' ? String(table) : `${String(schema)}.${String(table)}`
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms)
}

function plus(a: string | undefined, b: string | undefined): string {
  return dec(BigInt(a ?? 0) + BigInt(b ?? 0))
}
