/** Checks and messages about the tables of a plan before a stream resumes with them. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { StreamStart } from '../../../model/follow/port.ts'
import { refuseReorderedTarget } from '../../../stores/common/column-order.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { shellNames, shellQuote } from '../../../shared/shell.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { PlannedCopy } from '../../copy/plan/plan-copy.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'
import type { FollowTable } from './followed-table.ts'

type Planned = readonly Pick<FollowTable, 'name' | 'plan'>[]

/** Begins the command that follows tables of a source; the run that prints it adds the target as it was given. */
export function followingCopy({ from }: Pick<CopyOperation, 'from'>): string {
  return `sluice copy --follow --from ${shellQuote(redactUrl(from))}`
}

/** Reports tables that were added to the source since the stream began. */
export function reportNewTables(
  { unfollowed = [] }: PlannedCopy,
  stream: StreamRow | null,
  { from, with: objects = [] }: Pick<CopyOperation, 'from' | 'with'>,
  run: CopyRun,
): void {
  if (unfollowed.length === 0 || stream === null) return
  const names = unfollowed.map(tableText)
  const [verb, them] = names.length === 1 ? ['is', 'it'] : ['are', 'them']
  const kinds = objects.length === 0 ? '' : ` --with ${objects.join(',')}`
  const hint = `run ${followingCopy({ from })} --tables ${shellNames(names)}${kinds} to follow ${them} with a separate stream`
  const message = `${names.join(', ')} ${verb} not followed: stream ${stream.id} began without ${them}`
  run.emit({ type: 'log', level: 'note', message, hint })
}

/** @throws the error of the first table that cannot be planned; errors of the others are reported */
export function refusePlans({ tables }: PlannedCopy, run: CopyRun): void {
  const [first, ...others] = tables.flatMap(({ error, source }) => (error === null ? [] : [{ error, source }]))
  if (first === undefined) return
  for (const { error, source } of others) {
    const hint = error.hint === undefined ? {} : { hint: error.hint }
    run.emit({ type: 'log', level: 'error', table: tableText(source.table), message: error.message, ...hint })
  }
  throw first.error
}

/**
 * Checks that the target's columns have the order that was recorded for the stream. If two columns exchanged their
 * names while no program ran the stream, each would get the other's values.
 * @param tables as planned now
 * @param recopied names of tables that are copied again: their earlier order does not matter, and the present one is
 * recorded only once they are emptied
 * @param label of the target
 * @returns the start data with the present order; the same object if nothing changed
 * @throws SluiceError TABLE_REFUSED if recorded columns have another order
 */
export function withTargetColumns(
  startRecord: StreamStart,
  tables: Planned,
  recopied: ReadonlySet<string>,
  label: string,
): StreamStart {
  const { targetColumns: noted = {} } = startRecord
  const now: Record<string, readonly string[]> = {}
  for (const { name, plan } of tables) {
    if (recopied.has(name)) continue
    const { table, columns } = plan.target
    const [before, names] = [noted[name], columns.map((column) => column.name)]
    if (before !== undefined && !plan.create)
      refuseReorderedTarget({ table, columns: before.map((column) => ({ name: column })) }, names, label)
    now[name] = names
  }
  return JSON.stringify(now) === JSON.stringify(noted) ? startRecord : { ...startRecord, targetColumns: now }
}
