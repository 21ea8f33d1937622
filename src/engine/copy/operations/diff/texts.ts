/** Texts of a comparison: counts, notes and hints. */
import type { TablePlan } from '../../../../model/copy/plan.ts'
import { countText } from '../../../../shared/figures.ts'
import { EXPIRED } from '../../diff/expiry.ts'
import type { DiffCounts } from '../../diff/outcome.ts'
import type { PlannedTable } from '../../plan/plan-copy.ts'
import type { DiffOperation } from './declaration.ts'

export function countsText(one: DiffCounts, { fix }: DiffOperation): string {
  const { rows, targetRows, missing, extra, different, fixed, ranges, newer, errors } = one
  return (
    (fixed > 0n ? 'before the repair: ' : '') +
    `${countText(rows, 'row')} in the source, ${targetRows} in the target: ${missing} missing, ${extra} extra, ${different} different` +
    (fix ? `; ${fixed} repaired` : '') +
    (ranges > 0n ? `, and ${KEYLESS}` : '') +
    (newer > 0n ? `, ${newer} written later in the target` : '') +
    (errors > 0n ? `, ${errors} that could not be read or repaired` : '')
  )
}

/** Note on columns whose source values the comparison first reduced to what the target can hold; empty if none. */
export function lossyNotes({ columns }: TablePlan): readonly string[] {
  const lossy = columns.flatMap(({ from, lossy: why }) => (why === undefined ? [] : [`${from} (${why})`]))
  return lossy.length === 0 ? [] : [`compared after conversion to the types of the target: ${lossy.join(', ')}`]
}

/** Names columns that were copied under another name, and are so compared, or not copied, and are not compared. */
export function asCopiedNotes({ source, options }: PlannedTable, operation: DiffOperation): readonly string[] {
  const { rename, columns } = options
  const notes: string[] = []
  if (rename.size > 0 && Object.keys(operation.rename).length === 0) {
    const pairs = [...rename].map(([from, to]) => `${from} with ${to}`)
    notes.push(`compared as they were copied: ${pairs.join(', ')} (--rename compares others)`)
  }
  const left = source.columns.flatMap(({ name }) => (columns?.includes(name) === false ? [name] : []))
  if (left.length > 0 && operation.columns === undefined)
    notes.push(`not compared, because the copy left them out: ${left.join(', ')} (--columns compares them)`)
  return notes
}

const KEYLESS = 'rows without a usable key differ'

/** @param open differing rows, and differing ranges of rows without a key */
export function differText(sum: DiffCounts, open: bigint): string {
  const { ranges, errors } = sum
  const rows = open - ranges
  if (rows === 0n) return KEYLESS
  // Rows that could not be read are only counted: it is unknown whether they differ.
  if (keyedOf(sum) <= 0n && ranges === 0n)
    return errors === 1n ? 'one row could not be compared' : `${errors} rows could not be compared`
  return `${rows === 1n ? 'one row differs' : `${rows} rows differ`}${ranges === 0n ? '' : `, and ${KEYLESS}`}`
}

function keyedOf({ missing, different, extra, fixed }: DiffCounts): bigint {
  return missing + different + extra - fixed
}

const OUTSIDE =
  'rows that only the target has are kept: the source may have them outside --where; compare without --where to find out'

const UNREAD =
  'rows that only the target has are kept: they may be rows of the source that could not be read or repaired; correct these first'

/** Why rows that only the target has must stay; null if they may be removed. */
function keptBecause({ where }: DiffOperation, { errors }: DiffCounts): string | null {
  if (where !== undefined) return OUTSIDE
  return errors > 0n ? UNREAD : null
}

/**
 * @property followed how to repair tables that a stream follows; null if no stream does
 * @property expired true if rows that only the target has may have expired in the source
 */
type Circumstances = { readonly followed: string | null; readonly expired: boolean }

export function hintFor(
  operation: DiffOperation,
  sum: DiffCounts,
  commandLine: string,
  { followed, expired }: Circumstances,
): string {
  const { fix, deleteExtra, overwriteNewer } = operation
  const keyed = keyedOf(sum)
  const kept = keptBecause(operation, sum)
  const caution = expired ? `; ${EXPIRED}` : ''
  if (sum.ranges > 0n && keyed <= 0n) return 'the log shows how many rows each side has, and how they become equal'
  if (keyed <= 0n) return 'read the log: it names these rows, with the causes'
  if (followed !== null) return followed
  if (!fix) {
    if (sum.missing + sum.different === 0n)
      return (
        kept ??
        `run ${commandLine} --fix --delete-extra to remove rows that only the target has; they are recorded first${caution}`
      )
    const most =
      sum.newer > 0n && overwriteNewer !== true
        ? '; add --overwrite-newer to overwrite newer values of the target too'
        : ''
    return `run ${commandLine} --fix to repair the target; the replaced rows are kept${most}`
  }
  if (sum.newer > 0n && overwriteNewer !== true)
    return 'newer values of the target are kept; add --overwrite-newer to overwrite them'
  if (!deleteExtra && kept !== null && sum.extra > 0n) return kept
  return deleteExtra || sum.extra === 0n
    ? 'run the same command again to repair the rest; the log names rows that cannot be repaired'
    : `rows that only the target has are kept; add --delete-extra to remove them${caution}`
}
