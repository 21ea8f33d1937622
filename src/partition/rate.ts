/** Measures the write rate into a partitioned table with some of the rows. */
import type {
  MeasuredRead,
  PartitionPlanStore,
  TableToPartition,
  NewTablePartition,
} from '../model/partition/plan-port.ts'
import { bytesPerHour } from './forecast.ts'

/** Limits of each session, in rows and ms: a session ends at the first limit that it reaches. */
const ROWS = 100_000
const MOST_MS = 5000

export type MeasuredRate = MeasuredRead & {
  readonly workers: number
  /** Bytes per hour of all sessions together. */
  readonly perHour: bigint
  /** Sentences about the work of a copy that was not measured. */
  readonly notMeasured: readonly string[]
}

/** Measures the rate. @returns null for a table without rows */
export async function measureRate(
  plan: PartitionPlanStore,
  planned: TableToPartition,
  partitions: readonly NewTablePartition[],
  { workers }: { readonly workers: number },
  signal: AbortSignal,
): Promise<MeasuredRate | null> {
  const found = await plan.measure({ ...planned, partitions, workers, rows: ROWS, timeLimitMs: MOST_MS, signal })
  if (found.rows === 0n) return null
  const rest =
    'the log of the server (a temporary table has none), foreign keys, proving what was copied, and the load of other sessions'
  return {
    ...found,
    workers,
    perHour: bytesPerHour(found.bytes, found.ms),
    notMeasured: [found.onlyRead ?? `it takes at least these hours; not measured: ${rest}`],
  }
}
