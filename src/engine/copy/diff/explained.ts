/**
 * Last check before two tables or ranges are called equal or proved: the differences found must explain the row counts
 * of both sides. Catches rows that the comparison itself lost, whatever the cause.
 */
import { rangeText, type Range } from '../../../model/copy/range.ts'
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { rowCountText } from '../chunk/rows-text.ts'
import type { DiffCounts } from './outcome.ts'

/** Counts of a comparison. */
type Counted = Readonly<Pick<DiffCounts, 'rows' | 'targetRows' | 'missing' | 'extra'>>

/** Counts with checksums of both sides. */
type Compared = Counted & {
  readonly source: Digest
  readonly target: Digest
  /** Number of rows that may differ: the target refused them, or they could not be read at the source. */
  readonly quarantined: bigint
}

/**
 * @param name name of the table or range compared
 * @param quarantined number of rows that may be missing in the target
 * @returns null if the differing rows explain the counts of both sides
 */
export function unexplainedCounts(
  name: string,
  { rows, targetRows, missing, extra }: Counted,
  quarantined = 0n,
): SluiceError | null {
  const lost = rows - targetRows - missing + extra
  if (lost >= 0n && lost <= quarantined) return null
  return notProvedError(
    name,
    `${rowCountText(rows)} in the source and ${targetRows} in the target; ${missing} missing and ${extra} extra rows do not explain this`,
  )
}

/** As `unexplainedCounts`, for a range with checksums. These must be equal if no row is known to differ. */
export function unprovedRange(name: string, compared: Compared): SluiceError | null {
  const { source, target, quarantined, extra, missing } = compared
  const counts = unexplainedCounts(name, compared, quarantined)
  if (counts !== null || quarantined + extra + missing > 0n || equalDigests(source, target)) return counts
  return notProvedError(name, 'the checksums of both sides differ, but no differing row was found')
}

/** @param range range whose checksums differ, although no differing row was found */
export function unexplainedRange(name: string, range: Range): SluiceError {
  return notProvedError(
    name,
    `the checksums of both sides differ (${rangeText(range)}), but no differing row was found`,
  )
}

function notProvedError(name: string, message: string): SluiceError {
  return new SluiceError('PROOF_FAILED', `${name} is not proved: ${message}`, {
    reason: 'several rows have the same key, rows were written during the comparison, or a row was lost on the way',
    hint: 'run the same command again; if the result is the same, search for duplicate keys on both sides (GROUP BY the key HAVING count(*) > 1); if there are none and no program writes, report a bug',
  })
}
