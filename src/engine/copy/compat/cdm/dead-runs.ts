/**
 * Corrects the records of copies that were stopped or killed. Ranges that such a run completed, by the ledger, become
 * PASS, and the run becomes ENDED. Ranges that a later run completed keep the state that the dead run recorded.
 */
import { tokensOfRange, type TokenRange } from '../../../../model/copy/ring.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import type { TrackedRange, TrackedRun, TrackStore } from '../../../../model/copy/track-port.ts'
import type { ChunkLedger } from '../../ledger/chunks.ts'
import type { TableKey } from '../../ledger/owner.ts'
import type { StoredChunk } from '../../ledger/stored-chunk.ts'
import { trackedRuns } from '../../ledger/tracked-runs.ts'
import { doneSince } from './previous-run.ts'
import { countsOfInfo, runInfo, sumCounts, type CdmCounts } from './run-info.ts'

export type TrackedCopy = {
  readonly store: TrackStore
  /** Name of the table without a schema. */
  readonly table: string
  readonly key: TableKey
  readonly ring: TokenRange
  readonly ledger: ChunkLedger
  readonly database: LedgerDatabase
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * Corrects the ranges of every copy of a table that is recorded as STARTED. Ends such a copy if no worker has claimed a
 * chunk of it. Leaves out runs of other tools.
 * @param except the calling run
 * @throws SluiceError errors of the target
 */
export async function correctDeadRuns(copy: TrackedCopy, except: bigint | null): Promise<void> {
  const { store, table, key, ledger, database } = copy
  if (!(await ledger.has('1 = 1'))) return
  const started = (await store.runs(table)).filter(({ type, status }) => type === 'MIGRATE' && status === 'STARTED')
  if (started.length === 0) return
  const owners = await trackedRuns(database, key)
  const busy = await ledger.claims.busyRuns()
  for (const run of started) {
    const owner = owners.get(run.runId)
    if (owner === undefined || run.runId === except) continue
    const ranges = await passRanges(copy, run, await ledger.some(`run_id = ${owner}`))
    if (!busy.has(owner)) await endRun(copy, run, ranges)
  }
}

/**
 * Marks ranges of a run as PASS if its own chunks completed them.
 * @param own chunks that the run copied
 * @returns all ranges of the run, updated
 * @throws SluiceError errors of the target
 */
async function passRanges(
  { store, table, ring }: TrackedCopy,
  run: TrackedRun,
  own: readonly StoredChunk[],
): Promise<readonly TrackedRange[]> {
  const ranges = await store.ranges(table, run.runId)
  const passed = passedRanges(ranges, own, ring)
  await store.putRanges(table, run.runId, passed)
  return ranges.map((range) => passed.find(({ low }) => low === range.low) ?? range)
}

/** Ranges without a recorded end that these chunks cover completely, as PASS with the chunks' counts. */
export function passedRanges(
  ranges: readonly TrackedRange[],
  chunks: readonly StoredChunk[],
  ring: TokenRange,
): readonly TrackedRange[] {
  const whole = chunks
    .filter(({ status, quarantined }) => status === 'completed' && quarantined === 0n)
    .flatMap((chunk) => storedChunkTokens(chunk, ring).map(([, tokens]) => ({ chunk, tokens })))
  const open = ranges.filter(({ status }) => status === 'NOT_STARTED' || status === 'STARTED')
  const done = doneSince(
    open,
    whole.map(({ tokens }) => tokens),
  )
  return done.map((range) => {
    const inside = whole.filter(({ tokens }) => tokens.low >= range.low && tokens.high <= range.high)
    const counts = countsOf(inside.map(({ chunk }) => chunk))
    return { ...range, status: 'PASS', info: runInfo('MIGRATE', counts, 1, 0) }
  })
}

async function endRun({ store, now }: TrackedCopy, run: TrackedRun, ranges: readonly TrackedRange[]): Promise<void> {
  const failed = ranges.filter(({ status }) => status === 'FAIL').length
  const passed = ranges.filter(({ status }) => status === 'PASS').length
  const counts = sumCounts(ranges.map(({ info }) => countsOfInfo('MIGRATE', info)))
  await store.putRun({ ...run, status: 'ENDED', ended: now(), info: runInfo('MIGRATE', counts, passed, failed) })
}

/** Number and tokens of a chunk; empty for a chunk without a key range. */
export function storedChunkTokens(
  { no, range }: StoredChunk,
  ring: TokenRange,
): readonly (readonly [string, TokenRange])[] {
  return range.by === 'key' ? [[String(no), tokensOfRange(range, ring)]] : []
}

/** Row counters of these chunks. */
export function countsOf(chunks: readonly StoredChunk[]): CdmCounts {
  const sum = (pick: (chunk: StoredChunk) => bigint): bigint => chunks.reduce((all, chunk) => all + pick(chunk), 0n)
  return {
    Read: sum(({ read }) => read),
    Write: sum(({ written }) => written),
    Skipped: sum(({ skipped }) => skipped),
    Error: sum(({ quarantined }) => quarantined),
  }
}
