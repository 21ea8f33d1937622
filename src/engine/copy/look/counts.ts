/** Rows of ranges on one side, by the store's own way, or by reading their keys. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { BatchSize, RowRequest, SourceView } from '../../../model/copy/port.ts'
import { areStamped } from '../diff/sides.ts'

/** Rows and bytes that are read at once where a store cannot count. */
const BATCH: BatchSize = { rows: 5000, bytes: 8 * 1024 * 1024 }

/** Only the key is read where a store cannot count; times too where the copy reads them, because they bring rows of static columns alone. */
export function keysRequest(plan: TablePlan, request: RowRequest): RowRequest {
  const { key } = request.table
  const columns = request.columns.filter(({ name }) => key.includes(name))
  const stamps = areStamped(plan) ? { stamps: true as const } : {}
  return { ...request, columns: columns.length === 0 ? request.columns : columns, ...stamps }
}

/**
 * @param request of any range; its columns are what is read where the store cannot count, and at least those of the key
 * @returns one count for each range, in their order
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

/** A row that cannot be read is there all the same. */
async function read(view: SourceView, request: RowRequest, signal: AbortSignal): Promise<bigint> {
  let count = 0n
  const aside = (): void => {
    count++
  }
  for await (const { rows } of view.read({ ...request, aside }, BATCH, signal)) count += BigInt(rows.length)
  return count
}
