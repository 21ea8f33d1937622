/**
 * Stages that record a copy before rows are copied: the run, its task, its entries in another tool's tables, its
 * stream.
 */
import { newRunRow } from '../../ledger/runs.ts'
import { refusedForAgain } from '../../again/delete-extra.ts'
import type { FollowedStream } from '../../companion.ts'
import { CopyTrack } from '../../compat/cdm/copy-track.ts'
import { AGAIN_OPERATION } from '../../ledger/adopt-repairs.ts'
import { SharedTables } from '../../ledger/shared-tables.ts'
import { planCopy } from '../../plan/plan-copy.ts'
import { matchLedger, targetTableKeys, type ReconciledCopy } from './reconcile.ts'

/** A copy whose run is recorded in the ledger. */
export type RecordedCopy = ReconciledCopy & {
  /** State shared with other tasks of a distributed run; null for other runs. */
  readonly shared: SharedTables | null
  /** Records the copy in the tables of the Cassandra Data Migrator; null if not requested. */
  readonly track: CopyTrack | null
}

/**
 * Records the run. If it continues a run of the tracking tables, plans only the ranges that are left.
 * @throws SluiceError as `RunLedger.start`, `CopyTrack.of` and `CopyTrack.before`
 */
export async function recordCopy(agreed: ReconciledCopy): Promise<RecordedCopy> {
  const { operation, run, planned, planHash, database, runs, listeners, again } = agreed
  const name = operation.again === true ? AGAIN_OPERATION : 'copy'
  await runs.start(newRunRow(run, name, [operation.from, operation.to], planHash), true)
  const shared = run.sharedRun === undefined ? null : new SharedTables(database, run.sharedRun)
  await shared?.begin(targetTableKeys(planned), await runs.startedMs())
  const track = CopyTrack.of(agreed, planned)
  listeners.track = track === null ? null : (event) => track.event(event)
  const ranges = await again(async () => (await track?.before(planned)) ?? null)
  if (ranges === null) return { ...agreed, shared, track }
  const { from, to, planner } = agreed
  const open = { ...operation, ring: { ...operation.ring, ranges } }
  const left = refusedForAgain(await planCopy(open, from, to, planner), operation)
  return { ...agreed, shared, track, planned: await matchLedger(agreed, left, open) }
}

/**
 * Starts or resumes the stream of a copy: it delivers all changes committed from now on.
 * @returns the stream, which the caller closes; null for a copy without a stream
 * @throws SluiceError as `Companion.open`; the run is recorded as failed
 */
export async function openFollowing(noted: RecordedCopy): Promise<FollowedStream | null> {
  const { companion, operation, planned, asked, database, owner, run, steering, restarts, runs } = noted
  if (companion === null) return null
  const parts = { operation, planned, asked, database, owner, run, ...(restarts === undefined ? {} : { restarts }) }
  try {
    return await companion.open({ ...parts, stop: () => steering.honour({ act: 'stop' }), stopping: steering.stop })
  } catch (thrown) {
    await runs.finishFailed(thrown)
    throw thrown
  }
}

/**
 * Connects the stream to the copy. The stream receives the events, and checks requests for apply workers. The copy
 * waits for the stream before it reads a new read view of the source.
 */
export function connectStream(
  { companion, listeners, views, steering, to }: RecordedCopy,
  following: FollowedStream,
): void {
  listeners.stream = (event) => following.onEvent(event)
  views.beforeReading = () => following.waitUntilDurable()
  steering.refusal = (request) =>
    request.act === 'lanes' ? (companion?.applyWorkersRefusal(request.lanes, to) ?? null) : null
}
