/** Errors of a chunk's proof: the digests of both sides differ, or the target did not take all rows. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { rowCountText } from './rows-text.ts'

/** Also possible where each row is written by itself: a killed node of Cassandra forgets writes of up to 10 s. */
const FORGOTTEN = 'a server of the target was killed and lost rows that it had accepted; or '

const AGAIN =
  'run the same command again, which writes these rows again; if they differ then, too, sluice diff names them'
const REPAIR = 'add --again: it compares these rows with the source, and repairs what differs'

/** What is known about a chunk whose rows differ. */
type Attempted = {
  /** True if the target stores each row as soon as it is written, not with its chunk. */
  readonly isByRow: boolean
  /** True if an earlier attempt has written the first rows of the chunk. */
  readonly isResumed: boolean
}

/** @throws SluiceError PROOF_FAILED naming what differs */
export function compareDigests(
  plan: TablePlan,
  source: Digest,
  target: Digest,
  { isByRow, isResumed }: Attempted = { isByRow: false, isResumed: false },
): void {
  if (equalDigests(source, target)) return
  const isFewer = isByRow && target.rows < source.rows
  const resumed = isResumed ? 'the source changed rows that an earlier attempt had written; or ' : ''
  const repair = plan.onExisting === 'upsert' ? AGAIN : REPAIR
  const what =
    source.rows === target.rows
      ? `the ${source.rows} rows have different values`
      : `${source.rows} rows were read, ${target.rows} are in the target`
  throw new SluiceError(
    'PROOF_FAILED',
    `rows in the target differ from the rows that were read from ${plan.source.table.name}: ${what}`,
    {
      reason: `${isFewer ? FORGOTTEN : resumed}a trigger or another writer changed rows of the target, or the target stores a value differently`,
      hint: isFewer ? AGAIN : isResumed ? repair : 'sluice diff names the rows that differ',
    },
  )
}

/** Error: the target has rows with a NULL key that cannot be distinguished from the copied rows. */
export function otherNullKeys({ target }: TablePlan, rows: bigint): SluiceError {
  return new SluiceError('PROOF_FAILED', `the target already has ${rowCountText(rows)} with a NULL key`, {
    where: tableText(target.table),
    reason:
      'without a key, these rows cannot be distinguished from rows of the source, so rows of the source were not written',
    hint: `remove ${rows === 1n ? 'it' : 'them'} from the target, or exclude rows whose key is NULL with --where, and run the same command again`,
  })
}

/** Error: the target did not take all rows, although it reported no error. */
export function rowsDropped({ source, target }: TablePlan, dropped: bigint, read: bigint): SluiceError {
  return new SluiceError(
    'PROOF_FAILED',
    `the target did not store ${dropped} of ${rowCountText(read)} that were read from ${source.table.name}`,
    {
      where: tableText(target.table),
      reason: 'a trigger or a rule of the target drops rows without an error',
      hint: 'disable the trigger or rule for the copy, or exclude these rows with --where, and run the same command again',
    },
  )
}

/** @param expected, found number of rows and checksum of their keys @throws SluiceError PROOF_FAILED */
export function compareCounted({ source }: TablePlan, expected: Digest, found: Digest): void {
  if (equalDigests(expected, found)) return
  const what =
    expected.rows === found.rows
      ? 'a query by some of their keys finds another row, or the same row twice'
      : `${expected.rows} rows were written or skipped, ${found.rows} are in the target`
  throw new SluiceError(
    'PROOF_FAILED',
    `the target does not have one row for each row that was read from ${source.table.name}: ${what}`,
    {
      reason: 'several rows have the same key in the target, or a trigger or another writer changed its rows',
      hint: 'sluice diff names the rows that differ',
    },
  )
}
