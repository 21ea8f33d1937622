/** One table of an archive run: noted in the ledger, and each of its partitions brought as far as it may go. */
import { PartitionLedger } from '../../ledger/partition-ledger.ts'
import { readArchive } from '../../ledger/record.ts'
import type { Wish } from '../../steps/advance.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { asSluiceError, type ErrorCode } from '../../../shared/errors.ts'
import { advanceAll, type Outcome } from '../../work/advance-all.ts'
import { openArchive } from '../../work/open.ts'
import { ownerOf } from '../../work/owner.ts'
import { requireOrigin } from '../../work/require-origin.ts'
import { standingOf, tellStanding } from '../../plan/resumable.ts'
import { tellArchive } from '../../work/note-in-archive.ts'
import { planArchive } from '../../plan/plan.ts'
import { aroundOf, moves, workersOf, type ArchiveRun, type Planned, type TablePlan } from './plan.ts'
import { tell } from './tell.ts'

type Work = Pick<Planned, 'operation' | 'run'>

/** @returns what became of each partition that was to move; none where there was none */
export async function archiveTable(plan: TablePlan, { operation, run }: Work): Promise<readonly Outcome[]> {
  const { table, archived, opened } = plan
  const ledger = new PartitionLedger(opened.database, archived.table, ownerOf(run))
  if (plan.fresh) {
    await ledger.addTable(archived, run.tool)
    // Another run may have been first: then this is its archive, with its place and its types.
    if ((await readArchive(opened.database, archived.table))?.archiveId !== archived.archiveId) {
      const around = { ...aroundOf(opened, run), name: archived.table }
      return archiveTable({ ...(await planArchive(table, operation, around)), opened }, { operation, run })
    }
  }
  const chosen = plan.partitions.filter(moves)
  if (chosen.length === 0) {
    const isOwn = await lookAtStanding(plan, run)
    await noteColumns(plan, ledger)
    if (isOwn) await tellAtLast(plan, run)
    return []
  }
  const workers = Math.min(workersOf(plan, operation), chosen.length)
  await using open = await openArchive(table, archived, opened, run, { ...operation, workers })
  await requireOrigin(open.context)
  await noteColumns(plan, ledger)
  for (const { candidate, known } of chosen) {
    if (candidate !== null) await ledger.addPartition(candidate, known?.holder ?? null)
  }
  const { detach, drop } = operation
  const wish = (label: string): Wish => ({ detach, drop, again: plan.asked.has(label) })
  const labels = chosen.map(({ label }) => label)
  const outcomes = await advanceAll(open.lanes, opened.database, labels, wish, run)
  // Most often its commits have said it: a hold whose command could not write the archive, or an archive of an older program, is told here.
  if (!run.interrupt.stop.aborted) await tellAtLast(plan, run)
  return outcomes
}

/** The ledger knows the columns before the first file has them. */
async function noteColumns({ archived, before }: TablePlan, ledger: PartitionLedger): Promise<void> {
  if (before === null || JSON.stringify(before.stored) === JSON.stringify(archived.stored)) return
  await ledger.changeColumns(before.stored.columns, archived)
}

const LOST: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ARCHIVE_FOREIGN', 'ARCHIVE_CONFLICT'])

/**
 * A run that goes by itself says at once that an archive is not this database's, or has gone, and not when something is due.
 * @returns whether the archive could be read, and is this database's
 * @throws SluiceError ARCHIVE_FOREIGN, ARCHIVE_CONFLICT
 */
async function lookAtStanding({ archived, opened }: TablePlan, run: ArchiveRun): Promise<boolean> {
  const standing = await standingOf(archived, opened, run)
  if (standing.kind === 'refused' && LOST.has(standing.error.code)) throw standing.error
  tellStanding(archived, standing, run)
  return standing.kind === 'own'
}

/** What was archived stands, whether or not the archive says all that the ledger says of it. */
async function tellAtLast({ archived, opened }: TablePlan, run: ArchiveRun): Promise<void> {
  try {
    await tellArchive(archived, opened, run)
  } catch (thrown) {
    throwIfAborted(run.interrupt.abort)
    const { message } = asSluiceError(thrown)
    const text = `the archive does not say yet what the ledger says of holds, calendar and columns: ${message}`
    const hint = 'the next run tells it; until then a ledger that is lost loses that, too'
    tell(run, 'warn', archived, text, hint)
  }
}
