/**
 * Copies chunks of a stream's tables for the worker that owns the stream, while the owner copies. Each chunk is read in
 * a snapshot of this program: the stream has begun, so it has every change after any such snapshot. No table is
 * finished here.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import { errorLine, type SluiceError } from '../../../shared/errors.ts'
import { exitOfStop } from '../../../shared/abort.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { derivedStore } from '../../../stores/common/derived/index.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import { applyRequests } from '../../copy/workers/control.ts'
import { startCopyHeartbeat } from '../../copy/workers/heartbeat.ts'
import { begunPlans } from '../../copy/ledger/begun-plans.ts'
import { tableKeyOf, type RunOwner } from '../../copy/ledger/owner.ts'
import { newRunRow, RunLedger } from '../../copy/ledger/runs.ts'
import { ledgerUnderAbort } from '../../copy/ledger/under-abort.ts'
import { SharedTables } from '../../copy/ledger/shared-tables.ts'
import { openCopyStore, openSourceStore, reportingRetries } from '../../copy/open-stores.ts'
import { retryMsOf } from '../../copy/workers/failure.ts'
import { withRetries } from '../../copy/workers/retries.ts'
import { asStarted, planCopy, type PlannedCopy, type Planner } from '../../copy/plan/plan-copy.ts'
import { hashOfFields } from '../../copy/plan/plan-hash.ts'
import { reclaimExpired } from '../../copy/workers/reclaim.ts'
import { runWorkers } from '../../copy/workers/runner.ts'
import { SharedCount } from '../../copy/workers/shared-count.ts'
import { SlowTarget } from '../../copy/workers/slow-target.ts'
import { startTable } from '../../copy/table/start-table.ts'
import { Steering } from '../../copy/workers/steering.ts'
import type { CopyContext } from '../../copy/table/copy-context.ts'
import type { TableRun } from '../../copy/table/table-run.ts'
import { reportedThrottle } from '../../copy/workers/throttle-events.ts'
import { viewPerQuery, SourceViews } from '../../copy/source-views.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import { streamSides } from '../stream/preflight.ts'
import { cdcOf } from '../stream/known-stream.ts'
import { namedStream } from '../stream/named-stream.ts'
import { StreamLedger } from '../../copy/ledger/streams.ts'
import { streamFence } from '../../copy/ledger/stream-lease.ts'
import { streamTableNames } from '../stream/requested-stream.ts'
import { SharedCopies, type SharedCopy } from './shared-copies.ts'

/** Upper limit of a later steering request for workers. */
const MOST_WORKERS = 64

/** Chunks and rows that this program has copied. */
export type CopiedTotals = { readonly chunks: number; readonly rows: bigint }

/**
 * @param sharedRun the same for all programs of the run
 * @returns what was copied; returns immediately if no program copies
 * @throws SluiceError LEASE_LOST if another program has taken the stream: the caller may copy for that program;
 * CONNECT_FAILED, and what the ledger throws
 */
export async function copyFor(operation: CopyOperation, sharedRun: string, given: CopyRun): Promise<CopiedTotals> {
  let [chunks, rows] = [0, 0n]
  const run: CopyRun = {
    ...given,
    emit: (event) => {
      if (event.type === 'chunk.done') {
        chunks++
        rows += BigInt(event.done)
      }
      given.emit(event)
    },
  }
  const telling = reportingRetries(run.emit, run.clock)
  await using to = await openCopyStore(operation.to, {
    mode: 'write',
    ...telling,
    ...(operation.batchRows === undefined ? {} : { rowsPerInsert: operation.batchRows }),
  })
  await using database = ledgerUnderAbort(await to.ledger(), given.interrupt)
  const copy = await new SharedCopies(database).current(sharedRun)
  if (copy === null) return { chunks, rows }
  await using from = derivedStore(
    await openSourceStore(operation.from, operation.cassandra, {
      yields: true,
      moving: true,
      mortal: true,
      ...telling,
    }),
    operation,
  )
  await withChunks(copy, { operation, sharedRun, run, from, to, database })
  return { chunks, rows }
}

type Parts = {
  readonly operation: CopyOperation
  readonly sharedRun: string
  readonly run: CopyRun
  readonly from: CopyStore
  readonly to: CopyStore
  readonly database: LedgerDatabase
}

async function withChunks(copy: SharedCopy, parts: Parts): Promise<void> {
  const { operation, run, from, to, database } = parts
  const signal = run.interrupt.abort
  const steering = new Steering(operation.workers, operation.rate ?? null, run.control, run.interrupt.stop)
  const throttle = reportedThrottle(run, steering)
  const pulse = new SlowTarget(run.clock, throttle, (latency) => run.emit({ type: 'target.latency', ...latency }))
  await using views = new SourceViews(from, signal)
  const owner: RunOwner = { ...run.owner, runId: BigInt(run.runId) }
  const runs = new RunLedger(database, owner)
  const planned = await planOf(copy, parts, views, steering)
  const stream = await namedStream(database, copy.stream, to.label)
  const { changes } = streamSides(planned, cdcOf(stream, undefined))
  if (stream.startRecord === null) return
  const { position } = await new StreamLedger(database, owner).progress(stream.id, changes)
  // Ignore the faults, because the stream's owner reports them: this call only selects the stream.
  await changes.verify(stream.startRecord, [], changes.position(position), signal)
  // Like the stream's owner, wait until everything that a snapshot shows is on the source's disk.
  views.beforeReading = () => changes.fence(signal)
  steering.tables = planned.tables.map(({ source }) => tableText(source.table))
  const hash = hashOfFields(planned.tables.map(({ plan, error }) => plan?.hash ?? error?.code))
  await runs.start(newRunRow(run, 'copy', [operation.from, operation.to], hash), true)
  const heart = startCopyHeartbeat(database, owner, async () => undefined)
  const ticks = setInterval(() => pulse.check(), 200).unref()
  applyRequests(run, steering)
  const shared = new SharedTables(database, parts.sharedRun)
  const count = run.ledgerTotals === undefined ? null : new SharedCount(shared, run.ledgerTotals, run.clock)
  const around: CopyContext = {
    // Only the stream's owner counts earlier chunks and handles a restart.
    operation: { ...operation, noLook: true, restart: false },
    run,
    views,
    from,
    left: [],
    database,
    owner,
    runs,
    shared,
    fence: streamFence(copy.stream, copy.fence),
    steering,
    throttle,
    pulse,
  }
  try {
    const tables = await startTables(copy, planned, around)
    await runWorkers({
      tables,
      workers: Math.min(MOST_WORKERS, to.can.writers),
      steering,
      part: null,
      abort: signal,
      clock: run.clock,
      leaves: true,
      finish: async () => undefined,
      reclaim: async ({ name, ledger }) => {
        for (const { chunk, why } of await reclaimExpired(database, ledger))
          run.emit({ type: 'chunk.released', table: name, chunk: String(chunk.no), reason: why })
      },
    })
    reportFailedTables(tables, run)
    const isStopped = run.interrupt.stop.aborted
    await runs.finish(isStopped ? 'stopped' : 'completed', isStopped ? exitOfStop(run.interrupt) : 0, null)
  } catch (thrown) {
    await runs.finishFailed(thrown)
    throw thrown
  } finally {
    clearInterval(heart)
    clearInterval(ticks)
    await count?.end()
  }
}

/** @throws SluiceError LEASE_LOST */
function reportFailedTables(tables: readonly TableRun[], { emit }: CopyRun): void {
  for (const { name, error } of tables) {
    if (error?.code === 'LEASE_LOST') throw error
    if (error === null) continue
    const message = `this worker leaves the table to the owner of the stream: ${errorLine(error.info())}`
    emit({ type: 'log', level: 'note', table: name, message })
  }
}

/** The plan under which the stream's owner copies. */
async function planOf(
  { stream }: SharedCopy,
  { operation, run, from, to, database }: Parts,
  views: SourceViews,
  steering: Steering,
): Promise<PlannedCopy> {
  const planner: Planner = {
    views: viewPerQuery(views),
    again: (body) => withRetries(body, { emit: run.emit, retryMs: retryMsOf(from, to) }, steering.stop),
    signal: run.interrupt.abort,
    followed: await streamTableNames(stream, database),
  }
  return await asStarted(await planCopy(operation, from, to, planner), operation, planner, begunPlans(database))
}

/** Tables whose chunks can be taken here. Tables read in blocks are left out: a block is valid in one program only. */
async function startTables({ stream }: SharedCopy, planned: PlannedCopy, around: CopyContext): Promise<TableRun[]> {
  const { database, owner, runs } = around
  const copying = new Set((await new StreamLedger(database, owner).toCopy(stream)).map(({ source }) => source))
  const tables: TableRun[] = []
  for (const one of planned.tables) {
    if (one.plan?.cut !== 'key' || !copying.has(tableText(one.source.table))) continue
    if ((await runs.plan(tableKeyOf(one.targetName)))?.planned !== true) continue
    const table = await startTable(one, planned, around)
    if (table.error === null) tables.push(table)
    else refuseChanged(table.error)
  }
  return tables
}

/** Throws the error if the lease was lost. Leaves other errors, such as a changed plan, to the stream's owner. */
function refuseChanged(error: SluiceError): void {
  if (error.code === 'LEASE_LOST') throw error
}
