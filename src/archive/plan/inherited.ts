/** Tables that share rows with others by inheritance: rows of heirs would be archived as rows of the table, and come back into the table. */
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { Run } from '../../engine/run/run-context.ts'
import { shellQuote } from '../../shared/shell.ts'

/**
 * Notes where rows of the table are also rows of tables that it inherits from.
 * @throws SluiceError TABLE_REFUSED where other tables inherit from it
 */
export async function refuseHeirs(
  { table }: TableSpec,
  store: CopyStore,
  { emit, interrupt }: Pick<Run<'log'>, 'emit' | 'interrupt'>,
): Promise<void> {
  const inheritance = await store.partitions?.().inheritance(table, interrupt.abort)
  if (inheritance === undefined) return
  const { heirs, parents } = inheritance
  const name = tableText(table)
  if (heirs.length > 0) {
    throw new SluiceError('TABLE_REFUSED', `${heirs.map(tableText).join(', ')} inherit from ${name}`, {
      where: name,
      reason: 'its rows are read and deleted with those of its heirs, and nothing says of an archived row whose it was',
      hint: `archive each heir as a table of its own, such as --table ${shellQuote(tableText(heirs[0] ?? table))}; ${name} itself can be archived once ALTER TABLE … NO INHERIT has let them go`,
    })
  }
  if (parents.length === 0) return
  const message = `it inherits from ${parents.map(tableText).join(', ')}: rows that are dropped are not read there any more either`
  emit({ type: 'log', level: 'note', table: name, message })
}
