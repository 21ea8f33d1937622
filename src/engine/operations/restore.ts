/** `restore`: archived partitions back into the live table, proved. */
import { restorePartition } from '../../archive/lifecycle/restore.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { dec } from '../../model/event.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { RestoreOperation } from '../archive-operations.ts'
import { eachPartition } from '../archiving/advance-all.ts'
import { archivedTable, openSource } from '../archiving/each-table.ts'
import { endOfArchive } from '../archiving/ending.ts'
import { labelNamed } from '../archiving/label-named.ts'
import { openArchive } from '../archiving/open.ts'
import { emitArchivePlan } from '../archiving/plan-event.ts'
import { requireOrigin } from '../archiving/require-origin.ts'
import { parseCalendar } from '../calendar/calendar-text.ts'
import type { Ending, Run } from '../run-context.ts'

/** @throws SluiceError NO_SUCH_TABLE, PARTITION_STATE */
export async function restore(operation: RestoreOperation, run: Run): Promise<Ending> {
  const { from, table: name, partitions: named, dryRun } = operation
  await using opened = await openSource(from, !dryRun)
  const { table, record } = await archivedTable(opened, name, run.interrupt.abort)
  const calendar = parseCalendar(record.calendar)
  const isKnown = (label: string): boolean => record.partitions.some((one) => one.label === label)
  const labels = named.map((text) => (isKnown(text) ? text : labelNamed(calendar, text)))
  const chosen = labels.map((label) => {
    const partition = record.partitions.find((one) => one.label === label)
    if (partition !== undefined) return partition
    throw new SluiceError('PARTITION_STATE', `${label} of ${tableText(table.table)} is not archived`, {
      hint: 'sluice archive list shows what is',
    })
  })
  if (dryRun) {
    const partitions = chosen.map((known) => ({ label: known.label, status: 'due' as const, candidate: null, known }))
    emitArchivePlan({ table, archived: record, fresh: false, asked: new Set(labels), partitions }, run.emit)
    return { totals: { partitions: dec(chosen.length) } }
  }
  await using open = await openArchive(table, record, opened, run)
  await requireOrigin(open.context)
  const outcomes = await eachPartition(open.context, opened.database, labels, run, async (held, reload) => {
    const begun = run.clock.ticks()
    await restorePartition(open.context, { held, partition: await reload() }, reload)
    const after = await reload()
    run.emit({
      type: 'archive.state',
      table: open.context.name,
      partition: held.label,
      state: after.state,
      ...(after.digest === null ? {} : { rows: dec(after.digest.rows) }),
      ms: Math.round(run.clock.ticks() - begun),
    })
  })
  return endOfArchive(outcomes, run.interrupt.stop.aborted)
}
