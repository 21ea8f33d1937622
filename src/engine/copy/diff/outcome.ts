/** Counts of a comparison, and errors for them. */
import { SluiceError } from '../../../shared/errors.ts'

/** Counts of a comparison. */
export type DiffCounts = {
  rows: bigint
  targetRows: bigint
  missing: bigint
  extra: bigint
  different: bigint
  /** Repaired rows: those that were missing, extra or different. */
  fixed: bigint
  /** Differing ranges of a table without a key. */
  ranges: bigint
  /** Different rows that the target wrote later than the source. */
  newer: bigint
  /** Rows that could not be read or repaired. */
  errors: bigint
}

export const NO_OUTCOME: Readonly<DiffCounts> = {
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

/** Rows that still differ or failed. */
export function openOf({ missing, extra, different, ranges, fixed, errors }: DiffCounts): bigint {
  return missing + extra + different + ranges + errors - fixed
}

export function addOutcome(sum: DiffCounts, one: Readonly<DiffCounts>): void {
  for (const name of Object.keys(sum) as (keyof DiffCounts)[]) sum[name] += one[name]
}

/** Hint for rows that no key distinguishes. @param keyed true if other rows of the table have a key */
export function keylessHint(keyed: boolean): string {
  return keyed
    ? 'give the rows with a NULL key one at the source; or remove these rows from the target, and copy with --restart --on-existing upsert'
    : 'give the table a key at the source; or empty it in the target, and copy it again with --restart'
}

/**
 * The error for rows that are not repaired.
 * @param newer number of these rows that have newer values in the target
 * @param keyless true if some of them have a NULL key: it is then unknown how many differ
 */
export function openRows(open: bigint, newer: bigint, keyless: boolean): SluiceError {
  const rows =
    open === 1n
      ? 'one row of the target is missing or differs'
      : `${keyless ? 'up to ' : ''}${open} rows of the target are missing or differ`
  const why = newer === 0n ? '' : `, ${newer} of them because the target has newer values`
  return new SluiceError('DIFFERENCES', `${rows} from the source${why}`, {
    hint: keyless
      ? keylessHint(true)
      : newer > 0n
        ? 'newer values of the target are kept; run sluice diff --fix --overwrite-newer to overwrite them'
        : 'run the same command again to compare once more; sluice diff names the rows that differ',
  })
}
