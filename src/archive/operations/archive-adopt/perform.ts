/** `archive adopt`: makes this database the owner of an archive, also after a failover. The former owner is refused. */
import { PartitionLedger } from '../../ledger/partition-ledger.ts'
import { isBeingRebuilt } from '../../ledger/rebuilt-ledger.ts'
import { repairLog, repairLedger } from '../../steps/repair.ts'
import type { ArchiveContext } from '../../steps/context.ts'
import { readdFiles } from '../../steps/expire.ts'
import { withoutFiles } from '../../steps/files-gone.ts'
import { isUnpublished, readPartition, type ArchivedPartition, type ArchiveRecord } from '../../ledger/record.ts'
import { tableProperties } from '../../ledger/table-properties.ts'
import { readArchiveProperties, type ArchiveProperties } from '../../log/properties.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { pathOfLocation } from '../../../model/lake/lake-url.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { ArchiveFinding } from '../../steps/find-damage.ts'
import type { ArchiveLogState } from '../../steps/log.ts'
import type { archiveAdopt, ArchiveAdoptOperation } from './declaration.ts'
import { differs, isAcceptable, OF_FILES, repairText } from './differences.ts'
import { compareArchive, type FindCandidate } from '../../plan/compare-archive.ts'
import type { ComparedPartition, Repair } from '../../plan/compared-partition.ts'
import { archiveOf } from '../../work/find-archive.ts'
import { renewWitness } from '../../work/witness.ts'
import { notArchived, openArchiveSource, archivedSourceTable, type OpenedArchive } from '../../work/each-table.ts'
import { isAt } from '../../rebuild/archive-at.ts'
import { rebuildLedger } from '../../rebuild/run.ts'
import { openArchive, openOwned } from '../../work/open.ts'
import { labelNamed } from '../../plan/label-named.ts'
import { archiveOwner } from '../../work/owner.ts'
import { readOnlyArchive } from '../../plan/table-changes.ts'
import { recordIdentities, renumbered } from '../../plan/renumbered.ts'
import { planArchive } from '../../plan/plan.ts'
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
  const table = await archivedSourceTable(source, named, run.interrupt.abort)
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

/**
 * The finding to report. An unidentified table takes precedence over a damaged file, because the table may be the only
 * copy.
 */
function findingToReport(finding: ArchiveFinding | null, unclear: ArchiveFinding | null): ArchiveFinding | null {
  return finding === null || OF_FILES.has(finding.finding) ? (unclear ?? finding) : finding
}

const NOT_READ =
  'files of the archive were compared by their sizes and by the checksums that the log has of them; their bytes were not read: sluice archive verify reads them'

type AdoptionParts = {
  readonly dryRun: boolean
  readonly table: TableSpec
  readonly record: ArchiveRecord
  /** Findings by label: partitions for which several tables may be the detached one. */
  readonly unclear: ReadonlyMap<string, ArchiveFinding>
  /** Labels of partitions that are adopted despite differences. */
  readonly accepted: readonly string[]
  readonly context: ArchiveContext
  readonly opened: OpenedArchive
  readonly run: ArchiveAdoptRun
}

/** Compares an archive with the database, and adopts it partition by partition. */
class Adoption {
  readonly #parts: AdoptionParts
  readonly #ledger: PartitionLedger
  readonly #name: string
  compared: readonly ComparedPartition[] = []
  /** Reasons of holds that are missing in the ledger because they were set after its backup, by label. */
  #missingHolds: ReadonlyMap<string, string> = new Map()

  constructor(parts: AdoptionParts) {
    this.#parts = parts
    this.#ledger = new PartitionLedger(parts.opened.database, parts.record.table, archiveOwner(parts.run))
    this.#name = tableText(parts.table.table)
  }

  /** @returns new properties of the table; null if the ledger lacks the table @throws SluiceError PROOF_FAILED */
  async judge(state: ArchiveLogState): Promise<ArchiveProperties | null> {
    const { record, unclear, accepted, context, opened, run } = this.#parts
    const all: ComparedPartition[] = []
    for await (const one of compareArchive(context, record, state, (label) => this.#candidate(label)))
      all.push({ ...one, finding: findingToReport(one.finding, unclear.get(one.label) ?? null) })
    this.compared = all
    const against = all.flatMap(({ finding }) => (finding === null ? [] : [finding]))
    for (const finding of against) run.emit({ type: 'archive.finding', table: this.#name, ...finding })
    const open = all.filter(({ label, finding }) => finding !== null && !accepted.includes(label))
    const closed = all.filter((one) => one.finding !== null && !isAcceptable(one))
    if (open.length + closed.length > 0) throw differs(this.#name, { all: against.length, open, closed })
    for (const { repair } of all) if (repair !== null) this.#report(repair)
    const own = await tableProperties(opened.database, record.table)
    if (own === null) return null
    const { holds } = readArchiveProperties(state.metadata.configuration ?? {})
    this.#missingHolds = new Map([...holds].filter(([label]) => !own.holds.has(label)))
    return { ...own, holds: new Map([...this.#missingHolds, ...own.holds]) }
  }

  /** Reports how ledger and log are made equal; for missing files, `withoutFiles` reports it. */
  #report(repair: Repair): void {
    const message = repairText(repair, this.#parts.dryRun)
    if (message !== null) this.#parts.run.emit({ type: 'log', level: 'note', table: this.#name, message })
  }

  /** The partition of the source with this label, as a plan would archive it; null if there is none. */
  async #candidate(label: string): Promise<Awaited<ReturnType<FindCandidate>>> {
    const { table, record, opened, run } = this.#parts
    const operation = { partitions: [label], asText: [], drop: false }
    const around = { ...opened, name: record.table, nowMs: run.clock.now(), signal: run.interrupt.abort }
    try {
      return (await planArchive(table, operation, around)).partitions[0]?.candidate ?? null
    } catch (error) {
      if (error instanceof SluiceError && error.kind === 'usage') return null
      throw error
    }
  }

  #isKnown(label: string): boolean {
    return this.#parts.record.partitions.some((one) => one.label === label)
  }

  /** Records the holds that only the archive has. */
  async recordMissingHolds(): Promise<void> {
    for (const [label, reason] of this.#missingHolds) {
      const isKnown = this.#isKnown(label)
      const found = isKnown ? null : await this.#candidate(label)
      if (found !== null) await this.#ledger.addPartition(found)
      const isHere = isKnown || found !== null
      if (isHere) await this.#ledger.hold(label, reason)
      const text = `the archive says that ${label} is held: ${reason}`
      const message = isHere ? text : `${text}; this database does not have the partition`
      this.#parts.run.emit({ type: 'log', level: isHere ? 'note' : 'warn', table: this.#name, message })
    }
  }

  /** Records a partition in the ledger as the log has it. */
  async note({ label, files, fence, repair }: ComparedPartition): Promise<void> {
    const { context, opened, record, run } = this.#parts
    const reload = async (): Promise<ArchivedPartition> => {
      const partition = await readPartition(opened.database, record.table, label)
      if (partition === null) throw new Error(`the ledger no longer has ${label}`)
      return partition
    }
    if (!this.#isKnown(label))
      await this.#ledger.addPartition((await this.#candidate(label)) ?? { label, from: null, to: null, native: null })
    // Repair `gone`: keep the ledger's list of files, so that after a kill the next adopt searches for them again.
    const own = repair?.kind === 'gone' ? repair.partition.files : files
    await context.heads.takeOver(label, own, fence, repair?.kind === 'unnamed' ? repair.outdated : [])
    switch (repair?.kind) {
      case 'gone':
        return withoutFiles(context, label, reload, run.actor)
      case 'unnamed':
        return readdFiles(context, repair.partition, repair.examined, reload)
      case 'later':
        return repairLedger(context, repair.partition, reload)
      case 'left':
        return repairLog(context, repair.partition, reload)
      case undefined:
    }
  }
}

function totalsOf(compared: readonly ComparedPartition[]): Readonly<Record<string, string>> {
  return {
    partitions: dec(compared.length),
    rows: dec(compared.reduce((sum, { proof }) => sum + (proof?.rows ?? 0n), 0n)),
    findings: dec(compared.filter(({ finding }) => finding !== null).length),
  }
}
