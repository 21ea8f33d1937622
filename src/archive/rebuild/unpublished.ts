/** Rebuilds partitions without files in the newest version of an archive: restored, expired, or only held. */
import { readPartition, type ArchivedPartition } from '../ledger/record.ts'
import type { NewPartition } from '../ledger/partition-facts.ts'
import { plannedPartition } from '../ledger/planned-partition.ts'
import type { ArchiveContext } from '../steps/context.ts'
import type { RemovedFiles, ArchiveLogState } from '../steps/log.ts'
import { appIdOf } from '../steps/publish.ts'
import { recordCalendar } from '../plan/record-calendar.ts'
import { valueCandidates } from '../plan/value-candidates.ts'
import type { CalendarSpec } from '../../model/calendar/calendar.ts'
import { periodAt } from '../../model/calendar/period.ts'
import { nativeKind } from '../plan/time-kind.ts'
import { nativeCandidates } from '../plan/native-candidates.ts'
import { rangeCandidates } from '../plan/range-candidates.ts'
import { digestNow } from '../plan/not-removed.ts'
import { filesState } from '../steps/files-state.ts'
import { loggedPartition } from './logged.ts'
import { restoredResult, type UnpublishedPartition } from './restored.ts'
import type { RecordedArchive } from './recorded-archive.ts'
import type { RebuildContext } from './locate-rows.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { differing } from '../steps/find-damage.ts'
import { readdFiles } from '../steps/expire.ts'
import { proveInPlace } from '../steps/prove.ts'
import { isPublished } from '../../model/archive/state.ts'

type Sides = RebuildContext & { readonly state: ArchiveLogState; readonly said: RecordedArchive }

const UNKNOWN_ROWS =
  'it was archived, and an erasure destroyed the history that had its row count; the table has none of its rows'

/** The log does not record who expired a partition. */
const UNKNOWN_ACTOR = 'unknown: the ledger was rebuilt'

/**
 * @param departed facts from older commits; undefined if an erasure ended the history, or nothing was ever published
 */
export async function unpublished(
  context: ArchiveContext,
  label: string,
  departed: RemovedFiles | undefined,
  sides: Sides,
): Promise<UnpublishedPartition> {
  const { state, said } = sides
  const fence = state.txns.get(appIdOf(context, label))
  const before = departed === undefined ? null : departedPartition(context, label, departed, sides)
  if (departed !== undefined && before !== null)
    return departed.step === 'expire'
      ? expired(context, before, departed)
      : restoredResult(context, before, departed.version, sides)
  const candidate = await candidateOf(context, label, sides)
  const held = said.said.holds.get(label) ?? null
  if (candidate === null) {
    if (held === null) return { finding: [], partition: null, compared: 0n }
    const detail = `the archive says that it is held (${held}), but neither its files nor its table exist`
    return { finding: [{ finding: 'not in the log', partition: label, detail }], partition: null, compared: 0n }
  }
  const planned = { ...plannedPartition(candidate, said.noted.stored.columns), label, held }
  if (fence === undefined) return { finding: [], partition: planned, compared: 0n }
  const restored = { ...planned, state: 'RESTORED' as const, fence }
  // Without a recorded proof, the ledger stores the digest of the present rows.
  const digest = await digestNow(context, { ...restored, state: 'PUBLISHED' })
  const partition = { ...restored, digest, retracted: true, version: departed?.version ?? state.version, logged: [] }
  return { finding: (digest?.rows ?? 0n) === 0n ? [differing(partition, UNKNOWN_ROWS)] : [], partition, compared: 0n }
}

/** An expired partition. It can be restored if all its files exist; a restore reads them. */
async function expired(
  context: ArchiveContext,
  before: ArchivedPartition,
  { at, version }: RemovedFiles,
): Promise<UnpublishedPartition> {
  const isWhole = (await filesState(context, before.files)) === 'there'
  const partition: ArchivedPartition = {
    ...before,
    state: 'EXPIRED',
    retracted: true,
    version,
    expired: { ms: at, by: UNKNOWN_ACTOR },
    sweptMs: isWhole ? null : at,
    logged: [],
  }
  if (isWhole || partition.held === null) return { finding: [], partition, compared: 0n }
  const detail = `it has expired and is held (${partition.held}), and some of its files are gone`
  return { finding: [{ finding: 'missing file', partition: partition.label, detail }], partition, compared: 0n }
}

function departedPartition(
  { name }: ArchiveContext,
  label: string,
  { files }: RemovedFiles,
  { state, said }: Sides,
): ArchivedPartition | null {
  const found = loggedPartition(name, label, files, state, said)
  return 'finding' in found ? null : found
}

/** The partition in the source; null if the source has no partition of that label. */
async function candidateOf(
  { store, table, interrupt }: ArchiveContext,
  label: string,
  { said: { present }, natives }: Sides,
): Promise<NewPartition | null> {
  const around = { store, signal: interrupt.abort }
  const calendar = recordCalendar(present)
  const asked = [{ label, period: label, whole: true }]
  if (calendar === null) {
    const values = natives === null ? await valueCandidates(table, present.timeColumn ?? '', asked, null, around) : []
    return values.find((one) => one.label === label) ?? null
  }
  const wanted = { asked, until: null, calendar, isLogged: true } as const
  // A later part without history has a label that is not the label of a period.
  if (natives === null && !isPeriod(calendar, label)) return null
  const candidates =
    natives === null
      ? (await rangeCandidates(table, present.timeColumn, wanted, null, around)).candidates
      : await nativeCandidates(
          { ...natives, kind: nativeKind(table, natives, null) },
          wanted,
          { known: [], key: table.key },
          around,
        )
  return candidates.find((one) => one.label === label) ?? null
}

function isPeriod(calendar: CalendarSpec, label: string): boolean {
  try {
    return periodAt(calendar, label).label === label
  } catch {
    return false
  }
}

/**
 * Adds files to the log again: a restore has removed them, and a rebuilt ledger needs them.
 * @param partitions partitions as in the new ledger
 * @param state version of the log with which the partitions were compared
 * @throws SluiceError ARCHIVE_CONFLICT, PROOF_FAILED if a file has changed since; LEASE_LOST
 */
export async function readdToLog(
  context: ArchiveContext,
  database: LedgerDatabase,
  { partitions, state }: { readonly partitions: readonly ArchivedPartition[]; readonly state: ArchiveLogState },
): Promise<void> {
  for (const partition of partitions) {
    const { label, files } = partition
    if (!isPublished(partition.state) || state.files.has(label)) continue
    const inspected = await proveInPlace(context, partition)
    await readdFiles(context, partition, inspected, async () => {
      const noted = await readPartition(database, context.archived.table, label)
      if (noted === null) throw new Error(`the ledger no longer has ${label}`)
      return noted
    })
    const message = `${label}: its ${files.length} files were read, and the log names them again`
    context.emit({ type: 'log', level: 'note', table: context.name, message })
  }
}
