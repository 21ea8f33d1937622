/**
 * Refuses tables of a target: those that sluice itself keeps there (ledger, catalog), and those whose rows a crash
 * of the server may remove, because the ledger would still count them.
 */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { foldedText } from '../../../shared/name-pattern.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { LEDGER_TABLES, OWN_TABLES, type OwnTable } from '../../../stores/common/own-tables.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import { onSide } from '../sides.ts'

/** Use of the planned tables: rows are written, repaired where they differ, or only read. */
export type PlanPurpose = 'write' | 'mend' | 'compare'

/**
 * @param existing the target's table of that name; null if there is none
 * @param hint what the user of this command can do instead
 * @throws SluiceError BAD_FLAG for a table of a ledger, and for a table of a catalog whose rows would be overwritten
 */
export function refuseOwnTarget(
  name: TableName,
  existing: TableSpec | null,
  to: CopyStore,
  { onExisting }: Pick<CopyOperation, 'onExisting'>,
  purpose: PlanPurpose,
  hint = 'name another table with --to-table, or another database; nothing was changed',
): void {
  const own = purpose === 'compare' ? null : named(name, to)
  if (own === null) return
  const isMade = existing !== null && isMarked(own, existing)
  // The ledger is created in the schema for unqualified names; elsewhere a table of that name may be the user's.
  const isLedger = LEDGER_TABLES.includes(own) && (isMade || name.schema === undefined || name.schema === to.schema)
  if (!isLedger && !(isMade && purpose === 'write' && onExisting !== 'refuse')) return
  throw new SluiceError('BAD_FLAG', `rows cannot be copied into ${tableText(name)}: it is a table of sluice's ledger`, {
    where: to.label,
    reason: isLedger
      ? 'the ledger in the target uses this name'
      : `sluice created it, and --on-existing ${onExisting} would overwrite its contents`,
    hint,
  })
}

/** @throws SluiceError TABLE_REFUSED, and errors of the target */
export async function refuseLosableTarget(name: TableName, to: CopyStore, signal: AbortSignal): Promise<void> {
  const [found] = (await onSide('target', async () => to.offers.losable?.find([name], signal))) ?? []
  if (found === undefined) return
  throw new SluiceError('TABLE_REFUSED', `rows cannot be copied into this table: ${found.what}`, {
    where: to.label,
    reason: 'a crash of the server would remove copied rows, and the ledger would still show them as copied',
    hint: `${found.remedy}, or copy into another table`,
  })
}

function named({ name }: TableName, { can }: CopyStore): OwnTable | null {
  const folds = can.folds?.tables ?? 'exact'
  return OWN_TABLES.find((one) => foldedText(one.name, folds) === foldedText(name, folds)) ?? null
}

function isMarked({ marks, oneColumn }: OwnTable, { columns }: TableSpec): boolean {
  const names = new Set(columns.map(({ name }) => name.toLowerCase()))
  return marks.every((mark) => names.has(mark)) && (oneColumn !== true || names.size === 1)
}
