/** One table of an archive run: records it in the ledger, and advances each partition as far as the options allow. */
import { PartitionLedger } from '../../ledger/partition-ledger.ts'
import { readArchive } from '../../ledger/record.ts'
import type { AdvanceOptions } from '../../steps/advance.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { asSluiceError, type ErrorCode, type SluiceError } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { advanceAll, type PartitionOutcome } from '../../work/advance-all.ts'
import { openArchive } from '../../work/open.ts'
import { archiveOwner } from '../../work/owner.ts'
import { requireOrigin } from '../../work/require-origin.ts'
import { resumeState, reportResumeState, type ResumeState } from '../../plan/resumable.ts'
import { reportArchive } from '../../work/note-in-archive.ts'
import { planArchive } from '../../plan/plan.ts'
import {
  planContext,
  isProcessed,
  workersOf,
  type ArchiveRun,
  type PlannedArchiveRun,
  type ArchiveTablePlan,
} from './plan.ts'
import { reportTable } from './messages.ts'

type Work = Pick<PlannedArchiveRun, 'operation' | 'run'>

/**
 * Results for the partitions of a table.
 * @property unread message if no partition was due and the archive could not be read; otherwise null
 */
export type ArchivedTableOutcome = { readonly outcomes: readonly PartitionOutcome[]; readonly unread: string | null }

/**
 * @returns an outcome for each partition to process; empty if there was none
 * @throws SluiceError if a new archive cannot be read: its location would be recorded without a test
 */
export async function archiveTable(plan: ArchiveTablePlan, { operation, run }: Work): Promise<ArchivedTableOutcome> {
  const { table, archived, opened } = plan
  const chosen = plan.partitions.filter(isProcessed)
  const standing = chosen.length === 0 ? await checkArchive(plan, run) : null
  const ledger = new PartitionLedger(opened.database, archived.table, archiveOwner(run))
  if (plan.fresh) {
    await ledger.addTable(archived, run.tool)
    // Another run may have created the archive first: then use the location and types of that archive.
    if ((await readArchive(opened.database, archived.table))?.archiveId !== archived.archiveId) {
      const around = { ...planContext(opened, run), name: archived.table }
      return archiveTable({ ...(await planArchive(table, operation, around)), opened }, { operation, run })
    }
  }
  if (standing !== null) {
    await noteColumns(plan, ledger)
    if (standing.kind === 'own') await writeProperties(plan, run)
    return { outcomes: [], unread: standing.kind === 'unread' ? unreadText(plan, standing.error) : null }
  }
  const workers = Math.min(workersOf(plan, operation), chosen.length)
  await using open = await openArchive(table, archived, opened, run, { ...operation, workers })
  await requireOrigin(open.context)
  await noteColumns(plan, ledger)
  for (const { candidate, known } of chosen) {
    if (candidate !== null) await ledger.addPartition(candidate, known?.holder ?? null)
  }
  const { detach, drop } = operation
  const options = (label: string): AdvanceOptions => ({ detach, drop, again: plan.asked.has(label) })
  const labels = chosen.map(({ label }) => label)
  const outcomes = await advanceAll(open.workerContexts, opened.database, labels, options, run)
  // Usually the commits have written the properties. This writes them if a hold command could not, or if an older
  // program made the archive.
  if (!run.interrupt.stop.aborted) await writeProperties(plan, run)
  return { outcomes, unread: null }
}

/** Record the columns in the ledger before the first file has them. */
async function noteColumns({ archived, before }: ArchiveTablePlan, ledger: PartitionLedger): Promise<void> {
  if (before === null || JSON.stringify(before.stored) === JSON.stringify(archived.stored)) return
  await ledger.changeColumns(before.stored.columns, archived)
}

const LOST: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ARCHIVE_FOREIGN', 'ARCHIVE_CONFLICT'])

/**
 * Checks the archive even if no partition is due, so that a scheduled run reports at once that the archive is missing
 * or belongs to another database.
 * @throws SluiceError ARCHIVE_FOREIGN, ARCHIVE_CONFLICT; any error if the archive is new and cannot be read
 */
async function checkArchive(
  { table: { table }, archived, opened, fresh }: ArchiveTablePlan,
  run: ArchiveRun,
): Promise<ResumeState> {
  const standing = await resumeState(archived, opened, run, table)
  const isLost = standing.kind === 'refused' && LOST.has(standing.error.code)
  if (isLost || (standing.kind === 'unread' && fresh)) throw standing.error
  reportResumeState(table, standing, run)
  return standing
}

function unreadText({ table: { table }, archived }: ArchiveTablePlan, { message }: SluiceError): string {
  return `nothing was due in ${tableText(table)}; its archive ${redactUrl(archived.archive)} was not read (${message})`
}

/** Writes the ledger's facts to the archive. A failure only warns: partitions are valid without these properties. */
async function writeProperties(
  { table: { table }, archived, opened }: ArchiveTablePlan,
  run: ArchiveRun,
): Promise<void> {
  try {
    await reportArchive(archived, opened, run, table)
  } catch (thrown) {
    throwIfAborted(run.interrupt.abort)
    const { message } = asSluiceError(thrown)
    const text = `holds, calendar and columns of the ledger are not in the archive yet: ${message}`
    const hint = 'the next run writes them; if the ledger is lost before that, they are lost too'
    reportTable(run, 'warn', archived, text, hint)
  }
}
