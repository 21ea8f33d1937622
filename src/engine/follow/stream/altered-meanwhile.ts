/** Finds tables that were altered at the source after they were planned. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { onSide } from '../../copy/sides.ts'
import { targetTableNow } from '../../copy/plan/plan-copy.ts'
import type { FollowTable } from './followed-table.ts'

/**
 * Call it after the shapes of the tables are recorded: an alteration before that is in the recorded shapes and not in
 * the plan, so that no later comparison of shapes finds it.
 * @throws SluiceError NOT_FOLLOWABLE
 */
export async function refuseAltered(
  tables: readonly FollowTable[],
  from: CopyStore,
  signal: AbortSignal,
): Promise<void> {
  for (const { plan, name } of tables) {
    const now = await onSide('source', async () => {
      const found = await targetTableNow(plan.source.table, from, signal)
      return found === null ? null : await from.dependencies().detailed(found, signal)
    })
    if (now !== null && declaredText(now) === declaredText(plan.source)) continue
    throw new SluiceError('NOT_FOLLOWABLE', `${name} was altered while its stream was created`, {
      where: from.label,
      kind: 'source',
      hint: 'run the same command again: it plans the table as it is now',
    })
  }
}

/** What the system declares of the columns that are read. */
function declaredText({ columns }: TableSpec): string {
  const declared = columns.flatMap(({ name, native, collation, generated, expression, made }) =>
    made === undefined ? [[name, native, collation, generated, expression?.sql]] : [],
  )
  return JSON.stringify(declared)
}
