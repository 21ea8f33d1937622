/**
 * Gives a table a new base while it stays readable. The log was cleaned up past the catalog's version, and only a
 * checkpoint above this version is left. Readers see no change before the new base is current. Open file lifetimes end
 * at the new base's version, and the base is written above the current version. The transaction that makes the base
 * current deletes the old commits and state; the end of the import deletes all other old rows.
 */
import { sweepStep, type CatalogSweep } from '../sweep-step.ts'
import { dropActions, fileSteps } from '../sweep.ts'
import { dropVersions } from '../state-relations.ts'

/**
 * Prepares the new base: deletes rows that an earlier try wrote above the current version, and ends every open lifetime
 * at the new base.
 * @param current version that readers see
 * @param base version of the checkpoint, above `current`
 */
export async function prepareRebase(at: CatalogSweep, current: number, base: number): Promise<void> {
  const { database, tableId } = at
  for await (const { after, upTo } of fileSteps(database, tableId, at.stepRows)) {
    await sweepStep(at, async (transaction) => {
      const step = [tableId, after, upTo, current]
      await transaction.run(
        'DELETE FROM delta_files WHERE table_id = ? AND file_no > ? AND file_no <= ? AND added_version > ?',
        step,
      )
      await transaction.run(
        `UPDATE delta_files SET removed_version = ? WHERE table_id = ? AND file_no > ? AND file_no <= ?
           AND (removed_version IS NULL OR removed_version > ?)`,
        [base, ...step],
      )
    })
  }
  await dropActions(at, current, Number.MAX_SAFE_INTEGER)
  await sweepStep(at, (transaction) => dropVersions(transaction, tableId, 'version > ?', current))
}
