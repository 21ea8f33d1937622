/** Counts rows of ranges on one side: the store counts them, or their keys are read. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { BatchSize, RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import { areStamped } from '../diff/sides.ts'

/** Rows and bytes per read if a store cannot count. */
const BATCH: BatchSize = { rows: 5000, bytes: 8 * 1024 * 1024 }

/**
 * Request for keys only, if a store cannot count. It includes write times if the copy reads them, because such a read
 * also returns partitions that have static values only.
 */
export function keysRequest(plan: TablePlan, request: RowRequest): RowRequest {
  const { key } = request.table
  const columns = request.columns.filter(({ name }) => key.includes(name))
  const stamps = areStamped(plan) ? { stamps: true as const } : {}
  return { ...request, columns: columns.length === 0 ? request.columns : columns, ...stamps }
}

/**
 * @param request its range is ignored; its columns are read if the store cannot count, and must include the key
 * @returns one count per range, in order
 */
export async function countRanges(
  view: SourceView,
  request: RowRequest,
  ranges: readonly Range[],
  signal: AbortSignal,
): Promise<readonly bigint[]> {
  if (ranges.length === 0) return []
  const { counts } = view
  const { table, where } = request
  if (counts !== undefined) return await counts.call(view, { table, ranges, where }, signal)
  const found: bigint[] = []
  for (const range of ranges) found.push(await read(view, { ...request, range }, signal))
  return found
}

/** Number of rows, including unreadable ones. */
async function read(view: SourceView, request: RowRequest, signal: AbortSignal): Promise<bigint> {
  let count = 0n
  const onRefused = (): void => {
    count++
  }
  for await (const { rows } of view.read({ ...request, onRefused }, BATCH, signal)) count += BigInt(rows.length)
  return count
}
