/** How long a Delta table keeps files that its newest version does not name, as its property says it (PROTOCOL.md and the documentation of Delta). */

/** Of every program that cleans Delta tables. */
export const RETENTION = 'delta.deletedFileRetentionDuration'

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['week', 7 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
  ['millisecond', 1],
]

export function retentionText(ms: number): string {
  return `interval ${spanText(ms)}`
}

/** `30 days`: in the largest unit but weeks of which it is a whole number. */
export function spanText(ms: number): string {
  const [name, unit] = UNITS.slice(1).find(([, each]) => ms % each === 0 && ms >= each) ?? ['millisecond', 1]
  const count = ms / unit
  return `${count} ${name}${count === 1 ? '' : 's'}`
}

/** In ms; null where nothing is said, or what sluice does not understand. */
export function retentionMs(configuration: Readonly<Record<string, string | null>> | null | undefined): number | null {
  const text = configuration?.[RETENTION]?.trim().toLowerCase() ?? ''
  const [, count, name] = /^(?:interval\s+)?(\d+)\s+(week|day|hour|minute|second|millisecond)s?$/.exec(text) ?? []
  const unit = UNITS.find(([one]) => one === name)?.[1]
  return count === undefined || unit === undefined ? null : Number(count) * unit
}
