/** `run_info` in the Cassandra Data Migrator's tables: counters as one text, in the order of CDM. */
import type { RunType } from '../../../../model/copy/track-port.ts'

const NAMES = {
  MIGRATE: ['Read', 'Write', 'Skipped', 'Error'],
  VALIDATE: ['Read', 'Mismatch', 'Corrected Mismatch', 'Missing', 'Corrected Missing', 'Valid', 'Skipped', 'Error'],
} as const satisfies Readonly<Record<RunType, readonly string[]>>

export type CountName = (typeof NAMES)[RunType][number]

/** Counters of one range or of a whole run; an absent counter is 0. */
export type CdmCounts = Partial<Readonly<Record<CountName, bigint>>>

/** Counters with their names, in order. */
export function countersOf(
  type: RunType,
  counts: CdmCounts,
  passed: number,
  failed: number,
): readonly (readonly [name: string, count: bigint])[] {
  return [
    ...NAMES[type].map((name): readonly [string, bigint] => [name, counts[name] ?? 0n]),
    ['Partitions Passed', BigInt(passed)],
    ['Partitions Failed', BigInt(failed)],
  ]
}

/** Text for `run_info`, such as `Read: 10; Write: 7; …; Partitions Failed: 0`. */
export function runInfo(type: RunType, counts: CdmCounts, passed: number, failed: number): string {
  return countersOf(type, counts, passed, failed)
    .map(([name, count]) => `${name}: ${count}`)
    .join('; ')
}

export function sumCounts(all: Iterable<CdmCounts>): CdmCounts {
  const sum: Partial<Record<CountName, bigint>> = {}
  for (const counts of all) {
    for (const [name, count] of Object.entries(counts) as [CountName, bigint][]) sum[name] = (sum[name] ?? 0n) + count
  }
  return sum
}

/** Parses the row counters of a `run_info` text, without the counters of ranges; empty for a text of another form. */
export function countsOfInfo(type: RunType, info: string | null): CdmCounts {
  const counts: Partial<Record<CountName, bigint>> = {}
  for (const name of NAMES[type]) {
    const found = new RegExp(`(?:^|; )${name}: (\\d+)(?:;|$)`).exec(info ?? '')?.[1]
    if (found !== undefined) counts[name] = BigInt(found)
  }
  return counts
}

/** Number of failed ranges in a `run_info` text; 0 if the text has no such number. */
export function failedRanges(info: string | null): number {
  return Number(/Partitions Failed: (\d+)/.exec(info ?? '')?.[1] ?? 0)
}
