/** Which run a new one goes on with, and what that has left: as the Cassandra Data Migrator decides it. */
import { mergedTokens, remainingTokens, type TokenRange } from '../../../../model/copy/ring.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { RunType, TrackedRange, TrackedRun, TrackStatus, TrackStore } from '../../../../model/copy/track-port.ts'
import type { TrackWish } from '../../operations/copy/wishes.ts'
import { failedRanges } from './run-info.ts'

const PENDING: ReadonlySet<TrackStatus> = new Set(['NOT_STARTED', 'STARTED', 'FAIL', 'DIFF'])

export type Previous = {
  readonly run: TrackedRun
  /** Ranges that are to be done, ascending; none where nothing is left. */
  readonly pending: readonly TrackedRange[]
}

/**
 * The run that is gone on with, of those that the tables hold.
 * @returns `lost` names a run that was asked for and that there is not, or that never started
 * @throws SluiceError BAD_FLAG where the number of the new run is taken
 */
export async function previousRun(
  store: TrackStore,
  table: string,
  type: RunType,
  wish: TrackWish,
): Promise<{ readonly previous: Previous | null; readonly lost: bigint | null }> {
  const runs = await store.runs(table)
  if (wish.runId !== undefined && runs.some(({ runId }) => runId === BigInt(wish.runId ?? 0))) {
    throw new SluiceError('BAD_FLAG', `Run id ${wish.runId} already exists for table ${table}`, {
      hint: 'leave --run-id out, or give another number',
    })
  }
  const asked = wish.previous === undefined ? null : BigInt(wish.previous)
  const run =
    asked === null
      ? wish.autoRerun === true
        ? latestUnfinished(runs, type)
        : undefined
      : runs.find(({ runId, status }) => runId === asked && status !== 'NOT_STARTED')
  if (run === undefined) return { previous: null, lost: asked }
  const ranges = await store.ranges(table, run.runId)
  return { previous: { run, pending: ranges.filter(({ status }) => PENDING.has(status)) }, lost: null }
}

/** Only the latest of its type counts: an older one that failed has been gone on with since. */
function latestUnfinished(runs: readonly TrackedRun[], type: RunType): TrackedRun | undefined {
  const latest = runs.filter((run) => run.type === type).toSorted((a, b) => (a.runId < b.runId ? 1 : -1))[0]
  if (latest === undefined) return undefined
  return latest.status !== 'ENDED' || failedRanges(latest.info) > 0 ? latest : undefined
}

/** Ranges that nobody has come to tell of, and that are done by now. */
export function doneSince(pending: readonly TrackedRange[], done: readonly TokenRange[]): readonly TrackedRange[] {
  const merged = mergedTokens(done)
  return pending.filter((range) => range.status !== 'DIFF' && remainingTokens([range], merged).length === 0)
}
