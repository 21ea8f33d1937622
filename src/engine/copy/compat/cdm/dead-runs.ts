/**
 * Runs that were stopped or killed, and say so in neither table: their own ranges that the ledger knows to be done become PASS, and the run ENDED. A range
 * that a later run has done stays as the dead run left it.
 */
import { tokensOfRange, type TokenRange } from '../../../../model/copy/ring.ts'
import type { LedgerDatabase } from '../../../../model/copy/port.ts'
import type { TrackedRange, TrackedRun, TrackStore } from '../../../../model/copy/track-port.ts'
import type { ChunkLedger } from '../../ledger/chunks.ts'
import type { TableKey } from '../../ledger/owner.ts'
import type { StoredChunk } from '../../ledger/stored-chunk.ts'
import { trackedRuns } from '../../ledger/tracked-runs.ts'
import { doneSince } from './previous-run.ts'
import { countsOfInfo, runInfo, sumCounts, type Counts } from './run-info.ts'

export type TrackedCopy = {
  readonly store: TrackStore
  /** Without a schema. */
  readonly table: string
  readonly key: TableKey
  readonly ring: TokenRange
  readonly ledger: ChunkLedger
  readonly database: LedgerDatabase
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * Settles every copy of a table that is called STARTED, but for those of which a worker holds a chunk and for those of other tools.
 * @param except the run that asks
 * @throws SluiceError what the target says
 */
export async function settleDeadRuns(copy: TrackedCopy, except: bigint | null): Promise<void> {
  const { store, table, key, ledger, database } = copy
  if (!(await ledger.has('1 = 1'))) return
  const started = (await store.runs(table)).filter(({ type, status }) => type === 'MIGRATE' && status === 'STARTED')
  if (started.length === 0) return
  const owners = await trackedRuns(database, key)
  const busy = await ledger.claims.busyRuns()
  for (const run of started) {
    const owner = owners.get(run.runId)
    if (owner === undefined || run.runId === except) continue
    const ranges = await settleRanges(copy, run, await ledger.some(`run_id = ${owner}`))
    if (!busy.has(owner)) await endRun(copy, run, ranges)
  }
}

/**
 * Marks ranges of a run as PASS that chunks of its own have done.
 * @param own chunks that the run has copied
 * @returns all ranges of the run, as they stand then
 * @throws SluiceError what the target says
 */
async function settleRanges(
  { store, table, ring }: TrackedCopy,
  run: TrackedRun,
  own: readonly StoredChunk[],
): Promise<readonly TrackedRange[]> {
  const ranges = await store.ranges(table, run.runId)
  const passed = passedRanges(ranges, own, ring)
  await store.putRanges(table, run.runId, passed)
  return ranges.map((range) => passed.find(({ low }) => low === range.low) ?? range)
}

/** Ranges that nobody has told the end of, and that these chunks have done, as PASS with what they came to. */
export function passedRanges(
  ranges: readonly TrackedRange[],
  chunks: readonly StoredChunk[],
  ring: TokenRange,
): readonly TrackedRange[] {
  const whole = chunks
    .filter(({ status, quarantined }) => status === 'completed' && quarantined === 0n)
    .flatMap((chunk) => tokensOf(chunk, ring).map(([, tokens]) => ({ chunk, tokens })))
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

/** The number of a chunk and its tokens; none for a chunk of another kind. */
export function tokensOf({ no, range }: StoredChunk, ring: TokenRange): readonly (readonly [string, TokenRange])[] {
  return range.by === 'key' ? [[String(no), tokensOfRange(range, ring)]] : []
}

export function countsOf(chunks: readonly StoredChunk[]): Counts {
  const sum = (pick: (chunk: StoredChunk) => bigint): bigint => chunks.reduce((all, chunk) => all + pick(chunk), 0n)
  return {
    Read: sum(({ read }) => read),
    Write: sum(({ written }) => written),
    Skipped: sum(({ skipped }) => skipped),
    Error: sum(({ quarantined }) => quarantined),
  }
}
