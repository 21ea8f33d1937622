/**
 * Parts of a period. Rows that arrive after the first part was archived are archived as a later part: a partition
 * with its own files and proof. The rows of the period are the sum of its parts.
 */
import type { ArchivedPartition, ArchiveRecord } from './record.ts'

/** The other parts of a partition's period. */
export function otherParts(
  { label, period }: Pick<ArchivedPartition, 'label' | 'period'>,
  all: readonly ArchivedPartition[],
): readonly ArchivedPartition[] {
  return all.filter((one) => one.period === period && one.label !== label)
}

/** Parts by the label of their period, in order. */
export function byPeriod(all: readonly ArchivedPartition[]): ReadonlyMap<string, readonly ArchivedPartition[]> {
  const periods = new Map<string, ArchivedPartition[]>()
  for (const one of all) {
    const parts = periods.get(one.period) ?? []
    periods.set(one.period, parts)
    parts.push(one)
  }
  for (const parts of periods.values()) parts.sort((a, b) => a.part - b.part)
  return periods
}

/** True if the part is in progress, and the source holds its rows: no other part of a plain table may begin then. */
export function isInProgress({ state, retracted, fence }: ArchivedPartition): boolean {
  return state === 'RESTORED' ? !retracted : state !== 'DROPPED' && state !== 'EXPIRED' && fence > 0n
}

/** True for a restored part whose rows all belong to another part now. */
export function isAbsorbed({ state, retracted, digest }: ArchivedPartition): boolean {
  return state === 'RESTORED' && retracted && digest === null
}

/** True if the partition was restored and its rows are in the source. */
export function isInSource(partition: ArchivedPartition): boolean {
  return partition.state === 'RESTORED' && !isAbsorbed(partition)
}

/** A part that exists only in the ledger: it has a hold, or a run was killed before it began. */
export function isOnlyRecorded({ state, fence }: ArchivedPartition): boolean {
  return state === 'PLANNED' && fence === 0n
}

/** Label and number of the next part of a period. @param parts all parts of the period in the ledger, at least one */
export function nextPart(
  { partitions }: Pick<ArchiveRecord, 'partitions'>,
  parts: readonly ArchivedPartition[],
): Required<Pick<ArchivedPartition, 'label' | 'period' | 'part'>> {
  const noted = parts.find((one) => one.part > 1 && isOnlyRecorded(one))
  if (noted !== undefined) return { label: noted.label, period: noted.period, part: noted.part }
  const period = parts[0]?.period ?? ''
  let part = Math.max(...parts.map((one) => one.part)) + 1
  // Another partition of the table may already have this label.
  while (partitions.some(({ label }) => label === partLabel(period, part))) part++
  return { label: partLabel(period, part), period, part }
}

export function partLabel(period: string, part: number): string {
  return `${period}.part${part}`
}
