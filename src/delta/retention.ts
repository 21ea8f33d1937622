/** Parses durations in table properties, as Spark writes them: `interval 7 days`, `30 days 12 hours`. */
import type { MetadataAction } from './actions.ts'

const WEEK_MS = 7 * 86_400_000
const UNIT_MS: Readonly<Record<string, number>> = {
  millisecond: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: WEEK_MS,
}

/** Default retention of removed files (PROTOCOL.md, `delta.deletedFileRetentionDuration`). */
export const TOMBSTONE_RETENTION_MS = WEEK_MS

/** A duration in ms; Infinity for a text that cannot be parsed. */
export function intervalMs(text: string): number {
  const words = text
    .trim()
    .toLowerCase()
    .replace(/^interval\s+/, '')
    .split(/\s+/)
  let total = 0
  for (let i = 0; i < words.length; i += 2) {
    const count = Number(words[i])
    const unit = UNIT_MS[(words[i + 1] ?? '').replace(/s$/, '')]
    if (!Number.isFinite(count) || unit === undefined) return Infinity
    total += count * unit
  }
  return total
}

/** How long removed files are kept, ms: the table's property, or a week if unset. Infinity if it cannot be parsed. */
export function retentionOf(metadata: MetadataAction | null): number {
  const text = metadata?.configuration?.['delta.deletedFileRetentionDuration']
  if (text === undefined || text === null) return TOMBSTONE_RETENTION_MS
  // Infinity is safe: a tombstone kept too long costs space; a tombstone dropped too early breaks time travel.
  return intervalMs(text)
}
