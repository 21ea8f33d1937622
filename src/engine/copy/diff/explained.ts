/**
 * What is asked before two tables, or two ranges of them, are called equal or proved: whether the rows that were found to differ explain how many each side
 * holds. What a comparison loses on its way is caught here, whatever lost it.
 */
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { rowsText } from '../chunk/rows-text.ts'

/** What a comparison has counted. */
type Counted = {
  readonly rows: bigint
  readonly targetRows: bigint
  readonly missing: bigint
  readonly extra: bigint
}

/** Sums of both sides, and how many rows are known to stand in their way. */
type Compared = Counted & {
  readonly source: Digest
  readonly target: Digest
  /** Rows that one side alone may have, or has with other values: refused by the target, or unreadable at the source. */
  readonly aside: bigint
}

/**
 * @param name of what was compared
 * @param aside rows that may be missing, and need not be
 * @returns null where the rows that differ explain what each side holds
 */
export function unexplained(
  name: string,
  { rows, targetRows, missing, extra }: Counted,
  aside = 0n,
): SluiceError | null {
  const lost = rows - targetRows - missing + extra
  if (lost >= 0n && lost <= aside) return null
  return notProved(
    name,
    `${rowsText(rows)} in the source and ${targetRows} in the target, which ${missing} missing and ${extra} extra do not explain`,
  )
}

/** The same of a range with sums: where nothing is known to differ, they are equal. */
export function unproved(name: string, compared: Compared): SluiceError | null {
  const { source, target, aside, extra, missing } = compared
  const counts = unexplained(name, compared, aside)
  if (counts !== null || aside + extra + missing > 0n || equalDigests(source, target)) return counts
  return notProved(name, 'the checksums of both sides differ, and no row was found that does')
}

function notProved(name: string, message: string): SluiceError {
  return new SluiceError('PROOF_FAILED', `${name} is not proved: ${message}`, {
    reason: 'several rows have one key, rows were written while they were compared, or a row was lost on the way',
    hint: 'run the same command again; where it says the same, look for keys that stand twice on either side (GROUP BY the key HAVING count(*) > 1); where there are none and nobody writes, that is a bug: please report it',
  })
}
