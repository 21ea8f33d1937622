/** `archive hold` and `archive release`: set and remove holds on partitions. */
import { destroyedError } from '../../steps/refusals.ts'
import { PartitionLedger } from '../../ledger/partition-ledger.ts'
import type { ArchivedPartition, ArchiveRecord } from '../../ledger/record.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import type { ArchiveProperties } from '../../log/properties.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { archiveHold, ArchiveHoldOperation } from './declaration.ts'
import { archivedTable, openArchiveSource, type OpenedArchive } from '../../work/each-table.ts'
import { askedFor, isAsked } from '../../work/named-partitions.ts'
import { nearestText } from '../../plan/label-named.ts'
import { archiveOwner } from '../../work/owner.ts'
import { planArchive } from '../../plan/plan.ts'
import type { PlannedPartition } from '../../plan/planned-status.ts'
import { reportArchive } from '../../work/note-in-archive.ts'
import { recordCalendar } from '../../plan/record-calendar.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'

type ArchiveHoldRun = RunOf<typeof archiveHold>

/** Hint for a table without an archive: its calendar is not recorded yet, and the meaning of labels depends on it. */
const FIRST_RUN_HINT =
  'run archive run --no-detach once, with the flags of later runs: it publishes, and removes nothing from the table; then hold the partition, and later runs keep it in the table'

/**
 * A partition that the ledger does not have can be held too, if the source has it. The hold is written to the ledger at
 * once, and to the archive as well, because the ledger may be lost.
 * @throws SluiceError NO_SUCH_TABLE, PARTITION_STATE; BAD_FLAG for a label that is not a partition; errors of writing
 * to the archive
 */
export async function performArchiveHold(operation: ArchiveHoldOperation, run: ArchiveHoldRun): Promise<Ending> {
  const { from, table: name, partitions, reason } = operation
  await using source = await openArchiveSource(from, true)
  const { table, record, opened } = await archivedTable(source, name, run.interrupt.abort, FIRST_RUN_HINT)
  const ledger = new PartitionLedger(opened.database, record.table, archiveOwner(run))
  // Find all partitions before the first one is changed.
  const found: Found[] = []
  for (const text of partitions) {
    const known = knownAs(record, text)
    if (known === null) found.push(await findUnrecorded(text, { table, record }, operation, opened, run))
    else {
      refuseSwept(known.parts, table, reason)
      found.push(known)
    }
  }
  const labels = found.flatMap(({ label, parts }) => [label, ...parts.map((part) => part.label)])
  // Remove the hold from the archive first: after a kill in between, the ledger still has the hold.
  if (reason === null) await removeHolds(labels, { table, record, opened, run })
  for (const { label, isPeriod, planned } of found) {
    if (planned !== null) await ledger.addPartition(planned.candidate ?? { label, from: null, to: null, native: null })
    await (isPeriod ? ledger.holdPeriod(label, reason) : ledger.hold(label, reason))
  }
  await writeHolds({ table, record, opened, run }, reason === null ? 'released' : 'held')
  return { totals: { partitions: dec(found.reduce((sum, { parts }) => sum + Math.max(1, parts.length), 0)) } }
}

type About = {
  readonly table: TableSpec
  readonly record: ArchiveRecord
  readonly opened: OpenedArchive
  readonly run: ArchiveHoldRun
}

/** Removes the holds from the archive only. @throws SluiceError as `reportArchive`; then nothing is released */
async function removeHolds(labels: readonly string[], { table, record, opened, run }: About): Promise<void> {
  const change = (properties: ArchiveProperties): ArchiveProperties => ({
    ...properties,
    holds: new Map([...properties.holds].filter(([label]) => !labels.includes(label))),
  })
  try {
    await reportArchive(record, opened, run, table.table, { change })
  } catch (thrown) {
    const error = asSluiceError(thrown)
    throw new SluiceError(error.code, `${named(table)} is not released: the hold is still recorded in the archive`, {
      reason: error.message,
      hint: againText(error),
      retryable: error.retryable,
      cause: thrown,
    })
  }
}

/** Writes the ledger's holds to the archive. @throws SluiceError as `reportArchive`; then only the ledger has them */
async function writeHolds({ table, record, opened, run }: About, what: 'held' | 'released'): Promise<void> {
  try {
    await reportArchive(record, opened, run, table.table)
  } catch (thrown) {
    const error = asSluiceError(thrown)
    throw new SluiceError(
      error.code,
      `${named(table)} is ${what} in the ledger of this database, but not in the archive`,
      {
        reason: error.message,
        hint: `${againText(error)}: until then, a ledger that is rebuilt from the archive lacks this change`,
        retryable: error.retryable,
        cause: thrown,
      },
    )
  }
}

/** Hint that begins with the hint of the original error. */
function againText({ hint }: SluiceError): string {
  const again = 'run the same command again when sluice can write to the archive'
  return hint === undefined ? again : `${hint}; then ${again}`
}

function named({ table }: TableSpec): string {
  return `the selection of ${tableText(table)}`
}

type Found = {
  readonly label: string
  /** True if the label means all parts of a period, also later ones. */
  readonly isPeriod: boolean
  readonly parts: readonly ArchivedPartition[]
  readonly planned: PlannedPartition | null
}

function knownAs({ partitions, calendar }: ArchiveRecord, text: string): Found | null {
  const asked = askedFor(recordCalendar({ calendar }), text, partitions)
  const parts = partitions.filter((one) => isAsked([asked], one))
  return parts.length === 0 ? null : { label: asked.label, isPeriod: asked.whole, parts, planned: null }
}

/** Refuses a hold on a partition whose files are already being destroyed. */
function refuseSwept(parts: readonly ArchivedPartition[], table: TableSpec, reason: string | null): void {
  const swept = reason === null ? undefined : parts.find(({ sweptMs }) => sweptMs !== null)
  if (swept !== undefined) throw destroyedError(tableText(table.table), swept)
}

async function findUnrecorded(
  text: string,
  { table, record }: Pick<About, 'table' | 'record'>,
  { reason }: ArchiveHoldOperation,
  { store, database }: OpenedArchive,
  run: ArchiveHoldRun,
): Promise<Found> {
  if (reason === null) {
    const { label } = askedFor(recordCalendar(record), text, record.partitions)
    const near = nearestText(
      label,
      record.partitions.map((one) => one.label),
    )
    const what = `the ledger has no partition ${label} of ${tableText(table.table)}${near}`
    throw new SluiceError('PARTITION_STATE', what, { hint: 'sluice archive list shows the partitions of the ledger' })
  }
  const asked = { partitions: [text], asText: [], drop: false }
  const around = { store, database, name: record.table, nowMs: run.clock.now(), signal: run.interrupt.abort }
  const [planned] = (await planArchive(table, asked, around)).partitions
  if (planned === undefined) throw new Error(`${text} was planned as nothing`)
  return { label: planned.label, isPeriod: false, parts: [], planned }
}
