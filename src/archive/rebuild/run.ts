/**
 * Rebuilds a lost ledger from an archive: reads each partition of the log and compares it with the rows in the source.
 * Then the archive belongs to this database, as after any adoption.
 */
import { writeRebuilt } from '../ledger/rebuilt-ledger.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import type { ArchiveContext } from '../steps/context.ts'
import { damageOf, type ArchiveFinding } from '../steps/find-damage.ts'
import type { RemovedFiles, ArchiveLogState } from '../steps/log.ts'
import { byPeriod } from '../ledger/parts.ts'
import type { TokenStore } from '../log/ownership-token.ts'
import { columnsName, type ArchiveProperties } from '../log/properties.ts'
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import { dec } from '../../model/run/event.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import { redactUrl } from '../../shared/redact.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { NativePartitions } from '../../model/archive/port.ts'
import { recordCalendar } from '../plan/record-calendar.ts'
import type { Ending, Run } from '../../engine/run/run-context.ts'
import type { OpenedArchive } from '../work/each-table.ts'
import { ErasureLedger } from '../ledger/erasure-ledger.ts'
import { reportUnknownErasure } from '../plan/compare-archive.ts'
import { labelNamed } from '../plan/label-named.ts'
import { boundFields } from '../plan/bound-fields.ts'
import { lateRows } from '../plan/late-rows.ts'
import { nativesFor } from '../plan/plan.ts'
import { openArchive } from '../work/open.ts'
import { archiveOwner } from '../work/owner.ts'
import { ledgerName, originNow } from '../work/require-origin.ts'
import { archiveAt, type FoundArchive } from './archive-at.ts'
import { labelsOf, loggedPartition } from './logged.ts'
import type { UnpublishedPartition } from './restored.ts'
import { recordedArchive, type RecordedArchive, type RebuildOptions } from './recorded-archive.ts'
import { unpublished, readdToLog } from './unpublished.ts'
import { locateRows, type RebuildContext } from './locate-rows.ts'

type Events = 'archived' | 'archive.finding' | 'archive.progress' | 'log'

export type Rebuilding = RebuildOptions & {
  readonly to: string
  /** Labels of partitions whose rows in the source may differ from the archived ones. */
  readonly accept: readonly string[]
  readonly dryRun: boolean
}

/**
 * Result of the comparison.
 * @property partitions partitions for the new ledger
 * @property findings number of findings
 * @property compared number of archived rows that were compared with the source
 */
type Found = { readonly partitions: readonly ArchivedPartition[]; readonly findings: number; readonly compared: bigint }

/**
 * @param before ledger rows of a killed rebuild, or of a run that found a different archive at the location; null if
 * the ledger does not have the table
 * @throws SluiceError NO_LOG, ARCHIVE_CONFLICT, BAD_FLAG, PLAN_CHANGED; PROOF_FAILED if a partition differs: then
 * nothing was changed
 */
export async function rebuildLedger(
  table: TableSpec,
  options: Rebuilding,
  before: ArchiveRecord | null,
  opened: OpenedArchive,
  run: Run<Events>,
): Promise<Ending> {
  const { abort } = run.interrupt
  const { store, database } = opened
  const found = await archiveAt(options.to, table, opened, run)
  const natives = (await store.offers.partitions?.list(table, abort)) ?? null
  const read = (state: ArchiveLogState): Promise<RecordedArchive> =>
    recordedArchive(table, { ...found, state }, options, natives, { store, signal: abort })
  const first = await read(found.state)
  const units = await nativesFor(store, table, first.present, abort)
  // Accept any ownership token of the log until this ledger has its own.
  let head = found.state.head
  let isOwned = false
  const heads: Pick<TokenStore, 'read'> = {
    read: async () => {
      if (isOwned) return context.heads.read()
      return head === null ? [] : [{ head, version: found.state.version, state: 'left' as const }]
    },
  }
  await using open = await openArchive(table, first.present, opened, run, { reads: true, heads })
  const { context } = open
  await reportUnknownErasure(context, await new ErasureLedger(database, table.table, archiveOwner(run)).all(), run)
  const log = await context.log()
  let last: (Found & { readonly said: RecordedArchive; readonly state: ArchiveLogState }) | null = null
  const judge = async (state: ArchiveLogState): Promise<ArchiveProperties | null> => {
    head = state.head
    const said = await read(state)
    const seen = { ...found, state }
    const inspected = await comparedWith({ ...context, archived: said.present }, seen, said, {
      natives: units,
      before,
      options,
      run,
    })
    last = { said, state, ...inspected }
    return propertiesOf(said, inspected.partitions)
  }
  const totals = (): Readonly<Record<string, string>> => {
    const { partitions = [], findings = 0, compared = 0n } = last ?? {}
    return { partitions: dec(partitions.length), rows: dec(compared), findings: dec(findings) }
  }
  if (options.dryRun) {
    await judge(found.state)
    return { totals: totals() }
  }
  const owner = archiveOwner(run)
  const origin = await originNow(context)
  const name = ledgerName(before?.ledger ?? null, store, origin)
  const { version } = await log.adopt(
    { tableId: found.state.tableId, info: { table: context.name, run: run.runId }, ledger: name },
    judge,
    async (next, at, sha256) => {
      if (last === null) throw new Error('nothing was compared')
      const record = { ...last.said.noted, partitions: last.partitions }
      const work = { tool: run.tool, runId: owner.runId, replaces: before?.archiveId ?? null }
      // A rebuilt ledger did not write any of the existing commits.
      await context.heads.forget([...(await context.heads.checksums()).keys()])
      await writeRebuilt(database, record, work, context.heads.beginning(next, at, sha256, name))
    },
    abort,
  )
  isOwned = true
  if (last !== null) await readdToLog(context, database, last)
  // Last step: after a kill before it, the next adopt rebuilds the ledger again.
  await context.heads.setOrigin(origin)
  reportLost(last, run, context.name)
  const rebuilt = totals()['partitions'] ?? '0'
  return { totals: { ...totals(), rebuilt, version: dec(version) }, proof: 'canonical' }
}

type ComparisonContext = {
  readonly natives: NativePartitions | null
  readonly before: ArchiveRecord | null
  readonly options: Rebuilding
  readonly run: Run<Events>
}

/** @throws SluiceError PROOF_FAILED if a partition differs and was not accepted */
async function comparedWith(
  context: ArchiveContext,
  { archive, state }: FoundArchive,
  said: RecordedArchive,
  { natives, before, options: requests, run }: ComparisonContext,
): Promise<Found> {
  const { name } = context
  const partitions: ArchivedPartition[] = []
  let [findings, standing, compared] = [0, 0, 0n]
  // Keep holds of the ledger: one may have been set after a rebuild was killed.
  const held = new Map((before?.partitions ?? []).map((one) => [one.label, one.held]))
  const labels = [...labelsOf(name, state, said)].toSorted()
  const all = await comparedLabels(context, labels, { state, said, natives, late: lateRows(context, said.present) })
  const calendar = recordCalendar(said.present)
  const accept = requests.accept.map((text) => labelNamed(calendar, text, labels))
  const differing: string[] = []
  for (const label of labels) {
    const { finding, partition, gone, ...seen } = all.get(label) ?? NOTHING
    const isAccepted = partition !== null && accept.includes(label)
    for (const one of finding) run.emit({ type: 'archive.finding', table: name, ...one })
    findings += finding.length
    if (finding.length > 0 && !isAccepted) {
      standing += finding.length
      if (partition !== null) differing.push(`${label} is ${partition.state}`)
      continue
    }
    if (partition === null) {
      const what = gone ?? 'the log describes none of its files, and its table does not exist'
      const message = `${label} is not in the new ledger: it was archived before, and ${what}`
      run.emit({ type: 'log', level: 'warn', table: name, message })
      continue
    }
    const noted = { ...partition, held: partition.held ?? held.get(label) ?? null }
    partitions.push(noted)
    compared += seen.compared
    report(name, archive, said.present, noted, run)
  }
  if (standing > 0) throw differs(name, standing, differing)
  return { partitions, findings, compared }
}

const NOTHING: UnpublishedPartition = { finding: [], partition: null, compared: 0n }
type Sides = RebuildContext & { readonly state: ArchiveLogState; readonly said: RecordedArchive }

/** Compares all labels with the source. Findings without a partition cannot be accepted. */
async function comparedLabels(
  context: ArchiveContext,
  labels: readonly string[],
  sides: Sides,
): Promise<ReadonlyMap<string, UnpublishedPartition>> {
  const { state, said } = sides
  const all = new Map<string, UnpublishedPartition>()
  const sound: ArchivedPartition[] = []
  for (const label of labels) {
    const files = state.files.get(label)
    if (files === undefined) continue
    const logged = loggedPartition(context.name, label, files, state, said)
    if ('finding' in logged) {
      all.set(label, { ...NOTHING, finding: [logged] })
      continue
    }
    const { finding, partition } = await readAllFiles(context, logged)
    if (finding.length > 0) all.set(label, { ...NOTHING, finding })
    else sound.push(partition)
  }
  for (const parts of byPeriod(sound).values()) {
    for (const [label, found] of await locateRows(context, parts, sides)) {
      const partition = 'partition' in found ? found.partition : (found.accepted ?? null)
      const finding = 'finding' in found ? [found.finding] : []
      all.set(label, { finding, partition, compared: partition?.digest?.rows ?? 0n })
    }
  }
  const rest = labels.filter((label) => !state.files.has(label))
  const departed =
    rest.length === 0
      ? new Map<string, RemovedFiles>()
      : await (await context.log()).removedPartitions(context.interrupt.abort)
  for (const label of rest) all.set(label, await unpublished(context, label, departed.get(label), sides))
  return all
}

/** Reads all bytes and rows of the files, and adds ETags to the partition's files. */
async function readAllFiles(
  context: ArchiveContext,
  logged: ArchivedPartition,
): Promise<{ readonly finding: readonly ArchiveFinding[]; readonly partition: ArchivedPartition }> {
  const before = await etagsOf(context, logged.files)
  const finding = await damageOf(context, logged)
  const after = await etagsOf(context, logged.files)
  const files = logged.files.map((file): ArchivedFile => {
    const etag = before.get(file.path)
    // Equal ETags before and after: this is the ETag of the bytes that were read.
    return etag !== undefined && etag === after.get(file.path) ? { ...file, etag } : file
  })
  return { finding, partition: { ...logged, files } }
}

async function etagsOf(
  { reader, writer, interrupt }: ArchiveContext,
  files: readonly ArchivedFile[],
): Promise<ReadonlyMap<string, string>> {
  if (writer.folder !== null) return new Map()
  const etags = new Map<string, string>()
  for (const { path } of files) {
    const etag = (await reader.head(path, interrupt.abort))?.etag ?? null
    if (etag !== null) etags.set(path, etag)
  }
  return etags
}

function propertiesOf({ noted, said }: RecordedArchive, partitions: readonly ArchivedPartition[]): ArchiveProperties {
  const { calendar, timeColumn, graceMs, retentionMs, stored } = noted
  return {
    calendar,
    timeColumn,
    graceMs,
    retentionMs,
    stored,
    holds: new Map(partitions.flatMap(({ label, held }) => (held === null ? [] : [[label, held] as const]))),
    columns: new Map([...said.columns, ...partitions.map(({ columns }) => [columnsName(columns), columns] as const)]),
  }
}

function report(
  table: string,
  archive: string,
  cut: RecordedArchive['present'],
  one: ArchivedPartition,
  { emit }: Run<Events>,
): void {
  const bytes = one.files.reduce((sum, file) => sum + file.bytes, 0n)
  emit({
    type: 'archived',
    table,
    partition: one.label,
    state: one.state,
    archive: redactUrl(archive),
    ...boundFields(cut, one),
    ...(one.digest === null ? {} : { rows: dec(one.digest.rows) }),
    ...(one.files.length === 0 ? {} : { files: dec(one.files.length), bytes: dec(bytes) }),
    ...(one.version === null ? {} : { version: dec(one.version) }),
    ...(one.held === null ? {} : { held: one.held }),
  })
}

/** Warns about definitions of dropped partitions: no archive has them, so a restore does not create them. */
function reportLost(
  last: { readonly partitions: readonly ArchivedPartition[] } | null,
  { emit }: Run<Events>,
  table: string,
): void {
  const gone = (last?.partitions ?? []).filter(({ state, native }) => state === 'DROPPED' && native !== null)
  if (gone.length === 0) return
  const message = `local indexes, triggers and grants of ${gone.length === 1 ? 'a dropped partition' : `${gone.length} dropped partitions`} were only in the old ledger: a restore creates only those of the table`
  emit({ type: 'log', level: 'warn', table, message })
}

/** @param differing texts with the label and state of each partition that can be accepted */
function differs(name: string, standing: number, differing: readonly string[]): SluiceError {
  const what = standing === 1 ? '1 difference is' : `${standing} differences are`
  return new SluiceError('PROOF_FAILED', `the archive of ${name} cannot be adopted: ${what} not accepted`, {
    ...(differing.length === 0 ? {} : { reason: differing.join(', ') }),
    hint: 'nothing was changed; to adopt a partition whose rows differ, add --accept-difference LABEL: for PUBLISHED and RESTORED, the rows of the table are then valid; for DETACHED and DROPPED, those of the archive',
  })
}
