/** Limits of `--delete-extra`: which target rows may be removed, and above which number `--confirm` is required. */
import { noKeyText, tableText } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import type { PlannedCopy, PlannedTable } from '../plan/plan-copy.ts'

/** Maximum number of rows that are removed without `--confirm=TABLE`. */
export const MAX_UNCONFIRMED = 1000n

/**
 * The plan, with an error for each table that `--again` cannot compare by key. With `--delete-extra`, tables are also
 * refused as in `refusedForDeletion`.
 */
export function refusedForAgain(planned: PlannedCopy, operation: CopyOperation): PlannedCopy {
  if (operation.again !== true) return planned
  const keyed = refused(planned, keyless)
  return operation.deleteExtra === true ? refusedForDeletion(keyed) : keyed
}

/**
 * The plan, with an error for each table whose source rows this copy may not read completely: a row that was not read
 * would seem to be missing in the source, and would be removed from the target.
 */
export function refusedForDeletion(planned: PlannedCopy): PlannedCopy {
  return refused(planned, (one) => shortRead(one, planned))
}

function refused(planned: PlannedCopy, why: (table: PlannedTable) => SluiceError | null): PlannedCopy {
  const tables = planned.tables.map((one): PlannedTable => {
    const error = one.plan === null ? null : why(one)
    return error === null ? one : { ...one, plan: null, error }
  })
  return { ...planned, tables }
}

function keyless({ plan, source }: PlannedTable): SluiceError | null {
  if (plan === null || plan.cut === 'key') return null
  return new SluiceError(
    'UNSUPPORTED_KEY',
    `--again cannot compare ${tableText(source.table)}: the table ${noKeyText(source)}`,
    {
      hint: 'copy all of it again with --restart and without --again, or name unique columns with --key',
    },
  )
}

function shortRead({ plan, ring, source }: PlannedTable, { from }: PlannedCopy): SluiceError | null {
  if (plan === null) return null
  const reason =
    plan.where !== undefined
      ? 'only rows that fit --where are read from the source'
      : ring !== null && ring.part !== null
        ? ring.part
        : (from.can.shortReads ?? null)
  if (reason === null) return null
  return new SluiceError(
    'BAD_FLAG',
    `--delete-extra is refused for ${tableText(source.table)}: this copy may miss rows of the source`,
    {
      reason,
      hint: 'remove --delete-extra, or copy the whole table; in both cases, surplus rows of the target are counted',
    },
  )
}

/** @param extra number of rows that would be removed @returns ROWS_EXTRA; null if they may be removed */
export function unconfirmedError(extra: bigint, plan: TablePlan, confirm: string | undefined): SluiceError | null {
  if (extra <= MAX_UNCONFIRMED) return null
  const names = [plan.source.table, plan.target.table].flatMap((table) => [tableText(table), table.name])
  if (confirm !== undefined && names.includes(confirm)) return null
  const name = tableText(plan.target.table)
  return new SluiceError('ROWS_EXTRA', `${extra} rows of ${name} are not in the source; none of them was removed`, {
    where: name,
    hint: `add --confirm=${shellQuote(name)} to remove them`,
  })
}
