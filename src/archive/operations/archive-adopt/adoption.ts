/** Compares an archive with the database, and adopts it partition by partition. */
import { PartitionLedger } from '../../ledger/partition-ledger.ts'
import { repairLog, repairLedger } from '../../steps/repair.ts'
import type { ArchiveContext } from '../../steps/context.ts'
import { readdFiles } from '../../steps/expire.ts'
import { withoutFiles } from '../../steps/files-gone.ts'
import { readPartition, type ArchivedPartition, type ArchiveRecord } from '../../ledger/record.ts'
import { tableProperties } from '../../ledger/table-properties.ts'
import { readArchiveProperties, type ArchiveProperties } from '../../log/properties.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ArchiveFinding } from '../../steps/find-damage.ts'
import type { ArchiveLogState } from '../../steps/log.ts'
import type { archiveAdopt } from './declaration.ts'
import type { RunOf } from '../../../engine/run/run-context.ts'
import { differs, isAcceptable, OF_FILES, repairText } from './differences.ts'
import { compareArchive, type FindCandidate } from '../../plan/compare-archive.ts'
import type { ComparedPartition, Repair } from '../../plan/compared-partition.ts'
import type { OpenedArchive } from '../../work/each-table.ts'
import { archiveOwner } from '../../work/owner.ts'
import { planArchive } from '../../plan/plan.ts'

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
  readonly run: RunOf<typeof archiveAdopt>
}

export class Adoption {
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

/**
 * The finding to report. An unidentified table takes precedence over a damaged file, because the table may be the only
 * copy.
 */
function findingToReport(finding: ArchiveFinding | null, unclear: ArchiveFinding | null): ArchiveFinding | null {
  return finding === null || OF_FILES.has(finding.finding) ? (unclear ?? finding) : finding
}
