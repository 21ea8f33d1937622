/** The tables of a run, from their start to the last chunk. */
import type { PlannedCopy, PlannedTable } from '../plan/plan-copy.ts'
import { startTable } from './start-table.ts'
import type { CopyContext } from './copy-context.ts'
import type { TableRun } from './table-run.ts'

/**
 * Starts tables, and adds them to those of the run. A task of a distributed run leaves out tables without a key that
 * another process copies: it copies all other tables first.
 * @returns the tables left out
 */
export async function startTables(
  all: readonly PlannedTable[],
  tables: TableRun[],
  planned: PlannedCopy,
  copyContext: CopyContext,
): Promise<readonly PlannedTable[]> {
  const elsewhere: PlannedTable[] = []
  const how = copyContext.shared === undefined ? 'wait' : 'leave'
  for (const one of all) {
    const table = await startTable(one, planned, copyContext, how)
    if (table === null) elsewhere.push(one)
    else tables.push(table)
  }
  return elsewhere
}

/**
 * Copies all tables of the run. At the end it waits for tables that another process copies, and copies them itself if
 * that process is lost.
 * @param work resolves when this run can do nothing more for the tables
 */
export async function copyTables(
  tables: TableRun[],
  elsewhere: readonly PlannedTable[],
  planned: PlannedCopy,
  copyContext: CopyContext,
  work: (some: readonly TableRun[]) => Promise<void>,
): Promise<void> {
  await work(keylessFirst(tables))
  if (elsewhere.length === 0) return
  const rest: TableRun[] = []
  for (const one of elsewhere) rest.push(await startTable(one, planned, copyContext))
  tables.push(...rest)
  await work(keylessFirst(rest))
}

/**
 * Sorts tables without a key first: a single process copies such a table, and the other processes would wait for it if
 * it began late.
 */
function keylessFirst(tables: readonly TableRun[]): readonly TableRun[] {
  const isAlone = ({ context }: TableRun): boolean => context !== null && context.plan.cut !== 'key'
  const sound = tables.filter(({ error }) => error === null)
  return [...sound.filter(isAlone), ...sound.filter((table) => !isAlone(table))]
}
