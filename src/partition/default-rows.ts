/** Counts rows of the default partition: of missing periods, of archived periods, and others. */
import { hasLeft, type ArchivedPartition } from '../archive/ledger/record.ts'
import type { MaintenanceStore, PrintedBounds, DefaultRows } from '../model/partition/maintenance-port.ts'
import { readValue, type ValueKind } from '../model/calendar/value-text.ts'
import type { Run } from '../engine/run/run-context.ts'
import type { AlarmOptions } from './alarms.ts'
import { periodsAhead, MOST_AHEAD, rangeAfterRequired, type PlacedPeriod, type CoverageRequest } from './coverage.ts'
import type { TableWithCoverage } from './each-table.ts'

/**
 * Counts the rows of the default partition by the periods to which they belong.
 * @param options `missing`: required periods without a partition
 * @returns null for a table without a default partition
 */
export async function countDefaultRows(
  { standing: { table, kind, calendar }, archive }: Pick<TableWithCoverage, 'standing' | 'archive'>,
  { missing, ...options }: CoverageRequest & { readonly missing: readonly PlacedPeriod[] },
  maintenance: MaintenanceStore,
  run: Run,
): Promise<AlarmOptions['stray']> {
  if (!table.partitions.some(({ isDefault }) => isDefault)) return null
  const first = await maintenance.countDefault(table, missing, run.interrupt.abort)
  const gone = (archive?.partitions ?? []).filter(
    (one) => isBounded(one) && hasLeft(one) && mayOverlap(one, first.others, kind),
  )
  const behind = calendar === null ? null : rangeAfterRequired(calendar.spec, kind, options)
  const next = behind !== null && mayOverlap(behind, first.others, kind) ? [behind] : []
  if (gone.length === 0 && next.length === 0) {
    return { missing: first.spans, late: [], ahead: null, others: first.others }
  }
  const { spans, others } = await maintenance.countDefault(table, [...missing, ...gone, ...next], run.interrupt.abort)
  const late = gone.map(({ label, from, to }, i) => ({ label, from, to, rows: spans[missing.length + i] ?? 0n }))
  const rows = spans[missing.length + gone.length] ?? 0n
  const last = first.others.to === null ? undefined : readValue(first.others.to, kind)?.at
  const upTo = calendar === null || last === undefined ? null : periodsAhead(calendar.spec, last, kind, options.now)
  return {
    missing: spans.slice(0, missing.length),
    late: late.filter((one) => one.rows > 0n),
    ahead:
      rows === 0n || behind === null
        ? null
        : { rows, from: behind.from, enough: upTo !== null && upTo <= MOST_AHEAD ? upTo : null },
    others,
  }
}

function isBounded({ from, to }: ArchivedPartition): boolean {
  return from !== null || to !== null
}

/** True if the range from the smallest to the largest value of the rows overlaps the bounds. */
function mayOverlap({ from, to }: PrintedBounds, rows: DefaultRows, kind: ValueKind): boolean {
  if (rows.rows === 0n || rows.from === null || rows.to === null) return false
  const at = (text: string | null, open: number): number => (text === null ? open : (readValue(text, kind)?.at ?? open))
  return at(from, -Infinity) <= at(rows.to, Infinity) && at(to, Infinity) > at(rows.from, -Infinity)
}
