/** What a comparison came to, as numbers. */
export type Outcome = {
  rows: bigint
  targetRows: bigint
  missing: bigint
  extra: bigint
  different: bigint
  /** Of all of these. */
  fixed: bigint
  /** Ranges of a table without a key that differ. */
  ranges: bigint
  /** Different, and written later in the target. */
  newer: bigint
  /** Rows that could not be read, or not be mended. */
  errors: bigint
}

export const NO_OUTCOME: Readonly<Outcome> = {
  rows: 0n,
  targetRows: 0n,
  missing: 0n,
  extra: 0n,
  different: 0n,
  fixed: 0n,
  ranges: 0n,
  newer: 0n,
  errors: 0n,
}

/** Rows that are not as they should be. */
export function openOf({ missing, extra, different, ranges, fixed, errors }: Outcome): bigint {
  return missing + extra + different + ranges + errors - fixed
}

export function addOutcome(sum: Outcome, one: Readonly<Outcome>): void {
  for (const name of Object.keys(sum) as (keyof Outcome)[]) sum[name] += one[name]
}

/** What to do about rows that no key tells apart. */
export const KEYLESS_HINT = 'give them a key at the source, or copy the table again with --restart'
