/** Delta property: how long files not in the newest version are kept (PROTOCOL.md and the documentation of Delta). */

/** Honoured by all programs that clean Delta tables. */
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
  return `interval ${retentionInWords(ms)}`
}

/** Text such as `30 days`: the largest unit, except weeks, that gives a whole number. */
export function retentionInWords(ms: number): string {
  const [name, unit] = UNITS.slice(1).find(([, each]) => ms % each === 0 && ms >= each) ?? ['millisecond', 1]
  const count = ms / unit
  return `${count} ${name}${count === 1 ? '' : 's'}`
}

/** The retention in ms; null if it is not set, or sluice cannot parse it. */
export function retentionMs(configuration: Readonly<Record<string, string | null>> | null | undefined): number | null {
  const text = configuration?.[RETENTION]?.trim().toLowerCase() ?? ''
  const [, count, name] = /^(?:interval\s+)?(\d+)\s+(week|day|hour|minute|second|millisecond)s?$/.exec(text) ?? []
  const unit = UNITS.find(([one]) => one === name)?.[1]
  return count === undefined || unit === undefined ? null : Number(count) * unit
}
