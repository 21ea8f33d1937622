/** Finds the name of the part under which late rows of an archived period would be archived. */
import { byPeriod, isAbsorbed, isOnlyRecorded, nextPart } from '../ledger/parts.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { periodRows, type PeriodState, type PeriodSource } from './period-rows.ts'
import { countText } from '../../shared/figures.ts'

export type PartName = Required<Pick<ArchivedPartition, 'label' | 'period' | 'part'>>

/**
 * Name of the part that would archive the rows of the period that are now in the table. Null if a part of the period is
 * in progress, restored or expired, or was a native partition.
 * @param period label of the period
 */
export function partFor(record: ArchiveRecord | null, period: string): PartName | null {
  const parts = (record?.partitions ?? []).filter((one) => one.period === period)
  if (record === null || parts.every(isOnlyRecorded)) return { label: period, period, part: 1 }
  const isFree = (one: ArchivedPartition): boolean =>
    one.native === null && (one.state === 'DROPPED' || isAbsorbed(one) || isOnlyRecorded(one))
  return parts.every(isFree) && parts.some(({ state }) => state === 'DROPPED') ? nextPart(record, parts) : null
}

/**
 * Counts the rows in the table that belong to dropped periods.
 * @param options see `periodRows`
 * @returns the counts, by label of the period
 */
export async function latePeriods(
  source: PeriodSource,
  record: ArchiveRecord | null,
  periods: readonly string[],
  options: 'cheap' | 'any',
): Promise<ReadonlyMap<string, PeriodState>> {
  if (record === null) return new Map()
  const known = byPeriod(record.partitions)
  const gone = periods.flatMap((period) => {
    const next = partFor(record, period)
    const dropped = (known.get(period) ?? []).find(({ state }) => state === 'DROPPED')
    return next === null || next.part === 1 || dropped === undefined ? [] : [dropped]
  })
  if (gone.length === 0) return new Map()
  const inspections = await periodRows(source, { ...record, partitions: gone }, options)
  return new Map(
    gone.flatMap(({ label, period }) => {
      const state = inspections.get(label)
      return state === undefined ? [] : [[period, state] as const]
    }),
  )
}

/** Text such as `3 rows added after 2024-Q2 was archived`. */
export function lateText(rows: bigint, period: string): string {
  return `${countText(rows, 'row')} added after ${period} was archived`
}
