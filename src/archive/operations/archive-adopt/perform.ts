/** `archive adopt`: makes this database the owner of an archive, also after a failover. The former owner is refused. */
import { isBeingRebuilt } from '../../ledger/rebuilt-ledger.ts'
import { ErasureLedger } from '../../ledger/erasure-ledger.ts'
import { isUnpublished, type ArchiveRecord } from '../../ledger/record.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { pathOfLocation } from '../../../model/lake/lake-url.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { Adoption } from './adoption.ts'
import type { archiveAdopt, ArchiveAdoptOperation } from './declaration.ts'
import { reportUnknownErasure } from '../../plan/compare-archive.ts'
import type { ComparedPartition } from '../../plan/compared-partition.ts'
import { archiveOf } from '../../work/find-archive.ts'
import { renewWitness } from '../../work/witness.ts'
import { notArchived, oneSourceTable, openArchiveSource, type OpenedArchive } from '../../work/each-table.ts'
import { isAt } from '../../rebuild/archive-at.ts'
import { rebuildLedger } from '../../rebuild/run.ts'
import { archiveOwner } from '../../work/owner.ts'
import { openArchive, openOwned } from '../../work/open.ts'
import { labelNamed } from '../../plan/label-named.ts'
import { readOnlyArchive } from '../../plan/table-changes.ts'
import { recordIdentities, renumbered } from '../../plan/renumbered.ts'
import { ledgerName, originNow } from '../../work/require-origin.ts'
import { recordCalendar } from '../../plan/record-calendar.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'

type ArchiveAdoptRun = RunOf<typeof archiveAdopt>

/**
 * Compares first, and changes nothing if a partition has a difference that was not accepted. A ledger that does not
 * have the archive is rebuilt.
 * @throws SluiceError NO_SUCH_TABLE, PARTITION_STATE, MISSING_CONFIRM, ARCHIVE_CONFLICT; PROOF_FAILED if a partition
 * differs; as `rebuildLedger`
 */
export async function performArchiveAdopt(operation: ArchiveAdoptOperation, run: ArchiveAdoptRun): Promise<Ending> {
  const { from, table: named, confirm, dryRun, to, calendar = {} } = operation
  if (!dryRun && confirm !== named) {
    throw new SluiceError(
      'MISSING_CONFIRM',
      'the adoption stops the previous database from writing into this archive: the name of the table is needed as confirmation',
      {
        hint: `confirm with the table name: --table ${shellQuote(named)} --confirm=${shellQuote(named)}`,
      },
    )
  }
  await using source = await openArchiveSource(from, !dryRun)
  const table = await oneSourceTable(source, named, run.interrupt.abort)
  const { opened, record } = await archiveOf(source, table, run.interrupt.abort)
  const isLost = record === null || isBeingRebuilt(record) || (await isOfAnother(table, record, opened, run))
  if (!isLost) {
    if (to !== undefined) refuseOtherLocation(record, to, table)
    return await takeOver(operation, table, record, opened, run)
  }
  const place = to ?? (record === null ? null : pathOfLocation(record.archive))
  if (place === null) throw notArchived(table, opened.store, 'if its ledger is lost, name the archive: --to FOLDER')
  return await rebuildLedger(table, { ...operation, to: place, calendar }, record, opened, run)
}

/** True if the ledger has published nothing, and the log at that place has the id of another archive. */
async function isOfAnother(
  { table }: TableSpec,
  record: ArchiveRecord,
  opened: OpenedArchive,
  run: ArchiveAdoptRun,
): Promise<boolean> {
  if (!isUnpublished(record)) return false
  const owned = await openOwned(record, opened, run, table)
  const state = await (await owned.log()).state(run.interrupt.abort)
  return state !== null && state.tableId !== record.archiveId
}

function refuseOtherLocation({ archive }: ArchiveRecord, to: string, table: TableSpec): void {
  if (isAt(archive, to, table)) return
  const name = tableText(table.table)
  throw new SluiceError(
    'PLAN_CHANGED',
    `the ledger has another location for the archive of ${name}: ${redactUrl(archive)}`,
    {
      where: name,
      hint: 'remove --to; if the folder was moved, write its new location into migration_archives.archive',
    },
  )
}

async function takeOver(
  { accept, dryRun }: ArchiveAdoptOperation,
  table: TableSpec,
  noted: ArchiveRecord,
  opened: OpenedArchive,
  run: ArchiveAdoptRun,
): Promise<Ending> {
  const { record: seen } = await readOnlyArchive(opened.store, table, noted, run.interrupt.abort)
  await using open = await openArchive(table, seen, opened, run)
  const { context } = open
  const { record, unclear } = await renumbered(context, seen)
  const labels = record.partitions.map(({ label }) => label)
  const accepted = accept.map((text) => labelNamed(recordCalendar(record), text, labels))
  const adoption = new Adoption({
    dryRun,
    table,
    record,
    unclear,
    accepted,
    context,
    opened,
    run,
  })
  const erasures = new ErasureLedger(opened.database, record.table, archiveOwner(run))
  await reportUnknownErasure(context, await erasures.all(), run)
  const log = await context.log()
  if (dryRun) {
    const state = await log.state(run.interrupt.abort)
    if (state !== null) await adoption.judge(state)
    return { totals: totalsOf(adoption.compared), notChecked: NOT_READ }
  }
  const info = { table: tableText(table.table), run: run.runId }
  const origin = await originNow(context)
  const ledger = ledgerName(record.ledger ?? null, opened.store, origin)
  const { version } = await log.adopt(
    { tableId: record.archiveId, info, ledger },
    (state) => adoption.judge(state),
    async (head, next, sha256) => {
      if (record !== seen) await recordIdentities(opened.database, record)
      await adoption.recordMissingHolds()
      await context.heads.begin(head, next, sha256, ledger)
    },
    run.interrupt.abort,
  )
  for (const one of adoption.compared) await adoption.note(one)
  // Last step. After a kill before it, this database is still refused, so the user can run adopt again.
  await context.heads.setOrigin(origin)
  // The stored witness may name the former database, and cannot be converted: record a new one.
  await renewWitness(opened, table, record, run)
  return { totals: { ...totalsOf(adoption.compared), version: dec(version) }, proof: 'canonical', notChecked: NOT_READ }
}

const NOT_READ =
  'files of the archive were compared by their sizes and by the checksums that the log has of them; their bytes were not read: sluice archive verify reads them'

function totalsOf(compared: readonly ComparedPartition[]): Readonly<Record<string, string>> {
  return {
    partitions: dec(compared.length),
    rows: dec(compared.reduce((sum, { proof }) => sum + (proof?.rows ?? 0n), 0n)),
    findings: dec(compared.filter(({ finding }) => finding !== null).length),
  }
}
