/** `runs --to URL`: shows the copies into a database, as recorded in its ledger, and the chunks of one copy. */
import { dec } from '../../../../model/run/event.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import { noSuchLedgerRun } from '../../ledger/refuse-unknown.ts'
import { chunkCounts, recordedChunks, recordedCopyRuns, type RecordedCopyRun } from '../../ledger/read-runs.ts'
import { knowsRun, readLedger } from '../../ledger/other-ledgers.ts'
import { hasLedger } from '../../ledger/schema.ts'
import { openCopyStore } from '../../open-stores.ts'
import { onSide } from '../../sides.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { copyRuns, CopyRunsOperation } from './declaration.ts'
import { totalOf } from '../../../../shared/plus.ts'

type CopyRunsRun = RunOf<typeof copyRuns>

export async function performCopyRuns({ to, limit, runId }: CopyRunsOperation, run: CopyRunsRun): Promise<Ending> {
  await using store = await onSide('target', () => openCopyStore(to, { mode: 'read' }))
  await using read = await readLedger(store, knowsRun(runId === undefined ? null : BigInt(runId)), run)
  const ledger = read.database
  if (!(await hasLedger(ledger))) {
    if (runId !== undefined) throw noSuchLedgerRun(runId)
    run.emit({ type: 'log', level: 'note', message: `nothing was copied into ${store.label} yet` })
    return { totals: { runs: dec(0) } }
  }
  const rows = await recordedCopyRuns(
    ledger,
    runId === undefined ? null : BigInt(runId),
    runId === undefined ? limit : 1,
    run.owner,
  )
  if (rows.length === 0 && runId !== undefined) throw noSuchLedgerRun(runId)
  if (runId !== undefined) return await chunksOf(ledger, BigInt(runId), limit, run)
  for (const row of rows) run.emit({ type: 'copy.run', ...reported(row) })
  return { totals: { runs: dec(rows.length) } }
}

async function chunksOf(ledger: LedgerDatabase, runId: bigint, limit: number, run: CopyRunsRun): Promise<Ending> {
  for (const { table, no, status, first, last, lo, hi, rows, attempts, code, error } of await recordedChunks(
    ledger,
    runId,
    limit,
  )) {
    run.emit({
      type: 'copy.chunk',
      table,
      chunk: no,
      status,
      ...(first === null ? {} : { tokenMin: first }),
      ...(last === null ? {} : { tokenMax: last }),
      ...(lo === null ? {} : { after: lo }),
      ...(hi === null ? {} : { through: hi }),
      rows: dec(rows),
      attempts,
      ...(error === null ? {} : { error: code === null ? error : `${code}: ${error}` }),
    })
  }
  const counts = await chunkCounts(ledger, runId)
  return {
    totals: {
      chunks: dec(totalOf(counts.map(({ chunks }) => chunks))),
      rows: dec(totalOf(counts.map(({ rows }) => rows))),
      ...Object.fromEntries(counts.map(({ status, chunks }) => [status, dec(chunks)])),
    },
  }
}

function reported({
  id,
  operation,
  source,
  target,
  status,
  startedMs,
  endedMs,
  exitCode,
  rows,
  detail,
  host,
}: RecordedCopyRun) {
  return {
    run: id,
    operation,
    source,
    target,
    status,
    rows: dec(rows),
    ...(startedMs === null ? {} : { startedAt: new Date(startedMs).toISOString() }),
    ...(endedMs === null ? {} : { completedAt: new Date(endedMs).toISOString() }),
    ...(exitCode === null ? {} : { exitCode }),
    ...(host === null ? {} : { host }),
    ...(detail === null ? {} : { error: detail }),
  }
}
