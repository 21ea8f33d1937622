/** Number of chunks into which a table will be divided. */
import type { PeriodOptions } from '../../../model/copy/period-marks.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Extent } from '../../../model/copy/source-port.ts'
import { isDense, wholeSteps } from '../../../stores/common/key-ranges.ts'
import type { PlannedTable } from './plan-copy.ts'

/** @property exact false for an estimate */
export type ChunkCount = { readonly chunks: bigint; readonly exact: boolean }

/** @param periods set for a copy by periods: each period is divided separately; undefined for other copies */
export function plannedChunks({ plan, extent, ring }: PlannedTable, periods: PeriodOptions | undefined): ChunkCount {
  if (plan === null) return { chunks: 0n, exact: true }
  if (ring !== null) return { chunks: BigInt(ring.wanted.length), exact: true }
  if (plan.cut === 'all') return { chunks: 1n, exact: true }
  const chunkRows = BigInt(plan.chunkRows)
  if (plan.cut === 'block') {
    const chunks = extent.rows <= chunkRows ? 1n : (extent.rows + chunkRows - 1n) / chunkRows
    return { chunks, exact: extent.exact && chunks === 1n }
  }
  // Each chunk of `chunkRows` rows ends at its last row. One more chunk has no upper bound, and may be empty.
  const more = extent.rows / chunkRows
  const ofNull = extent.nullKeys ? 1n : 0n
  if (periods !== undefined) {
    const parts = BigInt(periods.marks.length) + 1n
    return { chunks: parts + more + ofNull, exact: extent.exact && more === 0n }
  }
  const steps = stepsOf(plan, extent)
  return steps === null ? { chunks: more + 1n + ofNull, exact: extent.exact } : { chunks: steps + ofNull, exact: true }
}

/** Number of chunks of a dense integer key, which is divided by key values, not by rows; null for other keys. */
function stepsOf({ source, chunkRows }: TablePlan, { low, high, rows }: Extent): bigint | null {
  const [only, ...others] = source.key
  const isWhole = source.columns.some(({ name, type }) => name === only && type.kind === 'int')
  if (!isWhole || others.length > 0 || low === null || high === null) return null
  // SQLite does not enforce column types: an INTEGER key may hold text.
  if (![low, high].every((text) => /^-?\d+$/.test(text))) return null
  const [first, last] = [BigInt(low), BigInt(high)]
  return isDense(first, last, rows) ? wholeSteps(first, last, BigInt(chunkRows)) : null
}
