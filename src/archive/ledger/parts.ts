/**
 * Parts of a period. What comes late, once the first part is archived, is archived as a further part: a partition of its own, with files and a proof of its
 * own. The rows of the period are the sum of its parts.
 */
import type { ArchivedPartition, ArchiveRecord } from './record.ts'

/** Other parts of the period of a partition. */
export function otherParts(
  { label, period }: Pick<ArchivedPartition, 'label' | 'period'>,
  all: readonly ArchivedPartition[],
): readonly ArchivedPartition[] {
  return all.filter((one) => one.period === period && one.label !== label)
}

/** Parts by the label of their period, in their order. */
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

/** Whether rows of the source are those of a part that has begun, and not ended: no other part of a plain table may begin beside it. */
export function isOpen({ state, retracted, fence }: ArchivedPartition): boolean {
  return state === 'RESTORED' ? !retracted : state !== 'DROPPED' && state !== 'EXPIRED' && fence > 0n
}

/** Whether it was restored, and another part has all of its rows since. */
export function isAbsorbed({ state, retracted, digest }: ArchivedPartition): boolean {
  return state === 'RESTORED' && retracted && digest === null
}

/** Whether it was restored, and its rows stand in the source. */
export function isBack(partition: ArchivedPartition): boolean {
  return partition.state === 'RESTORED' && !isAbsorbed(partition)
}

/** A part that only the ledger knows: somebody holds it, or a run was killed before it began. */
export function isNoted({ state, fence }: ArchivedPartition): boolean {
  return state === 'PLANNED' && fence === 0n
}

/** What the next part of a period is called, and its number. @param parts all that the ledger has of the period, at least one */
export function nextPart(
  { partitions }: Pick<ArchiveRecord, 'partitions'>,
  parts: readonly ArchivedPartition[],
): Required<Pick<ArchivedPartition, 'label' | 'period' | 'part'>> {
  const noted = parts.find((one) => one.part > 1 && isNoted(one))
  if (noted !== undefined) return { label: noted.label, period: noted.period, part: noted.part }
  const period = parts[0]?.period ?? ''
  let part = Math.max(...parts.map((one) => one.part)) + 1
  // A table of a user may have the name.
  while (partitions.some(({ label }) => label === partLabel(period, part))) part++
  return { label: partLabel(period, part), period, part }
}

export function partLabel(period: string, part: number): string {
  return `${period}.part${part}`
}
