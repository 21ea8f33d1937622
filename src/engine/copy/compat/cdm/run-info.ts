/** `run_info` of the Cassandra Data Migrator's tables: counters as one text, in the order that it has them in. */
import type { RunType } from '../../../../model/copy/track-port.ts'

const NAMES = {
  MIGRATE: ['Read', 'Write', 'Skipped', 'Error'],
  VALIDATE: ['Read', 'Mismatch', 'Corrected Mismatch', 'Missing', 'Corrected Missing', 'Valid', 'Skipped', 'Error'],
} as const satisfies Readonly<Record<RunType, readonly string[]>>

export type CountName = (typeof NAMES)[RunType][number]

/** Of one range, or of a whole run; 0 for what is not there. */
export type Counts = Partial<Readonly<Record<CountName, bigint>>>

/** Counters with their names, in order. */
export function countersOf(
  type: RunType,
  counts: Counts,
  passed: number,
  failed: number,
): readonly (readonly [name: string, count: bigint])[] {
  return [
    ...NAMES[type].map((name): readonly [string, bigint] => [name, counts[name] ?? 0n]),
    ['Partitions Passed', BigInt(passed)],
    ['Partitions Failed', BigInt(failed)],
  ]
}

/** `Read: 10; Write: 7; …; Partitions Failed: 0` */
export function runInfo(type: RunType, counts: Counts, passed: number, failed: number): string {
  return countersOf(type, counts, passed, failed)
    .map(([name, count]) => `${name}: ${count}`)
    .join('; ')
}

export function sumCounts(all: Iterable<Counts>): Counts {
  const sum: Partial<Record<CountName, bigint>> = {}
  for (const counts of all) {
    for (const [name, count] of Object.entries(counts) as [CountName, bigint][]) sum[name] = (sum[name] ?? 0n) + count
  }
  return sum
}

/** The counters that a text holds, without those of ranges; none for a text of another form. */
export function countsOfInfo(type: RunType, info: string | null): Counts {
  const counts: Partial<Record<CountName, bigint>> = {}
  for (const name of NAMES[type]) {
    const found = new RegExp(`(?:^|; )${name}: (\\d+)(?:;|$)`).exec(info ?? '')?.[1]
    if (found !== undefined) counts[name] = BigInt(found)
  }
  return counts
}

/** How many ranges a text says failed; 0 where it says nothing. */
export function failedRanges(info: string | null): number {
  return Number(/Partitions Failed: (\d+)/.exec(info ?? '')?.[1] ?? 0)
}
