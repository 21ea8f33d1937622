/** Working stages of a copy: tables are created and divided, chunks copied, and the run ended. */
import type { FollowedStream } from '../../companion.ts'
import { reclaimExpired } from '../../workers/reclaim.ts'
import { applyRequests } from '../../workers/control.ts'
import { startCopyHeartbeat } from '../../workers/heartbeat.ts'
import { runWorkers } from '../../workers/runner.ts'
import { SharedCount } from '../../workers/shared-count.ts'
import { compareAgain } from '../../again/compare-table.ts'
import type { TableContext } from '../../table/context.ts'
import { copyTables } from '../../table/copy-tables.ts'
import { finishTable } from '../../table/finish-table.ts'
import type { TableRun } from '../../table/table-run.ts'
import type { Ending } from '../../../run/run-context.ts'
import { divide, type Divided } from './divide.ts'
import { endCopy } from './end.ts'
import type { RecordedCopy } from './record.ts'

/** Upper limit for workers, also for steering requests. */
const MOST_WORKERS = 64

/** Runs the work with heartbeat, steering and counters. @throws errors that end it; the run is recorded as failed */
export async function runCopy(noted: RecordedCopy, following: FollowedStream | null): Promise<Ending> {
  const { run, to, database, owner, runs, steering, pulse, shared, track } = noted
  const tables: TableRun[] = []
  const heart = startCopyHeartbeat(database, owner, async () => {
    // Also reclaim chunks here: every worker may be waiting for locks of a frozen owner's session.
    if (to.can.atomic !== 'chunk') return
    for (const { context, done } of tables) if (context && !done) await reclaim(noted, context)
  })
  applyRequests(run, steering)
  const ticks = setInterval(() => pulse.check(), 200).unref()
  const steerable = run.steerBy?.(steering)
  const { ledgerTotals } = run
  const count = shared === null || ledgerTotals === undefined ? null : new SharedCount(shared, ledgerTotals, run.clock)
  try {
    const divided = await divide(noted, following, tables)
    await copyChunks(noted, following, tables, divided)
    return await endCopy(noted, following, tables, divided)
  } catch (thrown) {
    await track?.end()
    await runs.finishFailed(thrown)
    throw thrown
  } finally {
    clearInterval(heart)
    clearInterval(ticks)
    steerable?.[Symbol.dispose]()
    await count?.end()
  }
}

async function copyChunks(
  noted: RecordedCopy,
  following: FollowedStream | null,
  tables: TableRun[],
  { copyContext, elsewhere }: Divided,
): Promise<void> {
  const { operation, run, to, steering, planned } = noted
  const worked = (some: readonly TableRun[]): Promise<void> =>
    runWorkers({
      tables: some,
      workers: Math.min(MOST_WORKERS, to.can.writers),
      steering,
      part: operation.part ?? null,
      abort: run.interrupt.abort,
      clock: run.clock,
      finish: async (table, context) => {
        // With `again`, tables are compared one by one after everything is copied.
        if (operation.again !== true) await finishTable(table, context, copyContext)
      },
      reclaim: (context) => reclaim(noted, context),
    })
  const copying = (): Promise<void> => copyTables(tables, elsewhere, planned, copyContext, worked)
  await (following === null || tables.length === 0 ? copying() : following.copying(copying))
  for (const table of tables) await compareAgain(table, copyContext)
}

async function reclaim({ database, run }: RecordedCopy, { name, ledger }: TableContext): Promise<void> {
  for (const { chunk, why } of await reclaimExpired(database, ledger)) {
    run.emit({ type: 'chunk.released', table: name, chunk: String(chunk.no), reason: why })
  }
}
