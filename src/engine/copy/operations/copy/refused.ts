/** What refuses a copy as a whole before anything is made. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import { refusedForAgain } from '../../again/delete-extra.ts'
import type { CopyEvent, CopyRun } from '../../copy-run.ts'
import { refuseUnknownTables } from '../../look/look-earlier.ts'
import { openCopyStore } from '../../open-stores.ts'
import { planCopy, type PlannedCopy, type Planner } from '../../plan/plan-copy.ts'
import type { CopyOperation } from './declaration.ts'
import { examineStream } from './stream.ts'

/**
 * Whether no table can be copied into a file that is not there yet.
 * @throws SluiceError whatever keeps the copy as a whole from being planned
 */
export async function isRefusedWhole(
  operation: CopyOperation,
  from: CopyStore,
  planner: Planner,
  run: CopyRun,
): Promise<boolean> {
  await using empty = await openCopyStore(operation.to, { mode: 'plan' })
  const planned = refusedForAgain(await planCopy(operation, from, empty, planner), operation)
  refuseUnknownNames(operation, planned.tables)
  if (operation.follow !== undefined) {
    const events: CopyEvent[] = []
    const quiet = { ...run, emit: (event: CopyEvent) => void events.push(event) }
    try {
      await examineStream({ operation, planned, run: quiet })
    } catch (thrown) {
      // What goes well is told when it is looked at again.
      for (const event of events) run.emit(event)
      throw thrown
    }
  }
  return planned.tables.every(({ error }) => error !== null)
}

/** @throws SluiceError BAD_FLAG for tables that --accept-difference names and that are not copied */
export function refuseUnknownNames({ acceptDifference = [] }: CopyOperation, tables: PlannedCopy['tables']): void {
  refuseUnknownTables(
    acceptDifference,
    tables.map(({ source, targetName }) => [
      tableText(source.table),
      source.table.name,
      targetName.name,
      tableText(targetName),
    ]),
  )
}
