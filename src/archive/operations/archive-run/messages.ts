/** Messages about a table in the log of an archive run or plan. */
import { isByValue } from '../../ledger/by-value.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { isoTime } from '../../../shared/clock.ts'
import { referrerText } from '../../plan/referring-rows.ts'
import { changeTexts } from '../../plan/table-changes.ts'
import type { PlannedArchive } from '../../plan/plan.ts'
import type { PlannedPartition } from '../../plan/planned-status.ts'
import type { Run } from '../../../engine/run/run-context.ts'
import type { ArchiveOperation } from './declaration.ts'

type Reporter = Pick<Run<'log'>, 'emit'>
type Level = 'note' | 'warn' | 'error'

/** One line about a table. */
export function reportTable(
  { emit }: Reporter,
  level: Level,
  { table }: Pick<PlannedArchive['table'], 'table'>,
  message: string,
  hint?: string,
): void {
  emit({ type: 'log', level, table: tableText(table), message, ...(hint === undefined ? {} : { hint }) })
}

/**
 * Reports tables without times as skipped, because their rows have no age.
 * @throws SluiceError UNSUPPORTED_TYPE if no table has times
 */
export function reportTimeless(plans: readonly PlannedArchive[], run: Reporter): void {
  const [first] = plans
  const refused = plans.filter(({ timeless, partitions }) => timeless !== null && !partitions.some(isNoted))
  if (first?.timeless != null && refused.length === plans.length) throw first.timeless
  for (const { table, timeless } of plans) {
    if (timeless === null) continue
    const { message, reason, hint } = timeless
    const why = reason === undefined ? message : `${message}; ${reason}`
    reportTable(run, 'warn', table, `${tableText(table.table)} is skipped: ${why}`, hint)
  }
}

/** True if a run processes the partition, or reports why it does not. */
function isNoted({ status, known }: PlannedPartition): boolean {
  return known !== null && status !== 'done' && status !== 'later'
}

/** Reports rows that belong to no period, so that no run archives them. */
export function reportUnplaced({ table, unplaced }: PlannedArchive, run: Reporter): void {
  if (unplaced !== null) reportTable(run, 'note', table, unplaced)
}

/** Reports that partitions by value are never due by age, if there is no other partition to process. */
export function reportValues({ table, archived, partitions }: PlannedArchive, run: Reporter): void {
  if (!isByValue(archived) || partitions.some(({ status }) => status !== 'later')) return
  reportTable(run, 'note', table, 'values are never due by age: name the values to archive with --partition')
}

/** Reports rows of other tables whose foreign keys may prevent the removal. */
export function reportReferrers({ table, isNative, referred }: PlannedArchive, run: Reporter): void {
  for (const referrer of referred.referrers) reportTable(run, 'note', table, referrerText(referrer, isNative))
}

/** Reports changes that the next publication makes to the columns of the archive. */
export function reportChanges({ table, changes }: PlannedArchive, run: Reporter): void {
  for (const message of changeTexts(changes)) reportTable(run, 'note', table, message)
}

export function reportUnsure({ table, unsure }: PlannedArchive, run: Reporter): void {
  if (unsure !== null) reportTable(run, 'warn', table, `a run would be refused: ${unsure.message}`, unsure.hint)
}

/** Reports until when detached partitions are kept, and that `--grace` does not change this. */
export function reportGrace(
  { table, partitions }: PlannedArchive,
  { drop, graceMs }: Pick<ArchiveOperation, 'drop' | 'graceMs'>,
  run: Reporter,
): void {
  const waiting = partitions.flatMap(({ known }) =>
    known?.state === 'DETACHED' && !known.graceOver && known.dropAfterMs !== null ? [known.dropAfterMs] : [],
  )
  if (waiting.length === 0 || (!drop && graceMs === undefined)) return
  const first = isoTime(Math.min(...waiting))
  const what = waiting.length === 1 ? '1 detached partition is' : `${waiting.length} detached partitions are`
  const later =
    graceMs === undefined ? '' : '; --grace applies to partitions that are detached from now on, not to these'
  reportTable(
    run,
    'note',
    table,
    `${what} within the grace period, and not dropped yet; the first may be dropped from ${first} on${later}`,
  )
}
