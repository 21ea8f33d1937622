/** Compares an archive to adopt with the ledger and with rows still in the database, partition by partition. */
import { digestSum } from '../../model/copy/row-hash.ts'
import { type ArchiveContext } from '../steps/context.ts'
import { findDetachedTable } from '../steps/detached-table.ts'
import { boundFinding, damageOf, type ArchiveFinding, differing } from '../steps/find-damage.ts'
import { lostRows, lostText } from '../steps/files-gone.ts'
import { filesState } from '../steps/files-state.ts'
import { localFiles } from '../steps/local-files.ts'
import type { LoggedFile, ArchiveLogState } from '../steps/log.ts'
import { appIdOf } from '../steps/publish.ts'
import { digestDifference } from '../steps/detach-and-drop.ts'
import type { NewPartition } from '../ledger/partition-facts.ts'
import type { Erasure } from '../ledger/erasure-ledger.ts'
import { plannedPartition } from '../ledger/planned-partition.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { proveInPlace } from '../steps/prove.ts'
import type { Run } from '../../engine/run/run-context.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { ArchivedFile, InspectedFile } from '../../model/archive/archived-file.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { isPublished } from '../../model/archive/state.ts'
import { equalDigests, type Digest } from '../../model/copy/rows.ts'
import type { ComparedPartition, Repair } from './compared-partition.ts'
import { digestNow, expectedNow } from './not-removed.ts'
import { readArchiveProperties } from '../log/properties.ts'
import { archivedFile, loggedPartition } from '../rebuild/logged.ts'

/** Finds the partition in the source for a label that is not in the ledger; null if the source has none. */
export type FindCandidate = (label: string) => Promise<NewPartition | null>

/**
 * Warns if the ledger lacks the newest erasure of the archive: the database may be from a backup of before it, and have
 * the erased rows.
 */
export async function reportUnknownErasure(
  { name, log, interrupt }: ArchiveContext,
  known: readonly Erasure[],
  run: Run<'log'>,
): Promise<void> {
  const version = await (await log()).lastErasure(interrupt.abort)
  if (version === null || known.some((one) => (one.version ?? -1) >= version)) return
  run.emit({
    type: 'log',
    level: 'warn',
    table: name,
    message: `version ${version} of the archive ended an erasure that this ledger does not have: the table may have the erased rows again`,
    hint: `if the database was restored from a backup of before it, erase them again: sluice archive erase --table ${shellQuote(name)} --where "$WHERE" --reason TICKET`,
  })
}

/** Compares every partition of the ledger and of the log, in no order. */
export async function* compareArchive(
  context: ArchiveContext,
  { partitions }: ArchiveRecord,
  state: ArchiveLogState,
  candidate: FindCandidate,
): AsyncGenerator<ComparedPartition> {
  const known = new Map(partitions.map((partition) => [partition.label, partition]))
  for (const label of new Set([...known.keys(), ...state.files.keys()])) {
    const columns = known.get(label)?.columns ?? context.archived.stored.columns
    const fence = state.txns.get(appIdOf(context, label)) ?? 0n
    const logged = state.files.get(label) ?? []
    const unnamed = await repairUnnamed(context, known.get(label), logged)
    if (unnamed !== null) {
      const { digest, files } = unnamed.partition
      yield { label, proof: digest, files, fence, finding: null, repair: unnamed }
      continue
    }
    const files = await provedFiles(context, logged, columns)
    const proof = files.length === 0 ? null : digestSum(files.map(({ rows, sum }) => ({ rows, sum })))
    const partition = known.get(label) ?? (await planned(label, candidate, context.archived.stored.columns))
    const finding = await compared(context, label, partition, proof)
    if (finding?.finding === 'other rows' && partition?.state === 'DROPPED') {
      yield { label, proof, files, fence, ...(await laterArchive(context, partition, finding, logged, state)) }
    } else if (finding?.finding === 'not in the log' && partition !== null) {
      yield { label, proof, files, fence, ...(await unnamedOrGone(context, partition, finding)) }
    } else {
      const own = known.get(label)
      const bounds = own !== undefined && isPublished(own.state) ? boundFinding(own, logged) : null
      const said = finding ?? bounds ?? (await differingFile(context, own, logged))
      const repair = said === null && files.length > 0 ? leftInLog(own, fence) : null
      yield { label, proof, files, fence, finding: said, repair }
    }
  }
}

/**
 * For an archive newer than its ledger, because the ledger was restored from a backup. Reads all files that the log
 * names for a DROPPED partition, and compares them with their tags.
 * @param finding how the log differs from the ledger
 * @returns repair `later` with the partition as in the log, if all its files have the bytes and rows of their tags
 * @throws SluiceError SOURCE_IO, SOURCE_DENIED if a bucket cannot be read
 */
async function laterArchive(
  context: ArchiveContext,
  before: ArchivedPartition,
  finding: ArchiveFinding,
  files: readonly LoggedFile[],
  state: ArchiveLogState,
): Promise<Pick<ComparedPartition, 'finding' | 'repair'>> {
  const facts = { noted: context.archived, said: readArchiveProperties(state.metadata.configuration ?? {}) }
  const logged = loggedPartition(context.name, before.label, files, state, facts)
  if ('finding' in logged) return notWhole(finding, logged)
  const [damage] = await damageOf(context, logged)
  if (damage !== undefined) return notWhole(finding, damage)
  const { digest, files: own, columns, version } = logged
  const partition = { ...before, digest, files: own, columns, version }
  const detail = `${finding.detail}; its files were read and are whole`
  return { finding: { ...finding, detail }, repair: { kind: 'later', before, partition } }
}

function notWhole(
  finding: ArchiveFinding,
  { path, detail: why }: ArchiveFinding,
): Pick<ComparedPartition, 'finding' | 'repair'> {
  const detail = `${finding.detail}; its files are not whole: ${path === undefined ? '' : `${path}: `}${why}`
  return { finding: { ...finding, detail }, repair: null }
}

/** Repair `unnamed` if the ledger's files exist and are proved; `gone` if all are missing; otherwise no repair. */
async function unnamedOrGone(
  context: ArchiveContext,
  partition: ArchivedPartition,
  finding: ArchiveFinding,
): Promise<Partial<Pick<ComparedPartition, 'proof' | 'files'>> & Pick<ComparedPartition, 'finding' | 'repair'>> {
  const { digest, files } = partition
  const examined = await readLedgerFiles(context, partition)
  if (examined !== null) {
    const repair = { kind: 'unnamed', partition, examined, outdated: [] } as const
    return { proof: digest, files, finding: null, repair }
  }
  if ((await filesState(context, files)) !== 'gone') return { finding, repair: null }
  return { finding: await missingFilesText(context, partition, finding), repair: { kind: 'gone', partition } }
}

/**
 * Repair `left` for a RESTORED or EXPIRED partition whose files the log names. For EXPIRED, the log must be older than
 * the ledger: otherwise another program may have restored the partition and dropped its rows again, and these files are
 * the only copy.
 */
function leftInLog(partition: ArchivedPartition | undefined, fence: bigint): Repair | null {
  if (partition === undefined) return null
  const { state } = partition
  const isLeft = state === 'RESTORED' || (state === 'EXPIRED' && fence < partition.fence)
  return isLeft ? { kind: 'left', partition } : null
}

/** Finding: the first file of a published partition that is missing or has another size. No bytes are read. */
async function differingFile(
  { reader, interrupt }: ArchiveContext,
  partition: ArchivedPartition | undefined,
  logged: readonly LoggedFile[],
): Promise<ArchiveFinding | null> {
  if (partition === undefined || !isPublished(partition.state)) return null
  for (const { path, size, rows } of logged) {
    const head = await reader.head(path, interrupt.abort)
    const at = { partition: partition.label, path }
    if (head === null)
      return { finding: 'missing file', ...at, detail: `${rows ?? 'an unknown number of'} rows were in the file` }
    if (BigInt(head.size) === size) continue
    return { finding: 'changed file', ...at, detail: `${head.size} bytes, and ${size} when it was proved` }
  }
  return null
}

/**
 * Adds to a finding about missing files of the ledger (from a backup) which version removed them, and the lost rows.
 */
async function missingFilesText(
  context: ArchiveContext,
  partition: ArchivedPartition,
  finding: ArchiveFinding,
): Promise<ArchiveFinding> {
  const departed = (await (await context.log()).removedPartitions(context.interrupt.abort)).get(partition.label)
  const since = departed === undefined ? '' : `: version ${departed.version} removed them (${departed.step})`
  const lost = lostText(await lostRows(context, partition))
  return {
    ...finding,
    detail: `${finding.detail}; the files of the ledger are gone${since}${lost === '' ? '' : `; ${lost}`}`,
  }
}

/**
 * Repair `unnamed` if the log names only files that do not exist and are not in the ledger, and the ledger's files are
 * proved; otherwise null. Such a log is old: a sweep has removed the files that it names.
 */
async function repairUnnamed(
  context: ArchiveContext,
  partition: ArchivedPartition | undefined,
  logged: readonly LoggedFile[],
): Promise<Extract<Repair, { kind: 'unnamed' }> | null> {
  if (partition === undefined || logged.length === 0 || !isPublished(partition.state)) return null
  const own = new Set(partition.files.map(({ path }) => path))
  for (const { path } of logged) {
    if (own.has(path) || (await context.reader.head(path, context.interrupt.abort)) !== null) return null
  }
  const examined = await readLedgerFiles(context, partition)
  const outdated = logged.map(({ path }) => path)
  return examined === null ? null : { kind: 'unnamed', partition, examined, outdated }
}

async function compared(
  context: ArchiveContext,
  label: string,
  partition: ArchivedPartition | null,
  proof: Digest | null,
): Promise<ArchiveFinding | null> {
  const state = partition?.state ?? 'PLANNED'
  const wasPublished = isPublished(state)
  if (proof === null) {
    if (!wasPublished || partition === null || partition.digest?.rows === 0n) return null
    return {
      finding: 'not in the log',
      partition: label,
      detail: `the ledger says ${state}, but the log does not name its files`,
    }
  }
  const isProved = partition?.digest != null && equalDigests(proof, partition.digest)
  if (wasPublished && !isProved) {
    const detail =
      partition?.digest == null ? 'the ledger has no proof of it' : digestDifference(proof, partition.digest)
    return {
      finding: 'other rows',
      partition: label,
      detail: `the archive differs from the proof in the ledger: ${detail}`,
    }
  }
  if (state === 'DROPPED' || (isProved && !wasPublished)) return null
  const hot =
    partition === null ? null : await digestNow(context, wasPublished ? partition : withoutRemovals(partition))
  if (hot === null) {
    if (wasPublished) return partition === null ? null : missingTableFinding(context, partition)
    return {
      finding: 'not in the ledger',
      partition: label,
      detail: `${proof.rows} rows in the archive, none in the database`,
    }
  }
  const expected = wasPublished && partition !== null ? await expectedNow(context, partition) : proof
  if (equalDigests(hot, expected)) return null
  const detail =
    hot.rows === proof.rows
      ? `${hot.rows} rows on both sides, but with different values`
      : `${hot.rows} rows in the database, ${proof.rows} in the archive`
  return differing({ label }, detail)
}

/** Finding if the partition's table is not found. Null for a plain table, and if a detached table was dropped. */
async function missingTableFinding(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<ArchiveFinding | null> {
  const { native, state } = partition
  if (native === null) return null
  const isOut = state === 'DETACHED' && (await detachedOrGone(context, partition))
  const detail =
    'its table was not found under the name in the ledger, and was not compared: the archive may have the only copy of its rows'
  return isOut ? null : differing(partition, detail)
}

async function detachedOrGone(context: ArchiveContext, partition: ArchivedPartition): Promise<boolean> {
  try {
    await findDetachedTable(context, partition)
    return true
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.code === 'PARTITION_CHANGED') return false
    throw thrown
  }
}

/** The ledger's files, read completely; null if one is missing or differs from its proof. */
async function readLedgerFiles(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<readonly InspectedFile[] | null> {
  try {
    return await proveInPlace(context, partition)
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.kind === 'stopped' || error.retryable) throw error
    return null
  }
}

/** The partition as if no rows were removed from the source. */
function withoutRemovals(partition: ArchivedPartition): ArchivedPartition {
  return { ...partition, state: 'PUBLISHED', digest: null, removed: { rows: 0n, sum: '0' }, restoring: false }
}

async function planned(
  label: string,
  candidate: FindCandidate,
  columns: readonly StoredColumn[],
): Promise<ArchivedPartition | null> {
  const found = await candidate(label)
  return found === null ? null : plannedPartition(found, columns)
}

/** Files with the proof in their tags. If a file of another writer has no proof, all files are read. */
async function provedFiles(
  context: ArchiveContext,
  files: readonly LoggedFile[],
  columns: readonly StoredColumn[],
): Promise<readonly ArchivedFile[]> {
  const proved = files.map(archivedFile).filter((file) => file !== null)
  if (proved.length === files.length) return proved
  await using local = await localFiles(context, files)
  const parquet = await context.parquet()
  const inspected = await parquet.inspect({ columns, files: local.paths, signal: context.interrupt.abort })
  return inspected.map(({ bytes, rows, sha256, digest }, i) => ({
    path: files[i]?.path ?? '',
    bytes,
    rows,
    sha256,
    sum: digest.sum,
  }))
}
