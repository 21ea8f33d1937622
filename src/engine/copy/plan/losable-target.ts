/** Refuses copies into tables whose rows a crash of the target server may remove: the ledger would still count them. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { onSide } from '../sides.ts'

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
