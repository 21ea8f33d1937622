/** Selects the run that a new run continues, and its pending ranges, by the rules of the Cassandra Data Migrator. */
import { mergedTokens, remainingTokens, type TokenRange } from '../../../../model/copy/ring.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { RunType, TrackedRange, TrackedRun, TrackStatus, TrackStore } from '../../../../model/copy/track-port.ts'
import type { TrackOptions } from '../../operations/copy/option-types.ts'
import { failedRanges } from './run-info.ts'

const PENDING: ReadonlySet<TrackStatus> = new Set(['NOT_STARTED', 'STARTED', 'FAIL', 'DIFF'])

export type Previous = {
  readonly run: TrackedRun
  /** Ranges to be done, ascending; empty if nothing is left. */
  readonly pending: readonly TrackedRange[]
}

/**
 * Selects the run to continue from the tracking tables.
 * @returns `lost`: number of a requested run that does not exist or never started
 * @throws SluiceError BAD_FLAG if the number of the new run is taken
 */
export async function previousRun(
  store: TrackStore,
  table: string,
  type: RunType,
  options: TrackOptions,
): Promise<{ readonly previous: Previous | null; readonly lost: bigint | null }> {
  const runs = await store.runs(table)
  if (options.runId !== undefined && runs.some(({ runId }) => runId === BigInt(options.runId ?? 0))) {
    throw new SluiceError('BAD_FLAG', `Run id ${options.runId} already exists for table ${table}`, {
      hint: 'remove --run-id, or give another number',
    })
  }
  const asked = options.previous === undefined ? null : BigInt(options.previous)
  const run =
    asked === null
      ? options.autoRerun === true
        ? latestUnfinished(runs, type)
        : undefined
      : runs.find(({ runId, status }) => runId === asked && status !== 'NOT_STARTED')
  if (run === undefined) return { previous: null, lost: asked }
  const ranges = await store.ranges(table, run.runId)
  return { previous: { run, pending: ranges.filter(({ status }) => PENDING.has(status)) }, lost: null }
}

/**
 * The latest run of the type, if it did not end or has failed ranges. Older failed runs were continued by later runs.
 */
function latestUnfinished(runs: readonly TrackedRun[], type: RunType): TrackedRun | undefined {
  const latest = runs.filter((run) => run.type === type).toSorted((a, b) => (a.runId < b.runId ? 1 : -1))[0]
  if (latest === undefined) return undefined
  return latest.status !== 'ENDED' || failedRanges(latest.info) > 0 ? latest : undefined
}

/** Pending ranges that `done` covers completely: their end was not recorded. DIFF ranges are never done. */
export function doneSince(pending: readonly TrackedRange[], done: readonly TokenRange[]): readonly TrackedRange[] {
  const merged = mergedTokens(done)
  return pending.filter((range) => range.status !== 'DIFF' && remainingTokens([range], merged).length === 0)
}
