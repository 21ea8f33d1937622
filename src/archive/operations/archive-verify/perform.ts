/** `archive verify`: reads a whole archive and compares it with its recorded proof, and with rows of the source. */
import { findings, isUnread, type ArchiveFinding, type UnendedStep } from '../../steps/find-damage.ts'
import { planCommand, restoreCommand, runCommand } from '../../steps/refusals.ts'
import { readPartition, type ArchivedPartition, type ArchiveRecord } from '../../ledger/record.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { archiveVerify, ArchiveVerifyOperation } from './declaration.ts'
import { openArchiveSource, recordsOf, tableNow, reportUnreadLedgers, type RecordOf } from '../../work/each-table.ts'
import { originNow, otherDatabase } from '../../work/require-origin.ts'
import { readOnlyArchive } from '../../plan/table-changes.ts'
import { periodSums } from '../../plan/period-sum.ts'
import { reportDoubt } from '../../steps/unsure-columns.ts'
import { reportResumeState } from '../../plan/resumable.ts'
import { askedFor, isAsked, isNamedPart } from '../../work/named-partitions.ts'
import { nearestText } from '../../plan/label-named.ts'
import { openArchive } from '../../work/open.ts'
import { PlanCounts } from '../../plan/counted.ts'
import { sourceFindings } from '../../plan/source-findings.ts'
import { recordCalendar } from '../../plan/record-calendar.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { parquetRows } from '../../../engine/run/registry.ts'
import { firstOf } from '../../../shared/first-of.ts'
import { countText } from '../../../shared/figures.ts'
import { compareArchiveCheckpoints } from '../../log/compare-checkpoint.ts'
import { compareArchiveCommits, type ArchiveCommitsByState } from '../../log/compare-commits.ts'
import type { ArchiveContext } from '../../steps/context.ts'

type ArchiveVerifyRun = RunOf<typeof archiveVerify>

/** @property notCompared messages about commits and checkpoints that were not compared */
type ComparedLog = { readonly findings: readonly ArchiveFinding[]; readonly notCompared: readonly string[] }

/** Counts and findings of all archives. */
type Verified = {
  checked: number
  files: number
  rows: bigint
  findings: number
  late: number
  /** Command that shows what a run does with late rows of the first table that has any. */
  latePlan: string | null
  /** Findings about rows of the database, late rows included: they are no damage of the archive. */
  inSource: number
  /** Command that shows what a restore does with rows of the first such finding other than late rows. */
  compare: string | null
  /** Error of the first archive that was not read to its end. */
  unread: SluiceError | null
  readonly inspected: PlanCounts
  readonly foreign: string[]
  /** Hints for findings other than damaged files. */
  readonly hints: Set<string>
  readonly notCompared: string[]
  readonly changedPartitions: Set<string>
}

/** @throws SluiceError NO_SUCH_TABLE, CONNECT_FAILED */
export async function performArchiveVerify(operation: ArchiveVerifyOperation, run: ArchiveVerifyRun): Promise<Ending> {
  await using source = await openArchiveSource(operation.from, false)
  if (operation.tables.length === 0) await reportUnreadLedgers(source, run)
  const records = await recordsOf(source, operation.tables, run.interrupt.abort)
  refuseUnknown(
    records.map(({ record }) => record),
    operation.partitions,
  )
  const counts = { checked: 0, files: 0, rows: 0n, findings: 0, late: 0, latePlan: null, inSource: 0, compare: null }
  const verified: Verified = {
    ...counts,
    unread: null,
    inspected: new PlanCounts(),
    foreign: [],
    hints: new Set(),
    notCompared: [],
    changedPartitions: new Set(),
  }
  for (const one of records) {
    if (run.interrupt.stop.aborted) break
    await verifyOne(one, operation, run, verified)
  }
  return endingOf(verified, operation, run.interrupt.stop.aborted)
}

/** Reads the wanted partitions of an archive, their commits, their periods and the rows of the source. */
async function verifyOne(
  { name: called, record: noted, opened }: RecordOf,
  operation: ArchiveVerifyOperation,
  run: ArchiveVerifyRun,
  verified: Verified,
): Promise<void> {
  const name = tableText(called)
  const table = await tableNow(opened, called, run.interrupt.abort)
  const { record, unsure } = await readOnlyArchive(opened.store, table, noted, run.interrupt.abort)
  reportDoubt(table, unsure, record.partitions, run)
  await using open = await openArchive(table, record, opened, run, { reads: true })
  const other = otherDatabase(open.context, await originNow(open.context))
  if (other !== null) reportResumeState(called, { kind: 'refused', error: other }, run)
  const damaged = new Set<string>()
  const reported = (finding: ArchiveFinding): void => {
    verified.findings++
    countSource(verified, name, finding)
    if (finding.finding === 'foreign archive') verified.foreign.push(name)
    const hint = hintOf(finding, name, record.partitions)
    if (hint !== null) verified.hints.add(hint)
    if (finding.partition !== undefined) damaged.add(finding.partition)
    run.emit({ type: 'archive.finding', table: name, ...finding })
  }
  // If another command has changed the partition since the ledger was read, the finding is not valid.
  const unlessMoved = async (partition: string | undefined, report: () => void): Promise<void> => {
    const moved = partition !== undefined && (await hasMoved(opened.database, record, partition))
    if (moved) verified.changedPartitions.add(`${partition} of ${name}`)
    else report()
  }
  const reportedUnlessMoved = (finding: ArchiveFinding): Promise<void> =>
    unlessMoved(finding.partition, () => reported(finding))
  const expired = new Set(record.partitions.filter(({ state }) => state === 'EXPIRED').map(({ label }) => label))
  const calendar = recordCalendar(record)
  const asked = operation.partitions.map((text) => askedFor(calendar, text, record.partitions))
  const wanted = (label: string): boolean =>
    isNamedPart(asked, record.partitions.find((one) => one.label === label) ?? { label, period: label })
  const isWanted = ({ label }: { readonly label: string }): boolean => wanted(label)
  try {
    for await (const step of findings(open.context, record, wanted, run.interrupt)) {
      // A sweep may have destroyed the files of an expired partition meanwhile.
      if ('finding' in step && expired.has(step.partition ?? '')) await reportedUnlessMoved(step)
      else if ('finding' in step) reported(step)
      else if ('unended' in step)
        await unlessMoved(step.unended.label, () => void verified.notCompared.push(unendedText(name, step)))
      else {
        verified.checked++
        verified.files += step.files
        verified.rows += step.rows
      }
    }
  } catch (thrown) {
    throwIfAborted(run.interrupt.abort)
    if (!isUnread(open.context, thrown)) throw thrown
    verified.unread ??= asSluiceError(thrown)
    verified.notCompared.push(`the archive of ${name} was not read to its end: ${asSluiceError(thrown).message}`)
    return
  }
  const isForeign = other !== null || verified.foreign.includes(name)
  for (const compared of [await changedCommits(open.context, isForeign), await changedCheckpoints(open.context)]) {
    compared.findings.forEach(reported)
    verified.notCompared.push(...compared.notCompared)
  }
  for await (const found of periodSums(open.context, record, isWanted, damaged)) {
    if ('finding' in found) reported(found)
    else run.emit({ type: 'log', level: found.isChecked ? 'note' : 'warn', table: name, message: found.text })
  }
  const ofSource = sourceFindings(open.context, record, isWanted, operation.deep, verified.inspected)
  for await (const found of ofSource) await reportedUnlessMoved(found)
}

/** What is there after a step that changes the log was refused or killed, and the command that ends it. */
function unendedText(name: string, { unended, logged }: UnendedStep): string {
  const { label, state } = unended
  const files = countText(BigInt(logged), 'file')
  const command =
    state === 'RESTORED'
      ? restoreCommand(name, unended)
      : state === 'EXPIRED'
        ? 'the same command of archive expire'
        : runCommand(name, unended)
  return `the log of ${name} names ${files} of ${label}, whose state in the ledger is ${state}: a step has not ended, and other readers of the archive read these rows; unless a program works on it now, ${command} ends it`
}

function endingOf(verified: Verified, { deep }: ArchiveVerifyOperation, stopped: boolean): Ending {
  const { changedPartitions, unread } = verified
  const totals = {
    checked: dec(verified.checked),
    files: dec(verified.files),
    rows: dec(verified.rows),
    findings: dec(verified.findings),
  }
  const notJudged =
    changedPartitions.size === 0
      ? []
      : [`${[...changedPartitions].join(', ')} changed in the ledger while they were read`]
  const sentences = [
    ...verified.notCompared,
    ...notJudged,
    ...Object.values(verified.inspected.notChecked(deep ? '' : DEEP)),
  ]
  const notChecked = sentences.length === 0 ? {} : { notChecked: sentences.join('; ') }
  // No proof if nothing was read.
  const proof = stopped || verified.checked === 0 ? {} : { proof: 'canonical' }
  if (verified.findings === 0 && unread !== null) return { totals, ...notChecked, error: unread }
  if (verified.findings === 0) return { totals, ...notChecked, ...(stopped ? { stopped } : {}), ...proof }
  const error = verified.inSource === verified.findings ? sourceError(verified) : damageError(verified)
  return { totals, ...notChecked, error, ...(stopped ? { stopped } : {}) }
}

/**
 * Commits of an archive's log that differ from the commits that this ledger wrote.
 * @param isForeign true if another ledger has continued the log: it may have written the differing commits, so these
 * are not findings
 * @throws SluiceError if the ledger cannot be read
 */
async function changedCommits(
  { heads, reader, interrupt, name }: Pick<ArchiveContext, 'heads' | 'reader' | 'interrupt' | 'name'>,
  isForeign: boolean,
): Promise<ComparedLog> {
  const sums = await heads.checksums()
  let compared: ArchiveCommitsByState
  try {
    compared = await compareArchiveCommits(reader, sums, interrupt.abort)
  } catch (thrown) {
    throwIfAborted(interrupt.abort)
    const { message } = asSluiceError(thrown)
    return { findings: [], notCompared: [`commits in the log of ${name} were not compared: ${message}`] }
  }
  const { equal, differing, unknown, gone } = compared
  const uncompared = unknown.length + (isForeign ? differing.length : 0)
  const all = equal.length + differing.length + unknown.length
  const detail = (version: number): string =>
    `the commit of version ${version} is not what this ledger wrote: its sha256 differs`
  return {
    findings: isForeign ? [] : differing.map((version) => ({ finding: 'broken log', detail: detail(version) })),
    notCompared: [
      ...(uncompared === 0
        ? []
        : [
            `${uncompared} of ${all} commits of the log of ${name} were not compared: an older sluice or another ledger wrote them`,
          ]),
      // Programs that clean a log remove commits below a checkpoint. If the log needs one, `findings` has said so.
      ...(gone.length === 0
        ? []
        : [`commits that this ledger wrote are gone from the log of ${name}: ${firstOf(gone, MOST_NAMED)}`]),
    ],
  }
}

/** Checkpoints that differ from the commits. */
async function changedCheckpoints({
  reader,
  interrupt,
  name,
}: Pick<ArchiveContext, 'reader' | 'interrupt' | 'name'>): Promise<ComparedLog> {
  const wrong: ArchiveFinding[] = []
  const notCompared: string[] = []
  try {
    for (const one of await compareArchiveCheckpoints({ store: reader, parquet: parquetRows }, interrupt.abort)) {
      const { version, kind } = one
      if (kind === 'uncompared')
        notCompared.push(`checkpoint ${version} of the log of ${name} was not compared: the commits before it are gone`)
      else if (kind === 'unreadable') wrong.push({ finding: 'broken log', detail: one.error.message })
      else if (one.differing.length > 0) {
        const detail = `checkpoint ${version} differs from the commits in ${firstOf(one.differing, MOST_NAMED)}`
        wrong.push({ finding: 'broken log', detail })
      }
    }
  } catch (thrown) {
    throwIfAborted(interrupt.abort)
    notCompared.push(`checkpoints of the log of ${name} were not compared: ${asSluiceError(thrown).message}`)
  }
  return { findings: wrong, notCompared }
}

/** True if the partition's state in the ledger has changed since the record was read. */
async function hasMoved(database: LedgerDatabase, record: ArchiveRecord, label: string): Promise<boolean> {
  const then = record.partitions.find((one) => one.label === label)
  const now = await readPartition(database, record.table, label)
  const stand = (one: ArchivedPartition | null | undefined): unknown =>
    one == null
      ? null
      : [one.state, one.away, one.leaving, one.restoring, one.retracted, one.sweptMs, one.native?.identity ?? null]
  return JSON.stringify(stand(then)) !== JSON.stringify(stand(now))
}

function damageError({ findings: all, inSource, hints }: Verified): SluiceError {
  const found = all - inSource
  const what =
    found === 1 ? 'part of the archive differs from its proof' : 'parts of the archive differ from their proofs'
  return new SluiceError('PROOF_FAILED', `${found} ${what}`, {
    ...(inSource === 0 ? {} : { reason: differencesText(inSource) }),
    hint: `nothing was changed; ${[...hints, REPAIR_HINT].join('; ')}`,
  })
}

/** Error: no damage was found, but the database has other rows than expected. */
function sourceError({ late, latePlan, inSource, compare, checked }: Verified): SluiceError {
  const [periods, partitions] = [late === 1 ? 'period has' : 'periods have', checked === 1 ? 'partition' : 'partitions']
  const message = late === inSource ? `${late} archived ${periods} late rows in the table` : differencesText(inSource)
  return new SluiceError('PROOF_FAILED', message, {
    ...(checked === 0
      ? {}
      : { reason: `the ${checked} ${partitions} that were read are unchanged since they were proved` }),
    hint: `nothing was changed; ${compare === null ? `${latePlan ?? ''} shows what a run does with late rows` : `${compare} shows what a restore does with these rows`}`,
  })
}

function differencesText(many: number): string {
  return `${countText(many, 'difference')} between archived periods and the database`
}

const SOURCE_FINDINGS: ReadonlySet<ArchiveFinding['finding']> = new Set<ArchiveFinding['finding']>([
  'late rows',
  'changed rows',
  'deleted rows',
  'differs from the source',
])

/** Counts a finding about rows of the database. */
function countSource(verified: Verified, name: string, { finding, partition }: ArchiveFinding): void {
  if (!SOURCE_FINDINGS.has(finding)) return
  verified.inSource++
  if (finding === 'late rows') {
    verified.late++
    verified.latePlan ??= planCommand(name)
  } else if (partition !== undefined) verified.compare ??= restoreCommand(name, { label: partition }, '--dry-run')
}

const REPAIR_HINT =
  'restore damaged files from a backup, or archive the partition again if its rows are still in the source'

function hintOf(
  { finding, partition }: ArchiveFinding,
  name: string,
  partitions: readonly ArchivedPartition[],
): string | null {
  const adopt = `sluice archive adopt --table ${shellQuote(name)} --confirm=${shellQuote(name)}`
  if (finding === 'foreign archive')
    return `if this database is a copy, first copy the folder of the archive, and write its new location into migration_archives.archive; then, or after a failover, a restore or a move of the database, run ${adopt}`
  if (finding === 'broken log')
    return `if the log of ${name} is broken, restore its missing commits from a backup of the archive, and a checkpoint that differs: until then, query and restore --into work without them`
  if (finding === 'other bounds')
    return `write the bounds that the log has, or, if they exclude rows, bounds that include all of them, into from_bound and to_bound of migration_archive_partitions: until then, query may leave out rows of ${name}`
  const isRestored = partitions.some(({ label, state }) => label === partition && state === 'RESTORED')
  return finding === 'not in the ledger' && isRestored
    ? `${adopt} removes from the log the files of partitions that the ledger calls RESTORED`
    : null
}

/** Maximum number of commits or parts of a checkpoint that a text names. */
const MOST_NAMED = 4
const DEEP = 'sluice archive verify --deep compares values'

/** Refuses unknown names: the user would believe that they were verified. @throws SluiceError PARTITION_STATE */
function refuseUnknown(records: readonly ArchiveRecord[], texts: readonly string[]): void {
  const known = records.flatMap(({ partitions }) => partitions.map(({ label }) => label))
  for (const text of texts) {
    const asked = records.map(({ calendar, partitions }) => askedFor(recordCalendar({ calendar }), text, partitions))
    if (records.some(({ partitions }) => partitions.some((one) => isAsked(asked, one)))) continue
    const label = asked[0]?.label ?? text
    throw new SluiceError('PARTITION_STATE', `no ledger has a partition ${label}${nearestText(label, known)}`, {
      hint: 'sluice archive list shows the partitions of the ledgers; without --partition, all partitions of the ledger and of the log are verified',
    })
  }
}
